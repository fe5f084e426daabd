// convert: another storage of the same model.
#include "compressor/onnx/convert.h"

#include <fmt/format.h>

#include <limits>

#include "model_command.h"

namespace compressor::cli {
namespace {

class Convert : public ModelCommand {
 public:
  Convert() {
    add_output_sections();
    finish();
  }
  std::string name() const override { return "convert"; }
  std::string summary() const override { return "rewrite a model's storage and change nothing else"; }
  std::string epilog() const override {
    return "A file above 2 GB cannot be read by programs that use protobuf's own parser; unless "
           "--single-file is\n"
           "given, the weights of such a model go to a side file. No metadata is added.\n";
  }

 protected:
  void check() const override {
    if (*external_data_ && *single_file_)
      throw Error::usage("--external-data, --single-file: expected one of them");
  }
  void change(Model& model, Report& report, Terminal&) override {
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
  std::optional<std::string> marks() const override { return std::nullopt; }

 private:
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
