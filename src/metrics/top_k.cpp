// top_k: how often the right class is among the k with the highest scores.
#include "metrics/top_k.h"

#include "metrics/class_scores.h"
#include "metrics/metric_table.h"
#include "metrics/outputs.h"

namespace compressor::metrics {
namespace {

class TopK : public Metric {
 public:
  TopK(const MetricInfo& info, const MetricContext& context, std::int64_t k) : Metric(info, context), k_(k) {}

  void update(const Outputs& outputs, const Targets& targets) override {
    if (const auto* chosen = chosen_classes(outputs, targets.batch_rows())) return count(*chosen, targets);
    for_each_scored(name(), outputs, targets, context(), scores_,
                    [&](std::span<const float> row, std::size_t label) {
                      std::int64_t before = 0;
                      for (std::size_t c = 0; c < row.size(); ++c) {
                        if (c != label && (!(row[c] <= row[label]) || (row[c] == row[label] && c < label)))
                          ++before;
                      }
                      right_ += before < k_ && row[label] == row[label] ? 1 : 0;
                      ++samples_;
                    });
  }

  double value() const override {
    if (samples_ == 0) throw Error::usage("{}: no samples", name());
    return 100.0 * static_cast<double>(right_) / static_cast<double>(samples_);
  }

  void merge(const Metric& other) override {
    const TopK& that = same_metric(*this, other);
    right_ += that.right_;
    samples_ += that.samples_;
  }

 private:
  /// The output that holds class indices, where the graph ends in an ArgMax; null when there are scores.
  const Tensor* chosen_classes(const Outputs& outputs, std::int64_t rows) const {
    if (k_ != 1) return nullptr;
    const Tensor* found = nullptr;
    for (const auto& [name, tensor] : outputs) {
      if (!scores_.output->empty() && name != *scores_.output) continue;
      const Dims shape = squeezed(tensor.shape);
      if (is_float(tensor.dtype) && shape.size() == 2) return nullptr;
      if (is_integer(tensor.dtype) && shape == Dims{rows}) found = &tensor;
    }
    return found;
  }

  void count(const Tensor& chosen, const Targets& targets) {
    const std::vector<std::int64_t> classes = to_ints(chosen);
    for (std::size_t i = 0; i < targets.items.size(); ++i) {
      right_ += classes[i] == label_of(name(), targets.items[i], *scores_.offset) ? 1 : 0;
      ++samples_;
    }
  }

  ClassScoreOptions scores_{*this};
  std::int64_t k_;
  std::int64_t right_ = 0, samples_ = 0;
};

}  // namespace

std::unique_ptr<Metric> make_top_k(const MetricInfo& info, const MetricContext& context, std::int64_t k) {
  return std::make_unique<TopK>(info, context, k);
}

}  // namespace compressor::metrics
