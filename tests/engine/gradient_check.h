// gradient_check: a model's backward pass against differences of its forward pass.
//
//   Net net;
//   net.output(net.conv(net.input("x", {2, 3, 5, 5}), 3, 4));
//   expect_gradients(net.done());
//
// The loss is the sum of all float outputs with random weights, added up in double. Its slope along one
// number is told from four points around it (error of fourth order in the step), once with the step and once
// with half of it: where the two do not agree there is a kink close by, and the number is left out. At least
// half of the numbers tried must remain.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "builder.h"
#include "compressor/base/random.h"
#include "compressor/engine/executor.h"

namespace compressor::build {

struct GradientCheck {
  std::uint64_t seed = 11;
  /// Of the gradient's own size (root mean square of its tensor, and the number itself).
  double tolerance = 2e-3;
  /// A power of two: x + step and x - step are exact for numbers near one.
  double step = 1.0 / 32;
  /// Inputs that are not in `feeds` are uniform between these.
  double low = -1.5, high = 1.5;
  std::map<std::string, Tensor> feeds = {};
  /// Values whose gradient is not asked for. Integers never are.
  std::set<V> except = {};
  /// Numbers tried of every tensor; all where there are no more.
  std::size_t most = 48;
  /// Of the numbers tried at least this share must lie away from kinks.
  double away_from_kinks = 0.5;
  bool batch_statistics = false;
  bool portable = false;
  int stretches = 0;
};

/// Holds a model, its inputs and the loss.
class GradientBench {
 public:
  GradientBench(const Model& model, const GradientCheck& check)
      : model_(model), check_(check), random_(check.seed), executor_(model, options()) {
    for (const Value* v : model.graph->inputs()) {
      if (v->initializer()) continue;
      const auto given = check.feeds.find(v->name());
      feeds_[v->name()] = given != check.feeds.end() ? given->second : numbers(shape_of(*v));
    }
  }

  /// Every float input and initializer that is not excepted.
  std::vector<V> variables() const {
    std::vector<V> list;
    for (const Value* v : model_.graph->inputs()) {
      if (!v->initializer() && v->type().dtype == DType::kFloat && !check_.except.contains(v))
        list.push_back(v);
    }
    for (const Value* v : model_.graph->initializers()) {
      if (v->initializer()->dtype == DType::kFloat && !check_.except.contains(v)) list.push_back(v);
    }
    return list;
  }

  double loss() {
    const std::vector<ops::RunValue> outputs = executor_.run(feeds_);
    double sum = 0;
    size_ = 0;
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      const Tensor& y = outputs[k].tensor;
      if (y.dtype != DType::kFloat) continue;
      const std::vector<float> numbers = to_floats(y);
      std::vector<float>& weights = weights_of(k, y.shape);
      for (std::size_t i = 0; i < numbers.size(); ++i) {
        const double part = static_cast<double>(numbers[i]) * static_cast<double>(weights[i]);
        sum += part;
        size_ += std::abs(part);
      }
    }
    return sum;
  }

  Executor::Gradients backward() {
    loss();
    Executor::Gradients seeds;
    for (const auto& [k, weights] : weights_) {
      seeds[model_.graph->outputs()[k]] = Tensor::of(shapes_[k], std::span<const float>(weights));
    }
    return executor_.backward(seeds);
  }

  /// The slope along number i of a variable; nullopt near a kink.
  std::optional<double> slope(V variable, std::size_t i) {
    const double h = check_.step;
    double f[7];  // at -2h, -h, -h/2, 0, h/2, h, 2h
    constexpr double kAt[7] = {-2, -1, -0.5, 0, 0.5, 1, 2};
    for (std::size_t k = 0; k < 7; ++k) f[k] = at(variable, i, kAt[k] * h);
    const double wide = (8 * (f[5] - f[1]) - (f[6] - f[0])) / (12 * h);
    const double narrow = (8 * (f[4] - f[2]) - (f[5] - f[1])) / (6 * h);
    // The slope on the right less that on the left goes with the step where there is no kink.
    const double bend = (f[5] - 2 * f[3] + f[1]) / h;
    const double half_bend = (f[4] - 2 * f[3] + f[2]) / (h / 2);
    const double near = 0.3 * check_.tolerance * std::abs(narrow) + 4 * noise();
    const bool smooth = std::abs(wide - narrow) <= near && std::abs(2 * half_bend - bend) <= 4 * near;
    return smooth ? std::optional(narrow) : std::nullopt;
  }
  /// What float32 makes of a slope that is zero.
  double noise() const { return 4e-7 * (size_ + 1) / check_.step; }
  Random& random() { return random_; }

 private:
  ExecutorOptions options() const {
    ExecutorOptions o;
    o.training = true;
    o.batch_statistics = check_.batch_statistics;
    o.portable = check_.portable;
    o.stretches = check_.stretches;
    for (V v : variables()) (v->initializer() ? o.parameters : o.gradients_of).push_back(v);
    return o;
  }
  static Dims shape_of(const Value& v) {
    Dims dims;
    for (const Dim& d : v.type().dims) dims.push_back(d.known() ? d.value : 2);
    return dims;
  }
  Tensor numbers(const Dims& dims) {
    std::vector<float> values(num_elements(dims));
    for (float& x : values)
      x = static_cast<float>(check_.low + (check_.high - check_.low) * random_.uniform());
    return Tensor::of(dims, std::span<const float>(values));
  }
  std::vector<float>& weights_of(std::size_t k, const Dims& dims) {
    std::vector<float>& weights = weights_[k];
    if (weights.size() != num_elements(dims)) {
      weights = to_floats(numbers(dims));
      shapes_[k] = dims;
    }
    return weights;
  }
  double at(V v, std::size_t i, double by) {
    if (v->initializer()) {
      float& x = executor_.parameter(*v)[i];
      const float before = x;
      x = static_cast<float>(static_cast<double>(before) + by);
      const double value = loss();
      x = before;
      return value;
    }
    ops::RunValue& feed = feeds_.at(v->name());
    const Tensor before = feed.tensor;
    std::vector<float> values = to_floats(before);
    values[i] = static_cast<float>(static_cast<double>(values[i]) + by);
    feed.tensor = Tensor::of(before.shape, std::span<const float>(values));
    const double value = loss();
    feed.tensor = before;
    return value;
  }

  const Model& model_;
  const GradientCheck& check_;
  Random random_;
  Executor executor_;
  Executor::Feeds feeds_;
  std::map<std::size_t, std::vector<float>> weights_;
  std::map<std::size_t, Dims> shapes_;
  double size_ = 0;
};

/// Which of n numbers to try.
inline std::vector<std::size_t> some_of(std::size_t n, std::size_t most, Random& random) {
  std::vector<std::size_t> list(n);
  for (std::size_t i = 0; i < n; ++i) list[i] = i;
  for (std::size_t i = 0; i < std::min(n, most); ++i) {
    std::swap(list[i], list[i + static_cast<std::size_t>(random.uniform() * static_cast<double>(n - i))]);
  }
  list.resize(std::min(n, most));
  return list;
}

inline void expect_gradients(const Model& model, const GradientCheck& check = {}) {
  std::cout << "seed " << check.seed << "\n";
  GradientBench bench(model, check);
  const Executor::Gradients gradients = bench.backward();
  std::size_t tried = 0;
  std::size_t judged = 0;
  for (V v : bench.variables()) {
    const auto found = gradients.find(v);
    ASSERT_NE(found, gradients.end()) << "no gradient of '" << v->name() << "'";
    const std::vector<float> g = to_floats(found->second);
    double squares = 0;
    for (const float x : g) squares += static_cast<double>(x) * static_cast<double>(x);
    const double size = g.empty() ? 0 : std::sqrt(squares / static_cast<double>(g.size()));
    for (const std::size_t i : some_of(g.size(), check.most, bench.random())) {
      const auto slope = bench.slope(v, i);
      ++tried;
      if (!slope) continue;
      ++judged;
      const double allowed = check.tolerance * (size + std::abs(*slope)) + 4 * bench.noise();
      ASSERT_NEAR(g[i], *slope, allowed)
          << "gradient of '" << v->name() << "' at " << i << " of " << g.size() << ", seed " << check.seed;
    }
  }
  EXPECT_GE(static_cast<double>(judged), check.away_from_kinks * static_cast<double>(tried))
      << "too many numbers lie near kinks, seed " << check.seed;
}

}  // namespace compressor::build
