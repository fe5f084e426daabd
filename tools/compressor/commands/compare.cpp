// compare: how far one model is from another, at the outputs and layer by layer.
#include "compressor/analysis/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include "command.h"
#include "compressor/analysis/evaluate.h"
#include "compressor/base/threads.h"
#include "compressor/data/data_options.h"
#include "compressor/pipeline/groups.h"
#include "compressor/report/report.h"
#include "compressor/report/table.h"
#include "feeds.h"
#include "files.h"
#include "json_head.h"

namespace compressor::cli {
namespace {

using Json = nlohmann::ordered_json;

/// JSON knows no infinity: null.
Json number(double v) {
  return std::isfinite(v) ? Json(v) : Json();
}

std::string decibels(double snr) {
  if (std::isinf(snr)) return snr > 0 ? "equal" : "-inf";
  return fmt::format("{:.1f}", snr);
}

/// What the bounds are about, of the worst output.
struct Worst {
  double snr = HUGE_VAL, cosine = 1, max_abs = 0;
};

struct Drop {
  Measured first, second;
  double drop() const { return (first.info.higher_is_better ? 1 : -1) * (first.value - second.value); }
};

class Compare : public Command {
 public:
  Compare() {
    first_.positional().path();
    second_.positional().path();
    report_.path();
    input_.path();
    include(shape_);
    include(work_);
    section("Data", data_);
    section("Gates", gates_);
    finish();
  }
  std::string name() const override { return "compare"; }
  std::string summary() const override {
    return "run two models on the same inputs and say how far they are apart, and where it begins";
  }
  std::string heading() const override { return "Run"; }
  std::string epilog() const override {
    return "Examples:\n"
           "  compressor compare model.onnx model.int8.onnx --min-snr 20\n"
           "  compressor compare --data cifar10/ --preprocess cifar10 --metric top1 --max-drop 0.5 a.onnx "
           "b.onnx\n"
           "  compressor compare --report prune.json model.onnx model.prune.onnx\n"
           "A bound that does not hold is exit code 4.\n";
  }

  void run(Terminal& terminal) override {
    for (const std::string& text : *metric_) make_metric(text);
    const bool has_data = data_.data->has_value();
    if (!has_data && (!metric_->empty() || gates_.max_drop->has_value())) {
      throw Error::usage("--{} needs data to measure on: --data",
                         metric_->empty() ? gates_.max_drop.name() : metric_.name());
    }
    data_.check(has_data);
    if (has_data && !input_->empty()) throw Error::usage("--data, --input: expected one of them");
    set_threads(static_cast<int>(*work_.threads));
    const Input a = open_model(*first_);
    const Input b = open_model(*second_);
    CompareOptions options{.layers = !*no_layers_};
    if (*report_) options.kept = kept_indices(**report_);
    std::vector<Drop> drops;
    Comparison c;
    if (has_data) {
      c = on_data(a.model, b.model, options, drops, terminal);
    } else {
      c = on_inputs(a.model, b.model, options, terminal);
    }
    terminal.print(*json_ ? as_json(c, drops) : as_text(c, drops));
    check_bounds(c, drops);
  }

 private:
  struct Gates : Options {
    Option<std::optional<double>> max_drop{
        *this, "max-drop", std::nullopt,
        "fail when the first metric gets worse by more than this, in its own unit", Range::at_least(0)};
    Option<std::optional<double>> min_snr{*this, "min-snr", std::nullopt,
                                          "fail when an output is within less than so many dB"};
    Option<std::optional<double>> min_cosine{*this, "min-cosine", std::nullopt,
                                             "fail when an output's cosine is smaller",
                                             Range{.low = -1, .high = 1}};
    Option<std::optional<double>> max_abs{*this, "max-abs", std::nullopt,
                                          "fail when a number of an output differs by more",
                                          Range::at_least(0)};
  };

  static KeptIndices kept_indices(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    if (!file || !(text << file.rdbuf())) throw Error::io("{}: cannot read", path);
    KeptIndices kept;
    for (const Removed& cut : parse_report(text.str(), path).removed) {
      // Two cuts of one axis count from one original.
      auto [axis, fresh] = kept[cut.tensor].try_emplace(cut.axis);
      if (fresh) {
        for (std::int64_t i = 0; i < cut.of; ++i) axis->second.push_back(i);
      }
      std::erase_if(axis->second, [&](std::int64_t i) {
        return std::binary_search(cut.index.begin(), cut.index.end(), i);
      });
    }
    return kept;
  }

  Comparison on_inputs(const Model& a, const Model& b, const CompareOptions& options, Terminal& terminal) {
    const auto shapes = shape_.shapes(a);
    const bool drawn = input_->empty();
    const std::int64_t count = drawn ? *inputs_ : 1;
    const auto seed = static_cast<std::uint64_t>(*work_.seed);
    return compare_models(a, b, options, [&](const auto& visit) {
      for (std::int64_t i = 0; i < count; ++i) {
        const GivenFeeds given = read_feeds(a, *input_, true, shapes, seed + static_cast<std::uint64_t>(i));
        if (i == 0) {
          for (const std::string& said : given.said) on_ += (on_.empty() ? "" : "; ") + said;
          if (count > 1) on_ += fmt::format(" and {} more", count - 1);
        }
        visit(ComparedBatch{.feeds = given.feeds});
        terminal.progress("comparing", static_cast<double>(i + 1) / static_cast<double>(count));
      }
    });
  }

  Comparison on_data(const Model& a, const Model& b, const CompareOptions& options, std::vector<Drop>& drops,
                     Terminal& terminal) {
    const auto data = data_.open("test");
    on_ = data->describe();
    LoaderOptions loading = data_.loader_options(shape_.shapes(a));
    loading.batch = *batch_;
    loading.seed = static_cast<std::uint64_t>(*work_.seed);
    const ModelData inputs(a, *data, data_.preprocessing(), loading);
    std::int64_t done = 0;
    Comparison c = compare_models(a, b, options, [&](const auto& visit) {
      inputs.each([&](const Executor::Feeds& feeds, const Batch& batch, std::int64_t rows) {
        visit(ComparedBatch{.feeds = feeds, .samples = batch.size(), .rows = rows});
        done += batch.size();
        terminal.progress("comparing", static_cast<double>(done) / static_cast<double>(inputs.size()));
      });
    });
    if (metric_->empty() && !gates_.max_drop->has_value()) return c;
    const auto metrics = metric_->empty() ? default_metrics(*data) : *metric_;
    const auto measure = [&](const Model& model, const char* what) {
      const ModelData own(model, *data, data_.preprocessing(), loading);
      return evaluate(model, *data, own, metrics, [&](double share) { terminal.progress(what, share); });
    };
    const Evaluation first = measure(a, "evaluating the first");
    const Evaluation second = measure(b, "evaluating the second");
    for (std::size_t i = 0; i < metrics.size(); ++i) drops.push_back({first.metrics[i], second.metrics[i]});
    return c;
  }

  static Worst worst_of(const Comparison& c) {
    Worst w;
    for (const ComparedValue& v : c.outputs) {
      w.snr = std::min(w.snr, v.difference.snr());
      w.cosine = std::min(w.cosine, v.difference.cosine());
      w.max_abs = std::max(w.max_abs, v.difference.max_abs);
    }
    return w;
  }

  void check_bounds(const Comparison& c, const std::vector<Drop>& drops) const {
    const Worst w = worst_of(c);
    if (*gates_.min_snr && w.snr < **gates_.min_snr) {
      throw Error::gate("--min-snr: outputs are within {:.2f} dB, expected at least {} dB", w.snr,
                        **gates_.min_snr);
    }
    if (*gates_.min_cosine && w.cosine < **gates_.min_cosine) {
      throw Error::gate("--min-cosine: found {:.6f}, expected at least {}", w.cosine, **gates_.min_cosine);
    }
    if (*gates_.max_abs && w.max_abs > **gates_.max_abs) {
      throw Error::gate("--max-abs: outputs differ by {:.4g}, expected at most {}", w.max_abs,
                        **gates_.max_abs);
    }
    if (*gates_.max_drop && drops[0].drop() > **gates_.max_drop) {
      throw Error::gate("--max-drop: {} is {:.4f} and {:.4f}, worse by {:.4f} where {} is allowed",
                        drops[0].first.text, drops[0].first.value, drops[0].second.value, drops[0].drop(),
                        **gates_.max_drop);
    }
  }

  std::string as_text(const Comparison& c, const std::vector<Drop>& drops) const {
    std::string text = fmt::format("on: {}\n", on_);
    Table outputs({{"output"},
                   {"SNR dB", true},
                   {"cosine", true},
                   {"max abs", true},
                   {"relative", true},
                   {"same top-1", true}});
    for (const ComparedValue& v : c.outputs) {
      const Difference& d = v.difference;
      outputs.add({v.name, decibels(d.snr()), fmt::format("{:.6f}", d.cosine()),
                   fmt::format("{:.3g}", d.max_abs), fmt::format("{:.3g}", d.relative()),
                   d.agreement() ? fmt::format("{:.2f} %", 100 * *d.agreement()) : "-"});
    }
    text += outputs.text();
    for (const Drop& d : drops) {
      text += fmt::format("{}: {:.4f} and {:.4f}\n", d.first.text, d.first.value, d.second.value);
    }
    if (*no_layers_) return text;
    Table layers({{"value"}, {"op"}, {"SNR before", true}, {"SNR", true}, {"cosine", true}});
    std::size_t shown = 0;
    bool selected = false;
    for (const ComparedValue& v : c.layers) {
      if (*top_ > 0 && shown == static_cast<std::size_t>(*top_)) break;
      ++shown;
      selected = selected || v.selected;
      layers.add({v.name + (v.selected ? " *" : ""), v.op, decibels(-10 * std::log10(v.before)),
                  decibels(v.difference.snr()), fmt::format("{:.6f}", v.difference.cosine())});
    }
    text += "\n";
    if (shown > 0) text += "where errors enter, most first:\n" + layers.text();
    if (selected) text += "*: at the indices that are left\n";
    if (shown < c.layers.size()) text += fmt::format("and {} more values\n", c.layers.size() - shown);
    if (!c.left_out.empty()) {
      text += fmt::format("{} values have no counterpart; the first, '{}': {}\n", c.left_out.size(),
                          c.left_out[0].first, c.left_out[0].second);
    }
    return text;
  }

  static Json as_json(const ComparedValue& v) {
    const Difference& d = v.difference;
    Json entry{{"name", v.name}};
    if (!v.op.empty()) entry["op"] = v.op;
    entry["snr_db"] = number(d.snr());
    entry["equal"] = d.noise == 0;
    entry["cosine"] = d.cosine();
    entry["max_abs"] = number(d.max_abs);
    entry["relative"] = number(d.relative());
    if (d.agreement()) entry["top1_agreement"] = *d.agreement();
    if (v.op.empty()) return entry;
    entry["snr_before_db"] = number(-10 * std::log10(v.before));
    entry["noise_entered"] = number(v.entered());
    entry["selected"] = v.selected;
    return entry;
  }

  std::string as_json(const Comparison& c, const std::vector<Drop>& drops) const {
    Json j = json_head(name());
    j["inputs"] = {*first_, *second_};
    j["on"] = on_;
    j["samples"] = c.samples;
    j["outputs"] = Json::array();
    for (const ComparedValue& v : c.outputs) j["outputs"].push_back(as_json(v));
    j["metrics"] = Json::array();
    for (const Drop& d : drops) {
      j["metrics"].push_back({{"metric", d.first.text},
                              {"first", d.first.value},
                              {"second", d.second.value},
                              {"drop", d.drop()},
                              {"unit", d.first.info.unit}});
    }
    j["layers"] = Json::array();
    for (const ComparedValue& v : c.layers) j["layers"].push_back(as_json(v));
    j["left_out"] = Json::array();
    for (const auto& [value, why] : c.left_out) j["left_out"].push_back({{"name", value}, {"why", why}});
    return j.dump(2) + "\n";
  }

  Option<std::string> first_{*this, "first", "", "the ONNX file that is right"};
  Option<std::string> second_{*this, "second", "", "the one that is held against it"};
  Option<Texts> input_{
      *this,
      "input",
      {},
      "name=x.npy, an .npz, or a folder of input_0.pb, ...; may be repeated (default: random)"};
  Option<std::int64_t> inputs_{*this, "inputs", 4, "how many random inputs, without data and --input",
                               Range{.low = 1, .high = 1000000}};
  Option<Texts> metric_{
      *this, "metric", {}, "also measure both on the data; may be repeated, --max-drop is about the first"};
  Option<std::int64_t> batch_{*this, "batch", 0, "samples at a time; 0: as the model says, else 32",
                              Range{.low = 0, .high = 65536}};
  Option<MaybeText> report_{*this, "report", std::nullopt,
                            "JSON report of the pruning: compare at the indices that are left"};
  Option<bool> no_layers_{*this, "outputs-only", false, "only the outputs, not layer by layer"};
  Option<std::int64_t> top_{*this, "top", 20, "show so many layers; 0: all", Range::at_least(0)};
  Option<bool> json_{*this, "json", false, "print JSON"};
  ShapeOptions shape_;
  WorkOptions work_;
  DataOptions data_;
  Gates gates_;
  std::string on_;
};

}  // namespace

void register_compare(CommandTable& table);
void register_compare(CommandTable& table) {
  table.push_back(std::make_unique<Compare>());
}

}  // namespace compressor::cli
