// report: what a command did to a model: before, after, and everything that was passed over.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compressor/analysis/profile.h"
#include "compressor/pass/pass.h"

namespace compressor {

/// One total before and after.
struct Total {
  std::string name;  ///< "bytes", "params", "macs", "flops", "activation_bytes"
  double before = 0, after = 0;
  /// Before over after.
  double ratio() const { return after > 0 ? before / after : 0; }
};

/// A file that was read or written.
struct ReportFile {
  std::string path;
  std::uint64_t bytes = 0;  ///< side files included
  std::string hash;         ///< XXH3-128, side files included; "" when it was not taken
};

struct Report {
  using Settings = std::vector<std::pair<std::string, std::string>>;
  struct Layer {
    std::string pass, node, op, action, detail;
    std::vector<GridRecord> grids = {};
  };
  struct PassEntry {
    std::string name, unit;
    std::int64_t eligible = 0, done = 0, skipped = 0;
    bool changed = false;
    double seconds = 0;
    Settings options;
    std::vector<std::string> notes, explanation;
  };
  struct Reason {
    std::string why;
    std::int64_t count = 0;
  };

  std::string version;  ///< of this program
  std::string command;
  Settings options;  ///< as they were in force
  std::uint64_t seed = 0;
  ReportFile input;
  std::optional<ReportFile> output;  ///< nothing when nothing was written
  std::vector<Total> totals;
  std::vector<Layer> layers;
  std::vector<PassEntry> passes;
  std::vector<std::pair<std::string, double>> shares;  ///< of the last pass that said any, see PassResult
  std::vector<Reason> reasons;                         ///< of skips, most frequent first
  std::vector<Removed> removed;
  std::vector<std::pair<std::string, double>> metrics;
  std::vector<std::string> not_measured;               ///< plain sentences
  std::vector<std::pair<std::string, double>> timing;  ///< seconds by step
  std::uint64_t peak_rss = 0;                          ///< bytes
  std::vector<std::string> warnings;

  /// Takes over what a pass said of its work.
  void add(const PassResult& result);
  /// Totals of two profiles and of the bytes stored.
  void set_totals(const ProfileTotals& before, const ProfileTotals& after, std::uint64_t bytes_before,
                  std::uint64_t bytes_after);
  std::int64_t eligible() const;
  std::int64_t done() const;
  std::int64_t skipped() const;
};

/// Most memory this process has had resident, in bytes.
std::uint64_t peak_rss();

std::string report_json(const Report& report);
/// For a terminal: the table, coverage, what was not measured, where the output is.
std::string report_text(const Report& report);
std::string report_markdown(const Report& report);
/// By the extension: .json or .md. Throws Error::usage for another.
std::string render_report(const Report& report, const std::string& extension);

/// A report as report_json wrote it. Throws Error::io, naming `origin`, for anything else.
Report parse_report(const std::string& text, const std::string& origin);
/// What differs between two reports: totals after, options, coverage.
std::string report_diff(const Report& a, const Report& b);

}  // namespace compressor
