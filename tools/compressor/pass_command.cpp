// pass_command: every pass of the registry is a command with the shared options.
#include <fmt/format.h>

#include "compressor/base/threads.h"
#include "compressor/pipeline/config.h"
#include "compressor/pipeline/registry.h"
#include "compressor/pipeline/run.h"
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
    if (calibrates) context.batches = calibration_batches(before, data_, context.seed);
    report.add(run_pass(*pass_, model, context));
    measured_ = gates_.any();
    if (measured_) {
      check_gates(before, model, data_, gates_, context.input_shapes, context.seed, pass_->keeps_outputs(),
                  calibrates, report, terminal);
    }
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
  bool measured_ = false;
};

}  // namespace

void add_pass_commands(CommandTable& table) {
  for (auto& pass : all_passes()) table.push_back(std::make_unique<PassCommand>(std::move(pass)));
}

}  // namespace compressor::cli
