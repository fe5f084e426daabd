// report: shows a saved report, or what differs between two.
#include "compressor/report/report.h"

#include <fstream>
#include <sstream>

#include "command.h"
#include "files.h"

namespace compressor::cli {
namespace {

Report read_report(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) throw Error::io("{}: cannot read", path);
  return parse_report(text.str(), path);
}

class ReportCommand : public Command {
 public:
  ReportCommand() {
    reports_.positional().path();
    output_.letter('o').path();
    finish();
  }
  std::string name() const override { return "report"; }
  std::string summary() const override { return "show a saved JSON report, or compare two of them"; }
  std::string heading() const override { return "Look"; }

  void run(Terminal& terminal) override {
    const std::size_t n = reports_->size();
    if (n < 1 || n > 2)
      throw Error::usage("report: found {} files, expected one report or two to compare", n);
    if (n == 2 && (*json_ || *markdown_ || output_->has_value())) {
      throw Error::usage("report: a comparison is text; --json, --markdown and --output are for one report");
    }
    if (*json_ && *markdown_) throw Error::usage("--json, --markdown: expected one of them");
    if (output_->has_value()) {
      check_different(reports_->front(), **output_);
      check_text_output(**output_, *force_);
    }
    const Report first = read_report(reports_->front());
    if (n == 2) return terminal.print(report_diff(first, read_report(reports_->back())));
    if (output_->has_value()) {
      write_text(**output_, render_report(first, extension_of(**output_)));
      return terminal.say("written: " + **output_);
    }
    terminal.print(*json_ ? report_json(first) : *markdown_ ? report_markdown(first) : report_text(first));
  }

 private:
  Option<std::vector<std::string>> reports_{*this, "report", {}, "one JSON report, or two to compare"};
  Option<bool> json_{*this, "json", false, "print JSON"};
  Option<bool> markdown_{*this, "markdown", false, "print Markdown"};
  Option<std::optional<std::string>> output_{*this, "output", std::nullopt,
                                             "write to this file instead: .json or .md"};
  Option<bool> force_{*this, "force", false, "replace an existing file that this program did not write"};
};

}  // namespace

void register_report(CommandTable& table);
void register_report(CommandTable& table) {
  table.push_back(std::make_unique<ReportCommand>());
}

}  // namespace compressor::cli
