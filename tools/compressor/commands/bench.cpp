// bench: how long models take in this program's engine, side by side.
#include <fmt/format.h>

#include <algorithm>

#include "command.h"
#include "compressor/analysis/latency.h"
#include "compressor/analysis/model_data.h"
#include "compressor/base/threads.h"
#include "compressor/pipeline/groups.h"
#include "compressor/report/table.h"
#include "feeds.h"
#include "files.h"
#include "json_head.h"

namespace compressor::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string milliseconds(double seconds) {
  return fmt::format("{:.3f} ms", seconds * 1e3);
}

class Bench : public Command {
 public:
  Bench() {
    models_.positional().path();
    include(shape_);
    include(work_);
    finish();
  }
  std::string name() const override { return "bench"; }
  std::string summary() const override {
    return "time models in this program's engine, in interleaved rounds where there are several";
  }
  std::string heading() const override { return "Run"; }
  std::string epilog() const override {
    return "Examples:\n"
           "  compressor bench model.onnx\n"
           "  compressor bench --batch 8 --runs 100 model.onnx model.prune.onnx\n"
           "  compressor bench --profile model.onnx\n";
  }

  void run(Terminal& terminal) override {
    if (models_->empty()) throw Error::usage("bench: expected a model, or several to compare");
    set_threads(static_cast<int>(*work_.threads));
    std::vector<Input> inputs;
    for (const std::string& path : *models_) inputs.push_back(open_model(path));
    std::vector<TimedModel> timed;
    for (const Input& input : inputs) timed.push_back({&input.model, feeds_of(input)});
    const LatencyOptions options{
        .runs = static_cast<int>(*runs_), .warmup = static_cast<int>(*warmup_), .profile = *profile_};
    const std::vector<Latency> latencies =
        measure_latency(timed, options, [&](double share) { terminal.progress("timing", share); });
    terminal.print(*json_ ? as_json(inputs, timed, latencies) : as_text(inputs, timed, latencies));
  }

 private:
  Executor::Feeds feeds_of(const Input& input) const {
    auto shapes = shape_.shapes(input.model);
    for (const Value* v : open_inputs(input.model)) {
      const Type& type = v->type();
      if (!*batch_ || shapes.contains(v->name()) || !type.has_shape || type.dims.empty()) continue;
      if (type.dims[0].known() && type.dims[0].value != **batch_) {
        throw Error::usage("--batch: {}: input '{}' has a batch of {} that is fixed, found {}",
                           input.info.path, v->name(), type.dims[0].value, **batch_);
      }
      std::vector<std::int64_t> dims{**batch_};
      for (std::size_t i = 1; i < type.dims.size(); ++i) {
        dims.push_back(type.dims[i].known() ? type.dims[i].value : 8);
      }
      shapes[v->name()] = dims;
    }
    return read_feeds(input.model, {}, true, shapes, static_cast<std::uint64_t>(*work_.seed)).feeds;
  }

  static std::string shapes_text(const Executor::Feeds& feeds) {
    std::string text;
    for (const auto& [name, value] : feeds) {
      text += (text.empty() ? "" : ", ") + name + " " + to_string(value.tensor.shape);
    }
    return text;
  }

  std::string as_text(const std::vector<Input>& inputs, const std::vector<TimedModel>& timed,
                      const std::vector<Latency>& latencies) const {
    Table table({{"model"},
                 {"median", true},
                 {"quartiles", true},
                 {"fastest", true},
                 {"first run", true},
                 {"activations", true}});
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const Latency& l = latencies[i];
      table.add({inputs[i].info.path, milliseconds(l.quantile(0.5)),
                 fmt::format("{:.3f}-{:.3f}", l.quantile(0.25) * 1e3, l.quantile(0.75) * 1e3),
                 milliseconds(l.quantile(0)), milliseconds(l.first), bytes_text(l.activation_bytes)});
    }
    std::string text = table.text();
    for (std::size_t i = 1; i < inputs.size(); ++i) {
      const std::vector<double> s = speedup(latencies[0], latencies[i]);
      text += fmt::format("{} is {:.2f} times as fast as the first (quartiles {:.2f}-{:.2f})\n",
                          inputs[i].info.path, s[1], s[0], s[2]);
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (i > 0 && shapes_text(timed[i].feeds) == shapes_text(timed[0].feeds)) continue;
      text += fmt::format("input: {}: random, seed {}\n", shapes_text(timed[i].feeds), *work_.seed);
    }
    text += fmt::format("{} runs, {} threads\n", *runs_, threads());
    if (*profile_) {
      for (std::size_t i = 0; i < inputs.size(); ++i) text += "\n" + profile_text(inputs[i], latencies[i]);
    }
    return text;
  }

  struct Line {
    std::string name, op;
    double seconds = 0;
  };
  /// Slowest first.
  static std::vector<Line> lines_of(const Latency& l) {
    std::vector<Line> lines;
    for (const auto& [node, seconds] : l.by_node) lines.push_back({node->label(), node->op(), seconds});
    std::sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) {
      return a.seconds != b.seconds ? a.seconds > b.seconds : a.name < b.name;
    });
    return lines;
  }

  static std::string profile_text(const Input& input, const Latency& l) {
    double all = 0;
    std::map<std::string, std::pair<double, int>> by_op;
    for (const auto& [node, seconds] : l.by_node) {
      all += seconds;
      by_op[node->op()].first += seconds;
      ++by_op[node->op()].second;
    }
    const auto share = [&](double seconds) { return fmt::format("{:.1f} %", 100 * seconds / all); };
    std::vector<std::pair<std::string, std::pair<double, int>>> ops(by_op.begin(), by_op.end());
    std::stable_sort(ops.begin(), ops.end(),
                     [](const auto& a, const auto& b) { return a.second.first > b.second.first; });
    Table table({{"op"}, {"nodes", true}, {"time", true}, {"share", true}});
    for (const auto& [op, sum] : ops) {
      table.add({op, std::to_string(sum.second), milliseconds(sum.first), share(sum.first)});
    }
    Table nodes({{"node"}, {"op"}, {"time", true}, {"share", true}});
    const std::vector<Line> lines = lines_of(l);
    for (std::size_t i = 0; i < std::min(lines.size(), kShown); ++i) {
      nodes.add({lines[i].name, lines[i].op, milliseconds(lines[i].seconds), share(lines[i].seconds)});
    }
    return fmt::format("{}\n{}\n{}{}", input.info.path, table.text(), nodes.text(),
                       lines.size() > kShown ? fmt::format("and {} more\n", lines.size() - kShown) : "");
  }

  std::string as_json(const std::vector<Input>& inputs, const std::vector<TimedModel>& timed,
                      const std::vector<Latency>& latencies) const {
    Json j = json_head(name());
    j["runs"] = *runs_;
    j["warmup"] = *warmup_;
    j["threads"] = threads();
    j["seed"] = *work_.seed;
    j["models"] = Json::array();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const Latency& l = latencies[i];
      Json shapes = Json::object();
      for (const auto& [input, value] : timed[i].feeds) shapes[input] = value.tensor.shape;
      Json entry{{"path", inputs[i].info.path}, {"inputs", shapes},
                 {"median", l.quantile(0.5)},   {"quartiles", {l.quantile(0.25), l.quantile(0.75)}},
                 {"fastest", l.quantile(0)},    {"slowest", l.quantile(1)},
                 {"first_run", l.first},        {"activation_bytes", l.activation_bytes},
                 {"seconds", l.seconds}};
      if (i > 0) {
        const std::vector<double> s = speedup(latencies[0], l);
        entry["speedup"] = {{"median", s[1]}, {"quartiles", {s[0], s[2]}}};
      }
      if (*profile_) {
        entry["profile"] = Json::array();
        for (const Line& line : lines_of(l)) {
          entry["profile"].push_back({{"node", line.name}, {"op", line.op}, {"seconds", line.seconds}});
        }
      }
      j["models"].push_back(std::move(entry));
    }
    return j.dump(2) + "\n";
  }

  static constexpr std::size_t kShown = 20;
  Option<Texts> models_{*this, "model", {}, "the ONNX file, or several; all are measured against the first"};
  Option<std::int64_t> runs_{*this, "runs", 30, "runs of each model that count",
                             Range{.low = 1, .high = 1000000}};
  Option<std::int64_t> warmup_{*this, "warmup", 3, "runs of each model before that",
                               Range{.low = 1, .high = 1000000}};
  Option<std::optional<std::int64_t>> batch_{*this, "batch", std::nullopt,
                                             "first axis of inputs that leave it open (default: 1)",
                                             Range{.low = 1, .high = 65536}};
  Option<bool> profile_{*this, "profile", false, "also the time of each operator and node"};
  Option<bool> json_{*this, "json", false, "print JSON, times in seconds"};
  ShapeOptions shape_;
  WorkOptions work_;
};

}  // namespace

void register_bench(CommandTable& table);
void register_bench(CommandTable& table) {
  table.push_back(std::make_unique<Bench>());
}

}  // namespace compressor::cli
