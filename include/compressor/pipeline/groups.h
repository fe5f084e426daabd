// groups: the options that commands share, each declared once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compressor/base/option.h"
#include "compressor/ops/facts.h"
#include "compressor/pass/node_filter.h"

namespace compressor {

using Text = std::string;
using Texts = std::vector<std::string>;
using MaybeText = std::optional<std::string>;

/// Where results go and what may be replaced.
struct OutputOptions : Options {
  Option<MaybeText> output{*this, "output", std::nullopt,
                           "file to write (default: <stem>.<command>.onnx beside the input)"};
  Option<bool> force{*this, "force", false, "replace an existing output that this program did not write"};
  Option<bool> dry_run{*this, "dry-run", false, "do everything but write"};
  OutputOptions() {
    output.letter('o').path().no_effect();
    force.no_effect();
    dry_run.no_effect();
  }
};

/// What a command that changes a model says of it.
struct ReportOptions : Options {
  Option<Texts> report{
      *this, "report", {}, "also write the report to this file, .json or .md; may be repeated"};
  Option<bool> strict{*this, "strict", false,
                      "fail when anything eligible was skipped (exit 5, nothing is written)"};
  ReportOptions() {
    report.path().no_effect();
    strict.no_effect();
  }
};

/// Which nodes are meant.
struct SelectOptions : Options {
  Option<Texts> include{
      *this,
      "include",
      {},
      "only nodes whose name matches: a regular expression, op:TYPE or @file; may be repeated"};
  Option<Texts> exclude{*this, "exclude", {}, "no nodes whose name matches; as --include"};
  NodeFilter filter() const { return {*include, *exclude}; }
};

/// Options from a file.
struct ConfigOptions : Options {
  Option<MaybeText> config{
      *this, "config", std::nullopt,
      "YAML or JSON file of options by name, with 'layers: {pattern: {option: value}}' for "
      "single layers; flags go before it"};
  ConfigOptions() { config.path().no_effect(); }
};

/// Shapes for inputs that leave them open.
struct ShapeOptions : Options {
  Option<Texts> input_shape{
      *this,
      "input-shape",
      {},
      "shape of an input, name:1x3x224x224, or 1x3x224x224 for the only input; may be repeated"};
  /// Throws Error::usage for a malformed shape, an input that is not there or a name that is needed.
  std::map<std::string, std::vector<std::int64_t>> shapes(const Model& model) const;
};

/// How the work is done.
struct WorkOptions : Options {
  Option<std::int64_t> seed{*this, "seed", 0, "seed of all random numbers", Range::at_least(0)};
  Option<std::int64_t> threads{*this, "threads", 0, "threads to use; 0: one per processor",
                               Range{.low = 0, .high = 4096}};
  WorkOptions() { threads.letter('j').no_effect(); }
};

/// Gates that run the model before and after: what must hold of the result for it to be written.
struct GateOptions : Options {
  Option<MaybeText> eval_data{*this, "eval-data", std::nullopt,
                              "data for --metric and --max-drop (default: --data)"};
  Option<std::int64_t> eval_samples{*this, "eval-samples", 0, "use at most so many of its samples; 0: all",
                                    Range::at_least(0)};
  Option<Texts> metric{
      *this,
      "metric",
      {},
      "measure before and after on that data; may be repeated, --max-drop is about the first "
      "(default: what fits the data)"};
  Option<std::optional<double>> max_drop{
      *this, "max-drop", std::nullopt,
      "write nothing that has the metric worse by more than this, in its own unit", Range::at_least(0)};
  Option<std::optional<std::int64_t>> verify{
      *this, "verify", std::nullopt,
      "compare outputs before and after on so many inputs: of --data where given, else seeded random ones",
      Range::at_least(1)};
  Option<std::optional<double>> min_snr{*this, "min-snr", std::nullopt,
                                        "write nothing when --verify finds less than so many dB"};
  GateOptions() {
    eval_data.path().no_effect();
    eval_samples.no_effect();
    metric.no_effect();
    max_drop.no_effect();
    verify.no_effect();
    min_snr.no_effect();
  }
  /// Throws Error::usage for options that need another one.
  void check(bool has_data) const;
  /// A result may fail.
  bool bounds() const { return max_drop->has_value() || min_snr->has_value(); }
  /// Something is to be measured.
  bool any() const { return eval_data->has_value() || !metric->empty() || *max_drop || *verify; }
};

/// What becomes of a bound that does not hold, for passes whose layers can be left out one by one.
struct HoldOptions : Options {
  Option<bool> keep_sensitive{*this, "keep-sensitive", true,
                              "where --max-drop or --min-snr does not hold, leave the fewest, most sensitive "
                              "layers as they are until it does"};
  HoldOptions() { keep_sensitive.no_effect(); }
};

InferOptions infer_options(const std::map<std::string, std::vector<std::int64_t>>& shapes);

}  // namespace compressor
