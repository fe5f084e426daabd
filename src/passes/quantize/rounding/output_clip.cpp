// output_clip: block by block, all rows of a group at once.
#include "passes/quantize/rounding/output_clip.h"

#include <algorithm>
#include <cmath>

#include "compressor/base/threads.h"

namespace compressor::quantize {
namespace {

constexpr int kSteps = 20;
constexpr int kRefinements = 2;

/// How far a range may shrink: the fewer codes, the more clipping pays.
double least_share(const CodeRange& codes) {
  return codes.high - codes.low + 1 > 8 ? 0.5 : 0.2;
}

std::size_t block_of(const codec::Blocks& blocks, std::size_t element) {
  std::size_t number = 0;
  blocks.each_run(element, element + 1,
                  [&](std::uint64_t, std::uint64_t, std::uint64_t block, std::uint64_t) { number = block; });
  return number;
}

float code_of(float w, const Affine& a, const CodeRange& codes) {
  return std::clamp(std::nearbyint(w / a.scale), static_cast<float>(codes.low - a.zero),
                    static_cast<float>(codes.high - a.zero));
}

/// Columns [first, last) of all rows of a group, where each row has a block of its own.
class Stripe {
 public:
  Stripe(std::span<const float> weights, std::size_t columns, std::size_t first, std::size_t last,
         const float* moment, const FitOptions& options)
      : weights_(weights),
        columns_(columns),
        first_(first),
        width_(last - first),
        moment_(moment + first * columns + first),
        options_(options) {}

  /// Row r's choice in best[r].
  void improve(std::vector<Affine>& best) const {
    std::vector<double> least = powers(best);
    const auto consider = [&](const std::vector<Affine>& candidate) {
      const std::vector<double> error = powers(candidate);
      bool better = false;
      for (std::size_t r = 0; r < best.size(); ++r) {
        if (!(error[r] < least[r])) continue;
        least[r] = error[r];
        best[r] = candidate[r];
        better = true;
      }
      return better;
    };
    const double step = (1 - least_share(options_.codes)) / kSteps;
    for (int i = 0; i <= kSteps; ++i) consider(shrunk(1 - i * step, best.size()));
    for (int i = 0; i < kRefinements; ++i) {
      if (!consider(solved(best))) break;
    }
  }

 private:
  std::span<const float> row(std::size_t r) const { return weights_.subspan(r * columns_ + first_, width_); }

  std::vector<Affine> shrunk(double share, std::size_t rows) const {
    std::vector<Affine> list;
    for (std::size_t r = 0; r < rows; ++r) {
      const auto [low, high] = std::minmax_element(row(r).begin(), row(r).end());
      const auto from = static_cast<float>(share * static_cast<double>(*low));
      const auto to = static_cast<float>(share * static_cast<double>(*high));
      list.push_back(options_.symmetric ? symmetric_of(from, to, options_.codes)
                                        : affine_of(from, to, options_.codes));
    }
    return list;
  }

  std::vector<double> powers(const std::vector<Affine>& choice) const {
    std::vector<float> d(choice.size() * width_);
    for (std::size_t r = 0; r < choice.size(); ++r) {
      for (std::size_t c = 0; c < width_; ++c)
        d[r * width_ + c] = row(r)[c] - code_of(row(r)[c], choice[r], options_.codes) * choice[r].scale;
    }
    return row_powers(d, width_, moment_, columns_);
  }

  /// The scale with the least error for the codes u that the choice gives: (u M w) / (u M u).
  std::vector<Affine> solved(const std::vector<Affine>& choice) const {
    std::vector<Affine> list = choice;
    parallel_for(static_cast<std::int64_t>(choice.size()), [&](std::int64_t task) {
      const auto r = static_cast<std::size_t>(task);
      std::vector<double> u;
      for (const float w : row(r)) u.push_back(static_cast<double>(code_of(w, choice[r], options_.codes)));
      double with_weight = 0, with_itself = 0;
      for (std::size_t i = 0; i < width_; ++i) {
        if (u[i] == 0) continue;
        const float* m = moment_ + i * columns_;
        double a = 0, b = 0;
        for (std::size_t j = 0; j < width_; ++j) {
          a += static_cast<double>(m[j]) * static_cast<double>(row(r)[j]);
          b += static_cast<double>(m[j]) * u[j];
        }
        with_weight += u[i] * a;
        with_itself += u[i] * b;
      }
      const auto scale = static_cast<float>(with_weight / with_itself);
      if (with_itself > 0 && scale > 0 && std::isnormal(scale) && std::isnormal(1.0F / scale))
        list[r].scale = scale;
    });
    return list;
  }

  std::span<const float> weights_;
  std::size_t columns_, first_, width_;
  const float* moment_;
  const FitOptions& options_;
};

class Clipper {
 public:
  Clipper(const Tensor& weight, const LayerView& view, const SecondMoment& moment, const FitOptions& options,
          codec::Grid& grid)
      : values_(to_floats(weight)), view_(view), moment_(moment), options_(options), grid_(grid) {}

  OutputLoss run() {
    OutputLoss loss;
    for (std::size_t g = 0; g < view_.groups; ++g) loss += group(g);
    return loss;
  }

 private:
  OutputLoss group(std::size_t g) {
    const std::size_t k = view_.columns;
    const float* m = moment_.sums.data() + g * k * k;
    std::vector<float> weights;
    for (std::size_t r = 0; r < view_.rows; ++r) {
      for (std::size_t c = 0; c < k; ++c) weights.push_back(values_[view_.element(g, r, c)]);
    }
    const std::vector<float> first_scale = grid_.scale;
    const std::vector<std::int32_t> first_zero = grid_.zero;
    const std::vector<double> nearest = missed(g, weights, m);
    const bool shared = grid_.scale.size() < view_.rows * view_.groups ||
                        (view_.rows > 1 && block(g, 0, 0) == block(g, 1, 0));
    if (!shared) {
      for (std::size_t from = 0, to = 0; from < k; from = to) {
        while (to < k && block(g, 0, to) == block(g, 0, from)) ++to;
        std::vector<Affine> best;
        for (std::size_t r = 0; r < view_.rows; ++r) best.push_back(affine(block(g, r, from)));
        Stripe(weights, k, from, to, m, options_).improve(best);
        for (std::size_t r = 0; r < view_.rows; ++r) set(block(g, r, from), best[r]);
      }
    }
    const std::vector<double> noise = missed(g, weights, m), signal = row_powers(weights, k, m, k);
    OutputLoss loss;
    for (std::size_t r = 0; r < view_.rows; ++r) {
      const bool worse = noise[r] > nearest[r];
      for (std::size_t c = 0; worse && c < k; ++c) {
        const std::size_t b = block(g, r, c);
        set(b, {first_scale[b], first_zero.empty() ? 0 : first_zero[b]});
      }
      loss += {signal[r], nearest[r], std::min(noise[r], nearest[r])};
    }
    return loss;
  }

  std::size_t block(std::size_t g, std::size_t r, std::size_t c) const {
    return block_of(grid_.blocks, view_.element(g, r, c));
  }
  Affine affine(std::size_t b) const { return {grid_.scale[b], grid_.zero_of(b)}; }
  void set(std::size_t b, const Affine& a) {
    grid_.scale[b] = a.scale;
    if (!grid_.zero.empty()) grid_.zero[b] = a.zero;
  }

  /// By row, with the grid as it is.
  std::vector<double> missed(std::size_t g, const std::vector<float>& weights, const float* m) const {
    std::vector<float> d(weights.size());
    for (std::size_t r = 0; r < view_.rows; ++r) {
      for (std::size_t c = 0; c < view_.columns; ++c) {
        const std::size_t i = r * view_.columns + c;
        const Affine a = affine(block(g, r, c));
        d[i] = weights[i] - code_of(weights[i], a, options_.codes) * a.scale;
      }
    }
    return row_powers(d, view_.columns, m, view_.columns);
  }

  std::vector<float> values_;
  const LayerView& view_;
  const SecondMoment& moment_;
  const FitOptions& options_;
  codec::Grid& grid_;
};

}  // namespace

OutputLoss clip_by_output(const Tensor& weight, const LayerView& view, const SecondMoment& moment,
                          const FitOptions& options, codec::Grid& grid) {
  return Clipper(weight, view, moment, options, grid).run();
}

}  // namespace compressor::quantize
