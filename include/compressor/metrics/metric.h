// metric: a number that says how well a model does, gathered batch by batch.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compressor/base/option.h"
#include "compressor/data/loader.h"
#include "compressor/tensor/tensor.h"

namespace compressor {

/// A model's outputs by name, in the order of its graph.
using Outputs = std::vector<std::pair<std::string, Tensor>>;

/// What outputs are held against.
struct Targets {
  std::span<const BatchItem> items = {};  ///< what is true of each sample; may be empty beside `reference`
  /// Rows of the run's batch axis where that was filled up past the items (LoaderOptions::fill_last); 0: as
  /// many as items. Rows past the items are not looked at.
  std::int64_t rows = 0;
  /// The outputs of another model on the same inputs, for snr, cosine and max_abs.
  const Outputs* reference = nullptr;

  std::int64_t batch_rows() const { return rows > 0 ? rows : static_cast<std::int64_t>(items.size()); }
};

/// What a metric must know of the data set as a whole.
struct MetricContext {
  std::vector<std::string> classes = {};        ///< Dataset::classes()
  std::optional<std::int64_t> void_label = {};  ///< Dataset::void_label()
};

struct MetricInfo {
  std::string name;  ///< "top1"
  std::string summary;
  std::string unit;  ///< "%", "dB", "nats"; empty for plain numbers and fractions
  bool higher_is_better = true;
};

/// Sees the outputs of batch after batch and keeps sums, so that memory does not grow with the samples
/// (average precision keeps a score and a few bits for each detection). All sums are in double precision; the
/// same batches in the same order give the same bits, other batch sizes and merging may differ in the last
/// one.
///
/// Its own options are set in the text that makes it: "top1:output=logits".
class Metric : public Options {
 public:
  Metric(MetricInfo info, MetricContext context) : info_(std::move(info)), context_(std::move(context)) {}

  const MetricInfo& info() const { return info_; }
  const std::string& name() const { return info_.name; }
  const std::string& unit() const { return info_.unit; }
  bool higher_is_better() const { return info_.higher_is_better; }
  /// What it was made from: name and options.
  const std::string& text() const { return text_; }

  /// Throws Error::usage, which names the output, what it is and what was expected, for outputs that the
  /// metric cannot read, and names the sample for one without what the metric needs to know of it.
  virtual void update(const Outputs& outputs, const Targets& targets) = 0;
  /// Of all batches so far. Throws Error::usage when there is nothing to tell: no samples, no boxes, no
  /// tokens.
  virtual double value() const = 0;
  /// Adds what `other` has seen, as if its batches had come after ours. It must be made from the same text.
  virtual void merge(const Metric& other) = 0;

 protected:
  const MetricContext& context() const { return context_; }
  /// Sets one option; throws Error::usage for an unknown one (with a suggestion) and for a bad value.
  virtual void set(std::string_view option, std::string_view value);
  /// Called once when all options are set: the place to check them together and to read files.
  virtual void ready() {}

 private:
  friend std::unique_ptr<Metric> make_metric(std::string_view text, const MetricContext& context);
  MetricInfo info_;
  MetricContext context_;
  std::string text_;
};

/// Every metric, by name.
std::vector<MetricInfo> all_metrics();

/// Reads "top1", "top1:output=logits", "ap:decoder=yolox,score=0.01,nms=0.65". A piece without `=` goes on
/// the value before it (strides=8,16,32). Throws Error::usage for unknown names (with a suggestion) and
/// values.
std::unique_ptr<Metric> make_metric(std::string_view text, const MetricContext& context = {});

}  // namespace compressor
