// pass_command: every pass of the registry is a command with the shared options.
#include <fmt/format.h>

#include <algorithm>

#include "compressor/base/error.h"
#include "compressor/base/threads.h"
#include "compressor/pipeline/config.h"
#include "compressor/pipeline/hold.h"
#include "compressor/pipeline/registry.h"
#include "compressor/pipeline/run.h"
#include "compressor/pipeline/sensitivity.h"
#include "gates.h"
#include "model_command.h"

namespace compressor::cli {
namespace {

class PassCommand : public ModelCommand {
 public:
  explicit PassCommand(std::unique_ptr<Pass> pass) : pass_(std::move(pass)) {
    include(*pass_);
    add_output_sections();
    include(config_);
    section("Selection", select_);
    section("Shapes", shape_);
    section("Work", work_);
    data_.data.no_effect();
    section("Data", data_);
    if (by_layer()) gates_.include(hold_);
    section("Gates", gates_);
    finish();
  }
  std::string name() const override { return pass_->name(); }
  std::string summary() const override { return pass_->summary(); }

 protected:
  void check() const override {
    gates_.check(data_.data->has_value());
    data_.check(data_.data->has_value() || gates_.eval_data->has_value());
    pass_->check();
    select_.filter();
    check_layers(layers_, *pass_);
    set_threads(static_cast<int>(*work_.threads));
  }
  void read_options() override {
    if (!*config_.config) return;
    Config config = read_config(**config_.config);
    apply_config(config, *this, {config_.config.name()});
    layers_ = std::move(config.layers);
  }
  bool writes() const override { return !pass_->explains(); }
  std::map<std::string, std::vector<std::int64_t>> shapes(const Model& model) const override {
    return shape_.shapes(model);
  }

  void change(Model& model, Report& report, Terminal& terminal) override {
    PassContext context;
    context.seed = static_cast<std::uint64_t>(*work_.seed);
    choose_layers(context, select_.filter(), layers_, model);
    context.input_shapes = shape_.shapes(model);
    context.progress = [&](const std::string& what, double share) { terminal.progress(what, share); };
    const bool has_data = data_.data->has_value();
    const bool calibrates = has_data && pass_->reads_data();
    if (has_data && !calibrates && !gates_.any()) {
      throw Error::usage("--data: {} measures nothing on data; --metric, --max-drop and --verify do", name());
    }
    Model before;
    if (calibrates || gates_.any()) before = model.clone();
    const bool may_hold = by_layer() && *hold_.keep_sensitive && gates_.bounds();
    if (calibrates) context.batches = calibration_batches(before, data_, context.input_shapes, context.seed);
    if (may_hold) context.findings = std::make_shared<std::map<std::string, std::any>>();
    PassResult result = run_pass(*pass_, model, context);
    measured_ = gates_.any();
    if (!measured_) return report.add(result);
    Gates gates({.before = before,
                 .data = data_,
                 .gates = gates_,
                 .shapes = context.input_shapes,
                 .seed = context.seed,
                 .same = pass_->keeps_outputs(),
                 .calibrated = calibrates},
                terminal);
    Gates::Verdict verdict = gates.judge(model);
    if (!verdict.broken.empty() && may_hold) hold(before, context, gates, model, result, verdict);
    report.add(result);
    report.metrics.insert(report.metrics.end(), verdict.metrics.begin(), verdict.metrics.end());
    report.warnings.insert(report.warnings.end(), verdict.warnings.begin(), verdict.warnings.end());
    if (!verdict.broken.empty()) throw Error::gate("{}", verdict.broken);
  }

  /// Replaces the model, what is said of it and the verdict, where layers that are left as they are help.
  void hold(const Model& before, const PassContext& context, Gates& gates, Model& model, PassResult& result,
            Gates::Verdict& verdict) {
    Trials trials(*pass_, before, context);
    const MeasuredInputs inputs = gates.few_inputs();
    const Yardstick yardstick(before, inputs.visit, inputs.data.get(), {});
    const SensitivityOptions alone{.alone = true, .kept = false, .progress = context.progress};
    std::vector<LayerSensitivity> layers = measure_sensitivity(trials, yardstick, alone);
    sort_by_damage(layers, yardstick);
    std::vector<std::string> order;
    for (const LayerSensitivity& s : layers) order.push_back(s.layer.node);
    Gates::Verdict last;
    Gates::Verdict good;
    const auto holds = [&](const Model& m) {
      last = gates.judge(m);
      if (last.broken.empty()) good = last;
      return last.broken.empty();
    };
    std::optional<Held> held = hold_gate(trials, order, holds, context.progress);
    if (!held) {
      verdict.broken += fmt::format("; no choice of the {} most sensitive layers left as they are helps",
                                    order.size() - std::min<std::size_t>(1, order.size()));
      return;
    }
    kept_ = held->kept;
    model = std::move(held->trial.model);
    result = std::move(held->trial.result);
    result.notes.push_back(
        fmt::format("{} of {} layers stay as they were, for this did not hold with all: {}", kept_.size(),
                    order.size(), verdict.broken));
    for (const LayerSensitivity& s : layers) tell_kept(s, result);
    verdict = std::move(good);
  }

  void tell_kept(const LayerSensitivity& s, PassResult& result) const {
    if (std::find(kept_.begin(), kept_.end(), s.layer.node) == kept_.end()) return;
    const std::string why = "is kept as it was, so that the bound holds";
    result.notes.push_back(fmt::format("'{}' {} (it alone leaves the outputs within {:.1f} dB)", s.layer.node,
                                       why, s.alone ? s.alone->snr_db() : 0.0));
    for (LayerRecord& record : result.layers) {
      if (record.node == s.layer.node && record.action == "skipped") record.detail = why;
    }
  }

  bool by_layer() const { return !pass_->layer_action().empty(); }

  std::string late_marks() const override {
    return kept_.empty() ? "" : fmt::format(" kept={}", fmt::join(kept_, ","));
  }

  std::optional<std::string> marks() const override {
    const std::string text = options_mark(*this);
    return layers_.empty() ? text : fmt::format("{} layers={}", text, layers_.text());
  }

  std::vector<std::string> not_measured() const override {
    if (measured_) return {"speed was not measured"};
    if (pass_->keeps_outputs()) {
      return {"outputs before and after were not compared (--verify does), speed was not measured"};
    }
    return {
        "accuracy was not measured: give --eval-data, or evaluate the output on your own data before you use "
        "it",
        "speed was not measured"};
  }

 private:
  std::unique_ptr<Pass> pass_;
  ConfigOptions config_;
  LayerSettings layers_;
  SelectOptions select_;
  ShapeOptions shape_;
  WorkOptions work_;
  DataOptions data_;
  GateOptions gates_;
  HoldOptions hold_;
  std::vector<std::string> kept_;  ///< layers that a bound left as they were
  bool measured_ = false;
};

}  // namespace

void add_pass_commands(CommandTable& table) {
  for (auto& pass : all_passes()) table.push_back(std::make_unique<PassCommand>(std::move(pass)));
}

}  // namespace compressor::cli
