// output_noise: runs a few samples forward and backward, and weighs errors by gradients.
#include "passes/quantize/ranges/output_noise.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "compressor/base/error.h"
#include "compressor/base/random.h"
#include "compressor/base/threads.h"
#include "compressor/engine/executor.h"

namespace compressor::quantize {
namespace {

constexpr std::int64_t kRows = 4;  ///< of a batch, where the model takes any number

/// Does the model say nothing of how long the first axis of its inputs is?
bool takes_any_batch(const Model& model) {
  const auto inputs = model.graph->inputs();
  return std::all_of(inputs.begin(), inputs.end(), [](const Value* v) {
    return v->initializer() || (v->type().has_shape && !v->type().dims.empty() && !v->type().dims[0].known());
  });
}

/// The first rows of every feed, where they agree on how many there are.
Executor::Feeds first_rows(const Executor::Feeds& feeds) {
  std::int64_t rows = -1;
  for (const auto& [name, value] : feeds) {
    const Dims& shape = value.tensor.shape;
    if (value.kind != ops::RunValue::Kind::kTensor || shape.empty() || bits(value.tensor.dtype) < 8 ||
        (rows >= 0 && shape[0] != rows))
      return feeds;
    rows = shape[0];
  }
  if (rows <= kRows) return feeds;
  Executor::Feeds few;
  for (const auto& [name, value] : feeds) {
    Tensor t = ops::plain(value);
    const std::uint64_t row = t.byte_size() / static_cast<std::uint64_t>(rows);
    t.bytes = t.bytes.slice(0, row * static_cast<std::uint64_t>(kRows));
    t.shape[0] = kRows;
    few[name] = ops::RunValue(std::move(t));
  }
  return few;
}

class Meter {
 public:
  Meter(const Model& model, const std::map<const Value*, Affine>& grids, const CodeRange& codes,
        std::uint64_t seed)
      : model_(model),
        grids_(grids),
        codes_(codes),
        random_(seed),
        cuts_(takes_any_batch(model)),
        executor_(model, [&] {
          ExecutorOptions options;
          options.training = true;
          for (const auto& [value, grid] : grids) {
            if (&value->graph() == model.graph.get()) values_.push_back(value);
          }
          std::sort(values_.begin(), values_.end(),
                    [](const Value* a, const Value* b) { return a->name() < b->name(); });
          options.taps = values_;
          options.gradients_of = values_;
          return options;
        }()) {
    for (const Value* v : model.graph->outputs()) outputs_.insert(v);
    executor_.set_tap([this](const Value& v, const ops::RunValue& held) { miss(v, ops::plain(held)); });
  }

  void add(const Executor::Feeds& feeds) {
    const Executor::Feeds few = cuts_ && feeds.carried.empty() ? first_rows(feeds) : feeds;
    if (runs_ == 0) drop_untraceable(few);
    const Executor::Gradients gradients = slopes(few, outputs_);
    if (gradients.empty()) return;
    std::vector<double> noise(values_.size());
    parallel_for(static_cast<std::int64_t>(values_.size()), [&](std::int64_t i) {
      const Value* v = values_[static_cast<std::size_t>(i)];
      const auto g = gradients.find(v);
      const auto e = missed_.find(v);
      if (g == gradients.end() || e == missed_.end() || g->second.size() != e->second.size()) return;
      const std::vector<float> slope = to_floats(g->second);
      double sum = 0;
      for (std::size_t k = 0; k < slope.size(); ++k) {
        const double s = static_cast<double>(slope[k]);
        sum += s * s * static_cast<double>(e->second[k]);
      }
      if (std::isfinite(sum)) noise[static_cast<std::size_t>(i)] = sum / seeded_;
    });
    for (std::size_t i = 0; i < noise.size(); ++i) sums_[values_[i]->name()] += noise[i];
    ++runs_;
  }

  OutputNoise result() {
    OutputNoise result;
    if (runs_ == 0) result.unknown = why_.empty() ? "no output of the model is float" : why_;
    for (const auto& [name, sum] : sums_) result.of[name] = sum / runs_;
    return result;
  }

 private:
  /// Forward, and backward from these of the outputs; empty where none of them is float.
  Executor::Gradients slopes(const Executor::Feeds& feeds, const std::set<const Value*>& from) {
    missed_.clear();
    const std::vector<ops::RunValue> results = executor_.run(feeds);
    Executor::Gradients seeds;
    for (std::size_t i = 0; i < results.size(); ++i) {
      const Value* y = model_.graph->outputs()[i];
      if (!from.contains(y)) continue;
      if (const auto seed = direction(results[i])) seeds.emplace(y, *seed);
    }
    seeded_ = static_cast<double>(seeds.size());
    return seeds.empty() ? Executor::Gradients() : executor_.backward(seeds);
  }

  /// Outputs (state, often) behind operators without a gradient do not hide what is known of the others.
  void drop_untraceable(const Executor::Feeds& feeds) {
    for (const Value* y : std::set<const Value*>(outputs_)) {
      try {
        slopes(feeds, {y});
      } catch (const Error& e) {
        if (e.kind() != ErrorKind::kModel) throw;
        why_ = e.what();
        outputs_.erase(y);
      }
    }
  }

  /// Keeps the squares of what the grid misses.
  void miss(const Value& v, const Tensor& x) {
    if (x.dtype != DType::kFloat) return;
    const Affine& a = grids_.at(&v);
    const float low = static_cast<float>(codes_.low - a.zero) * a.scale;
    const float high = static_cast<float>(codes_.high - a.zero) * a.scale;
    std::vector<float> squares = to_floats(x);
    for (float& n : squares) {
      const float e = std::clamp(std::nearbyint(n / a.scale) * a.scale, low, high) - n;
      n = e * e;
    }
    missed_[&v] = std::move(squares);
  }

  /// A random vector over the norm of the output.
  std::optional<Tensor> direction(const ops::RunValue& result) {
    if (result.kind != ops::RunValue::Kind::kTensor || result.tensor.dtype != DType::kFloat)
      return std::nullopt;
    std::vector<float> y = to_floats(ops::plain(result));
    double power = 0;
    for (const float n : y) power += static_cast<double>(n) * static_cast<double>(n);
    if (power <= 0 || !std::isfinite(power)) return std::nullopt;
    const double scale = 1 / std::sqrt(power);
    for (float& n : y) n = static_cast<float>(random_.uniform() < 0.5 ? -scale : scale);
    return Tensor::of(result.tensor.shape, std::span<const float>(y));
  }

  const Model& model_;
  const std::map<const Value*, Affine>& grids_;
  CodeRange codes_;
  Random random_;
  bool cuts_;
  std::vector<const Value*> values_;
  std::set<const Value*> outputs_;
  Executor executor_;
  std::map<const Value*, std::vector<float>> missed_;
  std::map<std::string, double> sums_;
  double runs_ = 0;
  double seeded_ = 0;  ///< outputs that the last backward pass began at
  std::string why_;    ///< an output is not among them
};

}  // namespace

OutputNoise output_noise(const Model& model, const std::map<const Value*, Affine>& grids,
                         const CodeRange& codes, const Samples& samples, std::uint64_t seed) {
  try {
    Meter meter(model, grids, codes, seed);
    // Batches 1, 2, 4, 8, ..: some from everywhere, however many there are.
    std::int64_t seen = 0, next = 1;
    samples([&](const Executor::Feeds& feeds) {
      if (++seen < next) return;
      next *= 2;
      meter.add(feeds);
    });
    return meter.result();
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::kModel) throw;
    return {.of = {}, .unknown = e.what()};
  }
}

}  // namespace compressor::quantize
