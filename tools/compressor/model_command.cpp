// model_command: check, load, measure, change, measure, write, tell.
#include "model_command.h"

#include <fmt/format.h>

#include <future>

#include "compressor/base/error.h"
#include "compressor/pipeline/run.h"

namespace compressor::cli {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void check_strict(const Report& report) {
  if (report.skipped() == 0) return;
  const std::string why =
      report.reasons.empty() ? "" : fmt::format("; most often because: {}", report.reasons.front().why);
  throw Error::target("--strict: {} of {} were skipped{}; nothing was written", report.skipped(),
                      report.eligible(), why);
}

}  // namespace

ModelCommand::ModelCommand() {
  model_.positional().path();
  json_.no_effect();
}

void ModelCommand::add_output_sections() {
  section("Output", output_);
  section("Report", report_);
}

SaveOptions ModelCommand::storage(const LoadInfo& input) const {
  SaveOptions options;
  options.external = !input.external.empty();
  return options;
}

// The output's path. All that is to be written is looked at before the work, not after it.
std::string ModelCommand::check_paths() const {
  std::string path = output_.output->value_or(default_output(*model_, name()));
  std::vector<std::string> taken{*model_};
  if (writes()) {
    check_different(*model_, path);
    if (!*output_.dry_run) check_model_output(path, *output_.force);
    taken.push_back(path);
  }
  for (const std::string& report : *report_.report) {
    if (const std::string extension = extension_of(report); extension != ".json" && extension != ".md") {
      throw Error::usage("--report: found '{}', expected a name that ends in .json or .md", report);
    }
    for (const std::string& other : taken) check_different(other, report);
    if (!*output_.dry_run) check_text_output(report, *output_.force);
    taken.push_back(report);
  }
  return path;
}

void ModelCommand::run(Terminal& terminal) {
  const auto start = Clock::now();
  read_options();
  check();
  Report report;
  report.version = version();
  report.command = name();
  report.options = options_in_force(*this);
  if (const OptionBase* seed = find_option("seed")) report.seed = std::stoull(seed->text());
  const std::optional<std::string> mark_text = writes() ? marks() : std::nullopt;

  Input input = open_model(*model_);
  const std::string path = check_paths();
  report.input = {.path = *model_, .bytes = input.info.total_bytes(), .hash = {}};
  report.warnings = input.info.warnings;
  std::future<std::string> hash = std::async(std::launch::async, [&] { return input.info.hash(); });
  const auto input_shapes = shapes(input.model);
  const Profile before = profile(input.model, infer_options(input_shapes));
  report.timing.emplace_back("load", seconds_since(start));

  const auto changing = Clock::now();
  change(input.model, report, terminal);
  report.timing.emplace_back("change", seconds_since(changing));
  if (!writes()) {
    report.input.hash = hash.get();
    return show(report, terminal);
  }
  if (*report_.strict) check_strict(report);
  const Profile after = profile(input.model, infer_options(input_shapes));
  report.not_measured = not_measured();
  report.input.hash = hash.get();
  if (mark_text) mark(input.model, name(), *mark_text + late_marks(), report.input.hash);

  const auto writing = Clock::now();
  if (*output_.dry_run) {
    report.set_totals(before.totals, after.totals, report.input.bytes, saved_bytes(input.model));
  } else {
    write(input, path, report, terminal);
    report.set_totals(before.totals, after.totals, report.input.bytes, report.output->bytes);
  }
  report.timing.emplace_back("write", seconds_since(writing));
  report.timing.emplace_back("total", seconds_since(start));
  report.peak_rss = peak_rss();
  show(report, terminal);
}

void ModelCommand::write(const Input& input, const std::string& path, Report& report,
                         Terminal& terminal) const {
  SaveOptions options = storage(input.info);
  options.hash = true;
  const SaveResult saved = save_model(input.model, path, options);
  report.output = ReportFile{.path = path, .bytes = saved.total_bytes(), .hash = saved.hash};
  if (!saved.side_path.empty()) terminal.say("weights are in " + saved.side_path);
  for (const std::string& stale : saved.stale_side_files) {
    report.warnings.push_back(fmt::format("{}: is of an earlier output and not needed any more", stale));
  }
}

void ModelCommand::show(const Report& report, Terminal& terminal) const {
  if (!*output_.dry_run) {
    for (const std::string& path : *report_.report)
      write_text(path, render_report(report, extension_of(path)));
  }
  if (*json_) return terminal.print(report_json(report));
  std::string explanation;
  for (const Report::PassEntry& pass : report.passes) {
    for (const std::string& line : pass.explanation) explanation += line + "\n";
  }
  terminal.print(writes() ? report_text(report) : explanation);
}

}  // namespace compressor::cli
