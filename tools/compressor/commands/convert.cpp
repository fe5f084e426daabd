// convert: another storage of the same model, or the same model in narrower floats.
#include "compressor/onnx/convert.h"

#include <fmt/format.h>

#include <limits>

#include "compressor/passes/narrow.h"
#include "compressor/pipeline/run.h"
#include "model_command.h"

namespace compressor::cli {
namespace {

class Convert : public ModelCommand {
 public:
  Convert() {
    add_output_sections();
    section("Selection", select_);
    finish();
  }
  std::string name() const override { return "convert"; }
  std::string summary() const override { return "rewrite a model's storage, or turn float32 into float16"; }
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
    if (!to_.is_set() && (*keep_io_types_ || selects))
      throw Error::usage("--{} needs --to fp16", *keep_io_types_ ? "keep-io-types" : "include and --exclude");
    select_.filter();
  }
  void change(Model& model, Report& report, Terminal&) override {
    if (to_.is_set()) narrow(model, report);
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
    if (!to_.is_set()) return {};
    return {"accuracy was not measured: evaluate the output on your own data before you use it"};
  }

 private:
  void narrow(Model& model, Report& report) {
    PassContext context;
    context.filter = select_.filter();
    context.filter.check_against(model);
    narrow_to_half(model, {.keep_io_types = *keep_io_types_}, context);
    context.result.pass = to_.name();
    report.add(context.result);
  }

  SelectOptions select_;
  Option<std::optional<std::string>> to_{*this, "to", std::nullopt, "turn float32 into this type",
                                         Choices{{"fp16"}}};
  Option<bool> keep_io_types_{*this, "keep-io-types", false, "with --to: inputs and outputs stay float32"};
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
