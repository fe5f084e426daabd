// model_command: what commands that turn one model into another have in common.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "command.h"
#include "compressor/onnx/save.h"
#include "compressor/pipeline/groups.h"
#include "compressor/report/report.h"
#include "files.h"

namespace compressor::cli {

/// Checks names and permissions before any work, loads, measures, lets the command change the model, measures
/// again, writes the output and the reports, and prints.
class ModelCommand : public Command {
 public:
  std::string heading() const override { return "Change"; }
  void run(Terminal& terminal) final;

 protected:
  ModelCommand();

  /// Reads options from a file, before anything else.
  virtual void read_options() {}
  /// Throws Error::usage for options that do not go together, before anything is opened.
  virtual void check() const {}
  /// False when this run only explains.
  virtual bool writes() const { return true; }
  /// Shapes for the profile, and for whoever else infers.
  virtual std::map<std::string, std::vector<std::int64_t>> shapes(const Model&) const { return {}; }
  /// Changes the model and says so in the report.
  virtual void change(Model& model, Report& report, Terminal& terminal) = 0;
  virtual SaveOptions storage(const LoadInfo& input) const;
  /// What metadata says of the options; nullopt for commands that leave no mark.
  virtual std::optional<std::string> marks() const = 0;
  /// What is added to the marks once the change was made.
  virtual std::string late_marks() const { return ""; }
  virtual std::vector<std::string> not_measured() const { return {}; }
  /// Where results go, in the help after the command's own options.
  void add_output_sections();

 private:
  using Clock = std::chrono::steady_clock;
  std::string check_paths() const;
  void write(const Input& input, const std::string& path, Report& report, Terminal& terminal) const;
  void show(const Report& report, Terminal& terminal) const;

  Option<std::string> model_{*this, "model", "", "the ONNX file"};
  Option<bool> json_{*this, "json", false, "print the report as JSON and nothing else"};

 protected:
  OutputOptions output_;
  ReportOptions report_;
};

}  // namespace compressor::cli
