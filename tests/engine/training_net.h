// training_net: one step of training by hand, for the tests of the tape.
#pragma once

#include <cmath>
#include <vector>

#include "compressor/engine/executor.h"

namespace compressor {

/// Float initializers of the main graph that an optimiser would move: not the running statistics.
inline std::vector<const Value*> trainable(const Model& model) {
  std::vector<const Value*> list;
  for (const Value* v : model.graph->initializers()) {
    if (v->initializer()->dtype != DType::kFloat || v->initializer()->rank() == 0) continue;
    bool statistic = false;
    for (const Use& use : v->uses()) {
      statistic = statistic || (use.node && use.node->is("BatchNormalization") && use.index > 2);
    }
    if (!statistic) list.push_back(v);
  }
  return list;
}

struct Loss {
  double value = 0;
  Tensor gradient;
};

/// Mean cross-entropy of logits [N, C], and its gradient (softmax - 1) / N.
inline Loss cross_entropy(const Tensor& logits, const std::vector<std::int64_t>& labels) {
  const std::vector<float> x = to_floats(logits);
  const std::size_t n = labels.size();
  const std::size_t c = x.size() / n;
  std::vector<float> d(x.size());
  Loss loss;
  for (std::size_t i = 0; i < n; ++i) {
    const float* row = x.data() + i * c;
    float top = row[0];
    for (std::size_t k = 1; k < c; ++k) top = std::max(top, row[k]);
    double sum = 0;
    for (std::size_t k = 0; k < c; ++k) sum += std::exp(static_cast<double>(row[k] - top));
    const auto label = static_cast<std::size_t>(labels[i]);
    loss.value += (std::log(sum) + static_cast<double>(top - row[label])) / static_cast<double>(n);
    for (std::size_t k = 0; k < c; ++k) {
      const double p = std::exp(static_cast<double>(row[k] - top)) / sum;
      d[i * c + k] = static_cast<float>((p - (k == label ? 1 : 0)) / static_cast<double>(n));
    }
  }
  loss.gradient = Tensor::of(logits.shape, std::span<const float>(d));
  return loss;
}

}  // namespace compressor
