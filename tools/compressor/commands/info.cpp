// info: what a model is.
#include "command.h"
#include "compressor/analysis/summary.h"
#include "compressor/report/model.h"
#include "files.h"

namespace compressor::cli {
namespace {

class Info : public Command {
 public:
  Info() {
    model_.positional().path();
    finish();
  }
  std::string name() const override { return "info"; }
  std::string summary() const override { return "show what a model is: interface, operators, weights, size"; }
  std::string heading() const override { return "Look"; }

  void run(Terminal& terminal) override {
    const Input input = open_model(*model_);
    ModelSummary summary = summarize(input.model);
    summary.warnings.insert(summary.warnings.end(), input.info.warnings.begin(), input.info.warnings.end());
    const StoredFiles files = stored_files(input.info);
    terminal.print(*json_ ? summary_json(summary, files) : summary_text(summary, files));
  }

 private:
  Option<std::string> model_{*this, "model", "", "the ONNX file"};
  Option<bool> json_{*this, "json", false, "print JSON"};
};

}  // namespace

void register_info(CommandTable& table);
void register_info(CommandTable& table) {
  table.push_back(std::make_unique<Info>());
}

}  // namespace compressor::cli
