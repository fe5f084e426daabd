// render: a report for people, as text and as Markdown, and the difference of two.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "compressor/base/error.h"
#include "compressor/report/report.h"
#include "compressor/report/table.h"

namespace compressor {
namespace {

constexpr std::size_t kReasons = 8;  // shown on a terminal
constexpr std::size_t kWarnings = 8;

const std::map<std::string, std::string>& titles() {
  static const std::map<std::string, std::string> names{{"bytes", "size"},
                                                        {"params", "parameters"},
                                                        {"macs", "MACs"},
                                                        {"flops", "FLOPs"},
                                                        {"activation_bytes", "activation memory"}};
  return names;
}

std::string title(const std::string& name) {
  const auto found = titles().find(name);
  return found == titles().end() ? name : found->second;
}

bool is_bytes(const std::string& name) {
  return name.ends_with("bytes");
}

Table::Cell cell(const std::string& name, double value) {
  return is_bytes(name) ? Table::Cell::bytes(static_cast<std::uint64_t>(value)) : Table::Cell::count(value);
}

Table totals_table(const Report& r) {
  Table table({{""}, {"before", true}, {"after", true}, {"ratio", true}});
  for (const Total& t : r.totals) {
    table.add({title(t.name), cell(t.name, t.before), cell(t.name, t.after), ratio_text(t.before, t.after)});
  }
  return table;
}

std::string coverage_line(const Report::PassEntry& pass) {
  return fmt::format("{}: {} of {} eligible {}{}", pass.name, pass.done, pass.eligible, pass.unit,
                     pass.skipped ? fmt::format(", {} skipped", pass.skipped) : "");
}

// "98.70 % of MACs in integers, 99.00 % of the weights' bytes quantized"; "" when nothing is known.
std::string shares_line(const Report& r) {
  std::string text;
  for (const auto& [name, share] : r.shares) {
    const std::string what = name == "integer_macs"             ? "of MACs in integers"
                             : name == "quantized_weight_bytes" ? "of the weights' bytes quantized"
                                                                : name;
    text += fmt::format("{}{:.2f} % {}", text.empty() ? "" : ", ", 100 * share, what);
  }
  return text;
}

Table grids_table(const Report& r) {
  Table table({{"node"},
               {"role"},
               {"tensor"},
               {"type"},
               {"scales", true},
               {"low", true},
               {"high", true},
               {"scale", true},
               {"zero", true},
               {"SNR dB", true}});
  for (const Report::Layer& l : r.layers) {
    for (const GridRecord& g : l.grids) {
      const std::string scale = g.scale_min == g.scale_max
                                    ? fmt::format("{:.4g}", g.scale_min)
                                    : fmt::format("{:.4g} .. {:.4g}", g.scale_min, g.scale_max);
      table.add({l.node, g.role, g.tensor, g.type, std::to_string(g.scales), fmt::format("{:.4g}", g.low),
                 fmt::format("{:.4g}", g.high), scale, g.zero ? std::to_string(*g.zero) : "various",
                 g.snr_db ? std::isinf(*g.snr_db) ? "exact" : fmt::format("{:.1f}", *g.snr_db) : "-"});
    }
  }
  return table;
}

// Not smaller, although that was the point.
std::string verdict(const Report& r) {
  for (const Total& t : r.totals) {
    if (t.name != "bytes" || !r.output || t.after < t.before) continue;
    return t.after > t.before
               ? fmt::format("the output is not smaller: {} bytes more than the input", t.after - t.before)
               : std::string("the output is not smaller: it has as many bytes as the input");
  }
  return "";
}

std::vector<std::string> sentences(const Report& r) {
  std::vector<std::string> list;
  for (const Report::PassEntry& pass : r.passes)
    list.insert(list.end(), pass.notes.begin(), pass.notes.end());
  for (const auto& [name, value] : r.metrics) list.push_back(fmt::format("{}: {}", name, value));
  list.insert(list.end(), r.not_measured.begin(), r.not_measured.end());
  if (const std::string v = verdict(r); !v.empty()) list.push_back(v);
  return list;
}

std::string options_line(const Report::Settings& options) {
  std::string text;
  for (const auto& [name, value] : options)
    text += fmt::format("{}{}={}", text.empty() ? "" : " ", name, value);
  return text;
}

}  // namespace

std::string report_text(const Report& r) {
  std::string text = totals_table(r).text();
  if (r.totals.empty()) text.clear();
  for (const Report::PassEntry& pass : r.passes) text += coverage_line(pass) + "\n";
  if (const std::string shares = shares_line(r); !shares.empty()) text += shares + "\n";
  for (std::size_t i = 0; i < std::min(kReasons, r.reasons.size()); ++i) {
    text += fmt::format("  {:>5}  {}\n", r.reasons[i].count, r.reasons[i].why);
  }
  if (r.reasons.size() > kReasons)
    text += fmt::format("         and {} more reasons (see --report)\n", r.reasons.size() - kReasons);
  for (const std::string& sentence : sentences(r)) text += sentence + "\n";
  for (std::size_t i = 0; i < std::min(kWarnings, r.warnings.size()); ++i)
    text += "warning: " + r.warnings[i] + "\n";
  if (r.warnings.size() > kWarnings)
    text += fmt::format("and {} more warnings (see --report)\n", r.warnings.size() - kWarnings);
  text +=
      r.output ? fmt::format("output: {}\n", r.output->path) : std::string("output: nothing was written\n");
  return text;
}

std::string report_markdown(const Report& r) {
  std::string text = fmt::format("<!-- compressor {} -->\n# {}: {}\n\n", r.version, r.command, r.input.path);
  text += totals_table(r).markdown() + "\n";
  text += r.output ? fmt::format("Output: `{}`.\n", r.output->path) : std::string("Nothing was written.\n");
  for (const std::string& sentence : sentences(r)) text += "\n" + sentence + "\n";
  if (!r.passes.empty()) text += "\n## Coverage\n\n";
  for (const Report::PassEntry& pass : r.passes) {
    text +=
        fmt::format("- {} ({:.2f} s; `{}`)\n", coverage_line(pass), pass.seconds, options_line(pass.options));
  }
  if (const std::string shares = shares_line(r); !shares.empty()) text += "- " + shares + "\n";
  for (const Report::Reason& reason : r.reasons)
    text += fmt::format("  - {} x {}\n", reason.count, reason.why);
  if (!r.layers.empty()) {
    Table layers({{"node"}, {"operator"}, {"action"}, {"detail"}});
    for (const Report::Layer& l : r.layers) layers.add({l.node, l.op, l.action, l.detail});
    text += "\n## Layers\n\n" + layers.markdown();
  }
  const bool gridded =
      std::any_of(r.layers.begin(), r.layers.end(), [](const Report::Layer& l) { return !l.grids.empty(); });
  if (gridded) text += "\n## Grids\n\n" + grids_table(r).markdown();
  if (!r.warnings.empty()) text += "\n## Warnings\n\n";
  for (const std::string& warning : r.warnings) text += "- " + warning + "\n";
  text += fmt::format("\n## Made with\n\n- compressor {}, command `{}`, options `{}`, seed {}\n", r.version,
                      r.command, options_line(r.options), r.seed);
  text += fmt::format("- input: {} bytes, XXH3-128 `{}`\n", r.input.bytes, r.input.hash);
  if (r.output) text += fmt::format("- output: {} bytes, XXH3-128 `{}`\n", r.output->bytes, r.output->hash);
  std::string timing;
  for (const auto& [step, seconds] : r.timing)
    timing += fmt::format("{}{} {:.2f} s", timing.empty() ? "" : ", ", step, seconds);
  return text + fmt::format("- time: {}; memory: at most {}\n", timing, bytes_text(r.peak_rss));
}

std::string render_report(const Report& report, const std::string& extension) {
  if (extension == ".json") return report_json(report);
  if (extension == ".md") return report_markdown(report);
  throw Error::usage("report: found extension '{}', expected .json or .md", extension);
}

std::string report_diff(const Report& a, const Report& b) {
  Table table({{""}, {"input", true}, {"first", true}, {"second", true}, {"first/second", true}});
  for (const Total& t : a.totals) {
    const auto other =
        std::find_if(b.totals.begin(), b.totals.end(), [&](const Total& o) { return o.name == t.name; });
    if (other == b.totals.end()) continue;
    table.add({title(t.name), cell(t.name, t.before), cell(t.name, t.after), cell(t.name, other->after),
               ratio_text(t.after, other->after)});
  }
  std::string text =
      fmt::format("first:  {} {} ({})\nsecond: {} {} ({})\n\n", a.command, options_line(a.options),
                  a.input.path, b.command, options_line(b.options), b.input.path);
  text += table.text();
  if (a.input.hash != b.input.hash) text += "the inputs differ\n";
  const auto coverage = [](const Report& r) {
    return fmt::format("{} of {}, {} skipped", r.done(), r.eligible(), r.skipped());
  };
  if (coverage(a) != coverage(b)) text += fmt::format("coverage: {} against {}\n", coverage(a), coverage(b));
  return text;
}

}  // namespace compressor
