// gptq: the second-order rounding of one group of rows, tile by tile.
//
// Tiles of rows are independent: each is rounded by one thread from start to end.
#include "passes/quantize/rounding/gptq.h"

#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "compressor/base/error.h"
#include "compressor/base/threads.h"

namespace compressor::quantize {
namespace {

using Eigen::Index;
using Rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Columns = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;
using FloatRows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr Index kTile = 32;       ///< rows of a tile
constexpr Index kBlock = 128;     ///< columns whose errors are gathered before they are handed on
constexpr double kLeast = 1e-12;  ///< of a row's error: what a change must win

Index at(std::size_t i) {
  return static_cast<Index>(i);
}

/// What all tiles read: the moment, damped, and the inverse of its factor.
class Curvature {
 public:
  Curvature(const RoundingTask& task, double damping)
      : moment(task.moment.data(), at(task.columns), at(task.columns)), order(task.columns) {
    const Index k = at(task.columns);
    const double mean = moment.diagonal().cast<double>().sum() / std::max<double>(1, static_cast<double>(k));
    alive = std::isfinite(mean) && mean > 0;
    if (!alive) return;
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return moment(at(a), at(a)) < moment(at(b), at(b));
    });
    // Rounding noise of the moment's sums can make it indefinite; more damping always mends that.
    for (extra = damping * mean; !factor(k); extra = std::max(extra * 10, 1e-6 * mean)) {
    }
  }

  Eigen::Map<const FloatRows> moment;
  std::vector<std::size_t> order;  ///< columns by increasing M_cc: rounded from the last to the first
  double extra = 0;                ///< added to the diagonal
  Rows inverse;                    ///< V, lower, in that order
  bool alive = false;              ///< some input is ever not zero

  double diagonal(Index c) const { return static_cast<double>(moment(c, c)) + extra; }

 private:
  bool factor(Index k) {
    Rows a(k, k);
    for (Index i = 0; i < k; ++i) {
      for (Index j = 0; j <= i; ++j) {
        a(i, j) = static_cast<double>(
            moment(at(order[static_cast<std::size_t>(i)]), at(order[static_cast<std::size_t>(j)])));
      }
      a(i, i) += extra;
    }
    const Eigen::LLT<Eigen::Ref<Rows>> llt(a);
    if (llt.info() != Eigen::Success) return false;
    inverse = Rows::Identity(k, k);
    a.triangularView<Eigen::Lower>().solveInPlace(inverse);
    return inverse.allFinite();
  }
};

/// Rows [first, first + count) of the task.
class Tile {
 public:
  Tile(const RoundingTask& task, const Curvature& curvature, Index first, Index count)
      : task_(task),
        m_(curvature),
        first_(first),
        weights_(count, at(task.columns)),
        codes_(weights_.size()) {
    for (Index r = 0; r < count; ++r) {
      for (Index c = 0; c < weights_.cols(); ++c)
        weights_(r, c) = static_cast<double>(task.weights[element(r, c)]);
    }
    std::size_t last = SIZE_MAX;
    for (const std::size_t s : task.column_scale) {
      if (s != last) scales_.push_back(s);
      last = s;
    }
    std::sort(scales_.begin(), scales_.end());
    scales_.erase(std::unique(scales_.begin(), scales_.end()), scales_.end());
  }

  OutputLoss run(const GptqOptions& options, std::span<std::int32_t> out) {
    round_nearest();
    const std::vector<double> signal = powers(weights_);
    const std::vector<double> nearest = powers(misses());
    const std::vector<std::int32_t> first_codes = codes_;
    const std::vector<float> first_scales = scales();
    if (m_.alive) improve(options);
    const std::vector<double> noise = powers(misses());
    OutputLoss loss;
    for (Index r = 0; r < weights_.rows(); ++r) {
      const auto i = static_cast<std::size_t>(r);
      const bool worse = !(noise[i] <= nearest[i]);
      if (worse) restore(r, first_codes, first_scales);
      loss += {signal[i], nearest[i], worse ? nearest[i] : noise[i]};
    }
    std::copy(codes_.begin(), codes_.end(), out.begin() + first_ * weights_.cols());
    return loss;
  }

 private:
  std::size_t element(Index r, Index c) const {
    return static_cast<std::size_t>((first_ + r) * weights_.cols() + c);
  }
  std::int32_t& code(Index r, Index c) { return codes_[static_cast<std::size_t>(r * weights_.cols() + c)]; }
  std::int32_t code(Index r, Index c) const {
    return codes_[static_cast<std::size_t>(r * weights_.cols() + c)];
  }
  std::size_t scale_number(Index r, Index c) const {
    return task_.row_scale[static_cast<std::size_t>(first_ + r)] +
           task_.column_scale[static_cast<std::size_t>(c)];
  }
  double scale(Index r, Index c) const { return static_cast<double>(task_.scale[scale_number(r, c)]); }
  std::int32_t zero(Index r, Index c) const {
    return task_.zero.empty() ? 0 : task_.zero[scale_number(r, c)];
  }
  double decoded(Index r, Index c) const { return (code(r, c) - zero(r, c)) * scale(r, c); }

  std::int32_t nearest_code(Index r, Index c, double w) const {
    const RowCodes& codes = task_.codes[static_cast<std::size_t>(first_ + r)];
    const auto column = static_cast<std::size_t>(c);
    return static_cast<std::int32_t>(std::clamp(std::nearbyint(w / scale(r, c)) + zero(r, c),
                                                static_cast<double>(codes.low(column)),
                                                static_cast<double>(codes.high(column))));
  }

  void round_nearest() {
    for (Index r = 0; r < weights_.rows(); ++r) {
      for (Index c = 0; c < weights_.cols(); ++c) code(r, c) = nearest_code(r, c, weights_(r, c));
    }
  }

  Rows misses() const {
    Rows d(weights_.rows(), weights_.cols());
    for (Index r = 0; r < d.rows(); ++r) {
      for (Index c = 0; c < d.cols(); ++c) d(r, c) = weights_(r, c) - decoded(r, c);
    }
    return d;
  }

  /// a M, a stretch of M as doubles at a time.
  Rows times_moment(const Rows& a) const {
    Rows product = Rows::Zero(a.rows(), a.cols());
    for (Index from = 0; from < a.cols(); from += kBlock) {
      const Index n = std::min(kBlock, a.cols() - from);
      const Rows part = m_.moment.middleRows(from, n).cast<double>();
      product.noalias() += a.middleCols(from, n) * part;
    }
    return product;
  }

  /// By row: a M a^T.
  std::vector<double> powers(const Rows& a) const {
    const Rows product = times_moment(a);
    std::vector<double> result;
    for (Index r = 0; r < a.rows(); ++r) result.push_back(std::max(0.0, product.row(r).dot(a.row(r))));
    return result;
  }

  void improve(const GptqOptions& options) {
    hand_on();
    for (int i = 0; i < options.sweeps; ++i) {
      const bool changed = sweep();
      const bool moved = task_.fit_scales && solve_scales();
      if (!changed && !moved) break;
    }
  }

  /// Step 1: every column's error is taken back by those that are still to be rounded.
  void hand_on() {
    const Index k = weights_.cols();
    Columns left(weights_.rows(), k);
    for (Index p = 0; p < k; ++p) left.col(p) = weights_.col(at(m_.order[static_cast<std::size_t>(p)]));
    Columns errors(weights_.rows(), std::min(kBlock, k));
    for (Index end = k; end > 0; end -= std::min(kBlock, end)) {
      const Index begin = end - std::min(kBlock, end);
      for (Index p = end - 1; p >= begin; --p) {
        const Index c = at(m_.order[static_cast<std::size_t>(p)]);
        const double pivot = m_.inverse(p, p);
        for (Index r = 0; r < left.rows(); ++r) {
          code(r, c) = nearest_code(r, c, left(r, p));
          errors(r, p - begin) = (left(r, p) - decoded(r, c)) / pivot;
        }
        for (Index j = begin; j < p; ++j) left.col(j) -= errors.col(p - begin) * m_.inverse(p, j);
      }
      left.leftCols(begin).noalias() -=
          errors.leftCols(end - begin) * m_.inverse.block(begin, 0, end - begin, begin);
    }
  }

  /// Step 2: each code to its best while the others stay.
  bool sweep() {
    Rows d = misses();
    Rows g = times_moment(d);
    bool changed = false;
    for (Index r = 0; r < d.rows(); ++r) {
      double* slope = g.row(r).data();
      const double least = kLeast * g.row(r).dot(d.row(r));
      for (auto it = m_.order.rbegin(); it != m_.order.rend(); ++it) {
        const Index c = at(*it);
        const double steepness = m_.diagonal(c);
        const double pull = slope[c] + m_.extra * d(r, c);
        const std::int32_t best = nearest_code(r, c, decoded(r, c) + pull / steepness);
        if (best == code(r, c)) continue;
        const double step = (best - code(r, c)) * scale(r, c);
        if (step * (2 * pull - step * steepness) <= least) continue;
        code(r, c) = best;
        d(r, c) -= step;
        const float* row = m_.moment.row(c).data();
        for (Index j = 0; j < d.cols(); ++j) slope[j] -= step * static_cast<double>(row[j]);
        changed = true;
      }
    }
    return changed;
  }

  /// s of a row such that (w - C s) M (w - C s)^T is least, C [columns, scales] the codes less zero points.
  bool solve_scales() {
    const Rows pulled = times_moment(weights_);
    bool moved = false;
    for (Index r = 0; r < weights_.rows(); ++r) moved = solve_scales(r, pulled) || moved;
    return moved;
  }

  bool solve_scales(Index r, const Rows& pulled) {
    const Index k = weights_.cols();
    const Index n = at(scales_.size());
    Rows normal = Rows::Zero(n, n);
    Eigen::VectorXd target = Eigen::VectorXd::Zero(n);
    std::vector<Index> group(static_cast<std::size_t>(k));
    Eigen::VectorXd units(k);
    for (Index c = 0; c < k; ++c) {
      const auto it =
          std::lower_bound(scales_.begin(), scales_.end(), task_.column_scale[static_cast<std::size_t>(c)]);
      group[static_cast<std::size_t>(c)] = it - scales_.begin();
      units(c) = code(r, c) - zero(r, c);
    }
    for (Index c = 0; c < k; ++c) {
      if (units(c) == 0) continue;
      const Index g = group[static_cast<std::size_t>(c)];
      const float* row = m_.moment.row(c).data();
      for (Index j = 0; j < k; ++j)
        normal(g, group[static_cast<std::size_t>(j)]) += units(c) * static_cast<double>(row[j]) * units(j);
      normal(g, g) += units(c) * units(c) * m_.extra;
      target(g) += units(c) * (pulled(r, c) + m_.extra * weights_(r, c));
    }
    for (Index g = 0; g < n; ++g) {
      if (normal(g, g) > 0) continue;
      normal(g, g) = 1;
      target(g) = static_cast<double>(task_.scale[number(r, g)]);
    }
    const Eigen::VectorXd found = normal.ldlt().solve(target);
    for (Index g = 0; g < n; ++g) {
      const double ratio = found(g) / static_cast<double>(task_.scale[number(r, g)]);
      if (!(ratio > 0.5 && ratio < 2)) return false;
    }
    for (Index g = 0; g < n; ++g) task_.scale[number(r, g)] = static_cast<float>(found(g));
    return true;
  }

  /// The scale of a row's g-th group.
  std::size_t number(Index r, Index g) const {
    return task_.row_scale[static_cast<std::size_t>(first_ + r)] + scales_[static_cast<std::size_t>(g)];
  }

  std::vector<float> scales() const {
    std::vector<float> list;
    for (Index r = 0; r < weights_.rows(); ++r) {
      for (Index g = 0; g < at(scales_.size()); ++g) list.push_back(task_.scale[number(r, g)]);
    }
    return list;
  }

  void restore(Index r, const std::vector<std::int32_t>& codes, const std::vector<float>& scales) {
    for (Index c = 0; c < weights_.cols(); ++c)
      code(r, c) = codes[static_cast<std::size_t>(r * weights_.cols() + c)];
    if (!task_.fit_scales) return;
    for (std::size_t g = 0; g < scales_.size(); ++g)
      task_.scale[number(r, at(g))] = scales[static_cast<std::size_t>(r) * scales_.size() + g];
  }

  const RoundingTask& task_;
  const Curvature& m_;
  Index first_ = 0;
  Rows weights_;
  std::vector<std::int32_t> codes_;
  std::vector<std::size_t> scales_;  ///< what column_scale holds, ascending
};

}  // namespace

OutputLoss& OutputLoss::operator+=(const OutputLoss& other) {
  signal += other.signal;
  nearest += other.nearest;
  noise += other.noise;
  return *this;
}

std::vector<std::int32_t> gptq(const RoundingTask& task, const GptqOptions& options, OutputLoss& loss) {
  CHECK(task.weights.size() == task.rows * task.columns && task.moment.size() == task.columns * task.columns);
  CHECK(task.row_scale.size() == task.rows && task.column_scale.size() == task.columns);
  std::vector<std::int32_t> codes(task.weights.size());
  if (codes.empty()) return codes;
  const Curvature curvature(task, options.damping);
  const std::int64_t tiles = (at(task.rows) + kTile - 1) / kTile;
  std::vector<OutputLoss> losses(static_cast<std::size_t>(tiles));
  parallel_for(tiles, [&](std::int64_t t) {
    const Index first = t * kTile;
    losses[static_cast<std::size_t>(t)] =
        Tile(task, curvature, first, std::min(kTile, at(task.rows) - first)).run(options, codes);
  });
  for (const OutputLoss& l : losses) loss += l;  // in order
  return codes;
}

}  // namespace compressor::quantize
