// convert: another storage of the same model, or the same model in narrower floats.
#include "compressor/onnx/convert.h"

#include <fmt/format.h>

#include <limits>

#include "compressor/base/threads.h"
#include "compressor/passes/narrow.h"
#include "compressor/pipeline/run.h"
#include "gates.h"
#include "model_command.h"

namespace compressor::cli {
namespace {

class Convert : public ModelCommand {
 public:
  Convert() {
    add_output_sections();
    section("Selection", select_);
    section("Work", work_);
    data_.data.no_effect();
    section("Data", data_);
    section("Gates", gates_);
    finish();
  }
  std::string name() const override { return "convert"; }
  std::string summary() const override {
    return "rewrite a model's storage, or put float32 into narrower floats";
  }
  std::string epilog() const override {
    return "A file above 2 GB cannot be read by programs that use protobuf's own parser; unless "
           "--single-file is\n"
           "given, the weights of such a model go to a side file. Metadata is added only with --to.\n";
  }

 protected:
  void check() const override {
    if (*external_data_ && *single_file_)
      throw Error::usage("--external-data, --single-file: expected one of them");
    const bool selects = select_.include.is_set() || select_.exclude.is_set();
    const bool measures = data_.data->has_value() || gates_.any();
    if (!to_.is_set() && *keep_io_types_) throw Error::usage("--keep-io-types needs --to fp16");
    if (!to_.is_set() && selects) throw Error::usage("--include and --exclude need --to");
    if (!to_.is_set() && measures) throw Error::usage("--data and the gates need --to");
    if (to_.is_set() && *to_ != "fp16" && *keep_io_types_)
      throw Error::usage(
          "--keep-io-types does not go with --to {}: only weights change, inputs and outputs "
          "stay float32",
          **to_);
    if (to_.is_set() && *to_ != "fp16" && data_.data->has_value() && !gates_.any())
      throw Error::usage("--data: --to {} measures nothing on data; --metric, --max-drop and --verify do",
                         **to_);
    gates_.check(data_.data->has_value());
    select_.filter();
    set_threads(static_cast<int>(*work_.threads));
  }
  void change(Model& model, Report& report, Terminal& terminal) override {
    if (to_.is_set()) narrow(model, report, terminal);
    if (!*constants_) return;
    PassResult result;
    result.pass = constants_.name();
    result.unit = "Constant nodes";
    result.done = static_cast<std::int64_t>(constants_to_initializers(model));
    result.eligible = result.done;
    result.changed = result.done > 0;
    report.add(result);
  }
  SaveOptions storage(const LoadInfo&) const override {
    SaveOptions options{.external = *external_data_, .strip_docs = *strip_docs_};
    if (*single_file_) options.single_file_limit = std::numeric_limits<std::uint64_t>::max();
    return options;
  }
  std::optional<std::string> marks() const override {
    if (!to_.is_set()) return std::nullopt;
    return options_mark(*this);
  }
  std::vector<std::string> not_measured() const override {
    if (!to_.is_set() || measured_) return {};
    return {"accuracy was not measured: evaluate the output on your own data before you use it"};
  }

 private:
  void narrow(Model& model, Report& report, Terminal& terminal) {
    PassContext context;
    context.seed = static_cast<std::uint64_t>(*work_.seed);
    const bool calibrates = *to_ == "fp16" && data_.data->has_value();
    Model before;
    if (calibrates || gates_.any()) before = model.clone();
    if (calibrates) context.batches = calibration_batches(before, data_, context.input_shapes, context.seed);
    context.filter = select_.filter();
    context.filter.check_against(model);
    if (*to_ == "fp16") {
      narrow_to_half(model, {.keep_io_types = *keep_io_types_}, context);
    } else {
      store_narrow(model, *to_ == "bf16" ? DType::kBFloat16 : DType::kFloat8E4M3FN, context);
    }
    context.result.pass = to_.name();
    report.add(context.result);
    measured_ = gates_.any();
    if (measured_)
      check_gates({.before = before,
                   .data = data_,
                   .gates = gates_,
                   .shapes = context.input_shapes,
                   .seed = context.seed,
                   .same = false,
                   .calibrated = calibrates},
                  model, report, terminal);
  }

  SelectOptions select_;
  WorkOptions work_;
  DataOptions data_;
  GateOptions gates_;
  bool measured_ = false;
  Option<std::optional<std::string>> to_{*this, "to", std::nullopt,
                                         "fp16: compute in float16, but for what exceeds it (on --data, "
                                         "where given); bf16, fp8: store weights so",
                                         Choices{{"fp16", "bf16", "fp8"}}};
  Option<bool> keep_io_types_{*this, "keep-io-types", false,
                              "with --to fp16: inputs and outputs stay float32"};
  Option<bool> external_data_{*this, "external-data", false,
                              "put weights into one side file next to the output"};
  Option<bool> single_file_{*this, "single-file", false, "one file, however large"};
  Option<bool> strip_docs_{*this, "strip-docs", false, "leave out all doc strings"};
  Option<bool> constants_{*this, "constants-to-initializers", false, "turn Constant nodes into initializers"};
};

}  // namespace

void register_convert(CommandTable& table);
void register_convert(CommandTable& table) {
  table.push_back(std::make_unique<Convert>());
}

}  // namespace compressor::cli
