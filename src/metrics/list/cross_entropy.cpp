// cross_entropy: how surprised a classifier is by the right class.
//
//   mean over samples of -log p(label);  p = softmax(output), or the output where it is a distribution
#include "metrics/class_scores.h"
#include "metrics/log_probability.h"
#include "metrics/metric_table.h"

namespace compressor::metrics {
namespace {

class CrossEntropy : public Metric {
 public:
  using Metric::Metric;

  void update(const Outputs& outputs, const Targets& targets) override {
    for_each_scored(name(), outputs, targets, context(), scores_,
                    [&](std::span<const float> row, std::size_t label) {
                      sum_ -= log_probability(row, label);
                      ++samples_;
                    });
  }

  double value() const override {
    if (samples_ == 0) throw Error::usage("{}: no samples", name());
    return sum_ / static_cast<double>(samples_);
  }

  void merge(const Metric& other) override {
    const CrossEntropy& that = same_metric(*this, other);
    sum_ += that.sum_;
    samples_ += that.samples_;
  }

 private:
  ClassScoreOptions scores_{*this};
  double sum_ = 0;
  std::int64_t samples_ = 0;
};

}  // namespace

void register_cross_entropy(MetricTable& table) {
  table.add({{.name = "cross_entropy",
              .summary = "mean of -log p(class)",
              .unit = "nats",
              .higher_is_better = false},
             [](const MetricInfo& info, const MetricContext& context) {
               return std::make_unique<CrossEntropy>(info, context);
             }});
}

}  // namespace compressor::metrics
