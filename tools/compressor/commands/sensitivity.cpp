// sensitivity: what each layer costs when it is compressed, and which ones a bound leaves as they are.
#include "compressor/pipeline/sensitivity.h"

#include <fmt/format.h>

#include <cmath>

#include "command.h"
#include "compressor/base/error.h"
#include "compressor/base/threads.h"
#include "compressor/pipeline/bit_plan.h"
#include "compressor/pipeline/config.h"
#include "compressor/pipeline/groups.h"
#include "compressor/pipeline/hold.h"
#include "compressor/pipeline/registry.h"
#include "compressor/report/table.h"
#include "files.h"
#include "gates.h"
#include "json_head.h"
#include "measured.h"

namespace compressor::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string decibels(double snr) {
  if (std::isinf(snr)) return snr > 0 ? "equal" : "-inf";
  return fmt::format("{:.1f}", snr);
}

Table::Cell snr_cell(const std::optional<Reading>& r) {
  if (!r) return {"-", ""};
  return {decibels(r->snr_db()), fmt::format("{}", r->snr_db())};
}

class Sensitivity : public Command {
 public:
  Sensitivity() : pass_(make_pass("quantize")) {
    model_.positional().path();
    section("Quantize", *pass_);
    include(config_);
    section("Selection", select_);
    section("Shapes", shape_);
    section("Work", work_);
    section("Data", data_);
    section("Measuring", measure_);
    section("A file for quantize", write_);
    finish();
  }
  std::string name() const override { return "sensitivity"; }
  std::string summary() const override {
    return "quantize each layer alone, and all but each, and say what that does to outputs or accuracy";
  }
  std::string heading() const override { return "Run"; }

  void run(Terminal& terminal) override {
    read_options();
    check();
    const Input input = open_model(*model_);
    const Model& model = input.model;
    const auto shapes = shape_.shapes(model);
    const auto seed = static_cast<std::uint64_t>(*work_.seed);
    PassContext context;
    context.seed = seed;
    choose_layers(context, select_.filter(), layers_, model);
    context.input_shapes = shapes;
    context.progress = [&](const std::string& what, double share) { terminal.progress(what, share); };
    if (data_.data->has_value() && pass_->reads_data())
      context.batches = calibration_batches(model, data_, shapes, seed, kCalibrationBytes);
    const std::string path = measure_.eval_data->value_or(data_.data->value_or(""));
    const MeasuredInputs inputs = path.empty()
                                      ? random_inputs(model, *measure_.inputs, shapes, seed)
                                      : inputs_of_data(model, data_, path, *measure_.eval_samples, shapes);
    const Yardstick yardstick(model, inputs.visit, inputs.data.get(), *measure_.metric);
    Trials trials(*pass_, model, context);
    const Reading whole = yardstick.read(trials.whole().model);
    const SensitivityOptions options{
        .alone = *measure_.what != "kept", .kept = *measure_.what != "alone", .progress = context.progress};
    std::vector<LayerSensitivity> layers = measure_sensitivity(trials, yardstick, options);
    sort_by_damage(layers, yardstick);
    const std::string plan =
        write_.file->has_value() ? plan_text(layers, trials, yardstick, terminal, input) : "";
    terminal.print(*json_  ? as_json(layers, whole, yardstick, inputs, input)
                   : *csv_ ? table(layers, yardstick).csv()
                           : as_text(layers, whole, yardstick, inputs));
    if (plan.empty()) return;
    write_text(**write_.file, plan);
    terminal.say("written: " + **write_.file);
  }

 private:
  static constexpr std::uint64_t kCalibrationBytes = std::uint64_t{1} << 30U;

  struct MeasureOptions : Options {
    Option<MaybeText> eval_data{*this, "eval-data", std::nullopt, "data to measure on (default: --data)"};
    Option<std::int64_t> eval_samples{*this, "eval-samples", 256,
                                      "use at most so many of its samples; 0: all", Range::at_least(0)};
    Option<Texts> metric{
        *this, "metric", {}, "also measure on that data; may be repeated, layers are sorted by the first"};
    Option<std::int64_t> inputs{*this, "inputs", 4, "how many random inputs, without data",
                                Range{.low = 1, .high = 1000000}};
    Option<std::string> what{*this, "measure", "both",
                             "each layer alone, each kept in float while all others are not, or both",
                             Choices{{"alone", "kept", "both"}}};
    MeasureOptions() { eval_data.path(); }
  };

  struct WriteOptions : Options {
    Option<MaybeText> file{
        *this, "write", std::nullopt,
        "write a file for 'quantize --config': which layers stay in float, or with how many "
        "bits each, under one of the bounds below"};
    Option<std::string> plan{
        *this, "plan", "exclude",
        "for --write: layers that stay in float, or for weights alone the fewest of 8, 4 and 2 "
        "bits for each",
        Choices{{"exclude", "bits"}}};
    Option<std::optional<std::int64_t>> keep{*this, "keep", std::nullopt,
                                             "for --write: keep so many, the most sensitive ones",
                                             Range::at_least(1)};
    Option<std::optional<double>> max_drop{*this, "max-drop", std::nullopt,
                                           "for --write: the first metric may get worse by so much",
                                           Range::at_least(0)};
    Option<std::optional<double>> min_snr{*this, "min-snr", std::nullopt,
                                          "for --write: dB that outputs must be within"};
    Option<bool> force{*this, "force", false, "replace an existing file that this program did not write"};
    WriteOptions() { file.path(); }
  };

  /// The file's text. Throws Error::gate where the bound cannot be held.
  std::string plan_text(const std::vector<LayerSensitivity>& layers, Trials& trials,
                        const Yardstick& yardstick, Terminal& terminal, const Input& input) const {
    const auto progress = [&](const std::string& what, double share) { terminal.progress(what, share); };
    const auto holds = [&](const Model& m) {
      const Reading r = yardstick.read(m);
      if (*write_.min_snr && r.snr_db() < **write_.min_snr) return false;
      return !*write_.max_drop || yardstick.drop(r) <= **write_.max_drop;
    };
    std::string text = fmt::format("# compressor {}: sensitivity of {}\n", version(), input.info.path);
    for (const OptionBase* option : pass_->options()) {
      if (option->is_set() && !(option->name() == "bits" && *write_.plan == "bits"))
        text += fmt::format("{}: {}\n", option->name(), Json(option->text()).dump());
    }
    if (*write_.plan == "bits") {
      if (!pass_->find_option("mode")->is_set()) text += "mode: weight-only\n";
      const auto plan = plan_bits(trials, yardstick, {"8", "4", "2"}, holds, progress);
      if (!plan)
        throw Error::gate("--write: the bound does not hold with 8 bits everywhere; nothing was written");
      text += "layers:\n";
      for (const auto& [layer, bits] : plan->bits)
        text += fmt::format("  {}: {{bits: {}}}\n", Json(layer.pattern).dump(), bits);
      return text;
    }
    std::vector<std::string> kept;
    std::map<std::string, std::string> patterns;
    std::vector<std::string> order;
    for (const LayerSensitivity& s : layers) {
      order.push_back(s.layer.node);
      patterns[s.layer.node] = s.layer.pattern;
    }
    if (*write_.keep) {
      const auto count = std::min(order.size(), static_cast<std::size_t>(**write_.keep));
      kept.assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count));
    } else {
      const auto held = hold_gate(trials, order, holds, progress);
      if (!held)
        throw Error::gate("--write: the bound does not hold with one layer quantized; nothing was written");
      kept = held->kept;
    }
    text += kept.empty() ? "exclude: []\n" : "exclude:\n";
    for (const std::string& node : kept) text += fmt::format("  - {}\n", Json(patterns[node]).dump());
    return text;
  }

  void check_write() const {
    const int bounds =
        int{write_.keep->has_value()} + int{write_.max_drop->has_value()} + int{write_.min_snr->has_value()};
    if (!write_.file->has_value()) {
      for (const OptionBase* option : write_.options()) {
        if (option->is_set()) throw Error::usage("--{} needs --write", option->name());
      }
      return;
    }
    if (bounds == 0) throw Error::usage("--write needs a bound: --keep, --max-drop or --min-snr");
    if (write_.keep->has_value() && (bounds > 1 || *write_.plan == "bits"))
      throw Error::usage("--keep does not go with {}",
                         *write_.plan == "bits" ? "--plan bits" : "--max-drop or --min-snr");
    if (write_.max_drop->has_value() && measure_.metric->empty())
      throw Error::usage("--max-drop needs --metric: what may get worse");
    const auto mode = pass_->find_option("mode")->text();
    const bool static_data =
        mode == "auto" && (data_.data->has_value() || pass_->find_option("ranges")->is_set());
    if (*write_.plan == "bits" && mode != "weight-only" && (mode != "auto" || static_data))
      throw Error::usage("--plan bits is about weights: give --mode weight-only");
    if (*write_.plan == "bits" &&
        (pass_->find_option("bits")->is_set() || pass_->find_option("type")->is_set()))
      throw Error::usage("--plan bits chooses --bits and --type");
    check_different(*model_, **write_.file);
    check_text_output(**write_.file, *write_.force);
  }

  void read_options() {
    if (!*config_.config) return;
    Config config = read_config(**config_.config);
    apply_config(config, *this, {config_.config.name()});
    layers_ = std::move(config.layers);
  }

  void check() const {
    if (*json_ && *csv_) throw Error::usage("--json, --csv: expected one of them");
    for (const std::string& text : *measure_.metric) make_metric(text);  // a typo is told before any work
    const bool has_data = data_.data->has_value() || measure_.eval_data->has_value();
    if (!measure_.metric->empty() && !has_data)
      throw Error::usage("--metric needs data: --data or --eval-data");
    if (measure_.eval_samples.is_set() && !has_data)
      throw Error::usage("--eval-samples needs data: --data or --eval-data");
    if (measure_.inputs.is_set() && has_data)
      throw Error::usage("--inputs is about random inputs, and there is data");
    pass_->check();
    check_layers(layers_, *pass_);
    check_write();
    set_threads(static_cast<int>(*work_.threads));
  }

  Table table(const std::vector<LayerSensitivity>& layers, const Yardstick& yardstick) const {
    std::vector<Table::Column> columns{{"layer"}, {"op"}};
    const auto& metrics = yardstick.reference().metrics;
    const bool alone = *measure_.what != "kept", kept = *measure_.what != "alone";
    if (alone) columns.push_back({"alone SNR dB", true});
    for (const Measured& m : metrics) {
      if (alone) columns.push_back({"alone " + m.text, true});
    }
    if (kept) columns.push_back({"kept SNR dB", true});
    for (const Measured& m : metrics) {
      if (kept) columns.push_back({"kept " + m.text, true});
    }
    Table t(columns);
    const auto add = [&](std::vector<Table::Cell>& row, const std::optional<Reading>& r) {
      row.push_back(snr_cell(r));
      for (std::size_t i = 0; i < metrics.size(); ++i) {
        row.push_back(r ? Table::Cell(fmt::format("{:.4f}", r->metrics[i].value),
                                      fmt::format("{}", r->metrics[i].value))
                        : Table::Cell("-", ""));
      }
    };
    std::size_t shown = 0;
    for (const LayerSensitivity& s : layers) {
      if (!*csv_ && *top_ > 0 && shown++ == static_cast<std::size_t>(*top_)) break;
      std::vector<Table::Cell> row{s.layer.node, s.layer.op};
      if (alone) add(row, s.alone);
      if (kept) add(row, s.kept);
      t.add(std::move(row));
    }
    return t;
  }

  std::string as_text(const std::vector<LayerSensitivity>& layers, const Reading& whole,
                      const Yardstick& yardstick, const MeasuredInputs& inputs) const {
    std::string text =
        fmt::format("on: {}, {} {}\n", inputs.said, whole.samples, inputs.data ? "samples" : "inputs");
    text += fmt::format("all {} layers quantized: SNR {} dB", layers.size(), decibels(whole.snr_db()));
    for (std::size_t i = 0; i < whole.metrics.size(); ++i) {
      text += fmt::format(", {} {:.4f} (before {:.4f})", whole.metrics[i].text, whole.metrics[i].value,
                          yardstick.reference().metrics[i].value);
    }
    text += "\nmost sensitive first; alone: only this layer quantized, kept: all but this layer\n\n" +
            table(layers, yardstick).text();
    if (*top_ > 0 && layers.size() > static_cast<std::size_t>(*top_))
      text += fmt::format("and {} more layers\n", layers.size() - static_cast<std::size_t>(*top_));
    return text;
  }

  static Json reading_json(const Reading& r, const Yardstick& yardstick) {
    Json j;
    j["snr_db"] = std::isfinite(r.snr_db()) ? Json(r.snr_db()) : Json();
    j["equal"] = r.noise == 0;
    j["metrics"] = Json::array();
    for (std::size_t i = 0; i < r.metrics.size(); ++i) {
      j["metrics"].push_back({{"metric", r.metrics[i].text},
                              {"value", r.metrics[i].value},
                              {"drop", yardstick.drop(r, i)},
                              {"unit", r.metrics[i].info.unit}});
    }
    return j;
  }

  std::string as_json(const std::vector<LayerSensitivity>& layers, const Reading& whole,
                      const Yardstick& yardstick, const MeasuredInputs& inputs, const Input& input) const {
    Json j = json_head(name());
    j["input"] = input.info.path;
    j["pass"] = pass_->name();
    j["on"] = inputs.said;
    j["samples"] = whole.samples;
    j["before"] = Json::array();
    for (const Measured& m : yardstick.reference().metrics)
      j["before"].push_back({{"metric", m.text}, {"value", m.value}, {"unit", m.info.unit}});
    j["whole"] = reading_json(whole, yardstick);
    j["layers"] = Json::array();
    for (const LayerSensitivity& s : layers) {
      Json entry{{"node", s.layer.node}, {"op", s.layer.op}, {"pattern", s.layer.pattern}};
      entry["detail"] = s.layer.detail;
      if (s.alone) entry["alone"] = reading_json(*s.alone, yardstick);
      if (s.kept) entry["kept"] = reading_json(*s.kept, yardstick);
      j["layers"].push_back(std::move(entry));
    }
    return j.dump(2) + "\n";
  }

  Option<std::string> model_{*this, "model", "", "the ONNX file"};
  Option<std::int64_t> top_{*this, "top", 20, "show so many layers; 0: all", Range::at_least(0)};
  Option<bool> json_{*this, "json", false, "print JSON, all layers"};
  Option<bool> csv_{*this, "csv", false, "print CSV with exact numbers, all layers"};
  std::unique_ptr<Pass> pass_;
  ConfigOptions config_;
  LayerSettings layers_;
  SelectOptions select_;
  ShapeOptions shape_;
  WorkOptions work_;
  DataOptions data_;
  MeasureOptions measure_;
  WriteOptions write_;
};

}  // namespace

void register_sensitivity(CommandTable& table);
void register_sensitivity(CommandTable& table) {
  table.push_back(std::make_unique<Sensitivity>());
}

}  // namespace compressor::cli
