// pairwise: distances between the slices of a weight, through their Gram matrix.
//
// With X [n, L] the units as rows, G = X X^T and |x_i - x_j|^2 = G_ii + G_jj - 2 G_ij. L is taken in blocks
// of columns and G in tiles above the diagonal; each tile is computed by one thread, block after block, so
// that the numbers do not depend on the number of threads.
#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Core>
#include <algorithm>
#include <cmath>

#include "compressor/analysis/weight_stats.h"
#include "compressor/base/error.h"
#include "compressor/base/threads.h"

namespace compressor {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr std::uint64_t kTile = 128;
constexpr std::uint64_t kBlockElements = 1U << 20U;  ///< of X held at once, 8 MB
constexpr std::uint64_t kHeld = 1U << 22U;  ///< weights up to this many elements are read once, whole
constexpr std::uint64_t kLongRun = 256;     ///< worth a read of its own

/// Which positions along the axis make which unit: the r-th slice of unit u is at position at[r][u], or -1.
using Layers = std::vector<std::vector<std::int64_t>>;

Layers layers_of(std::span<const std::int64_t> unit_of, std::int64_t dim, std::int64_t n) {
  Layers layers;
  std::vector<std::size_t> count(static_cast<std::size_t>(n), 0);
  for (std::int64_t p = 0; p < dim; ++p) {
    const std::int64_t unit = unit_of.empty() ? p : unit_of[static_cast<std::size_t>(p)];
    if (unit < 0) continue;
    CHECK(unit < n, "unit {} of {}", unit, n);
    const std::size_t r = count[static_cast<std::size_t>(unit)]++;
    if (r == layers.size()) layers.emplace_back(static_cast<std::size_t>(n), -1);
    layers[r][static_cast<std::size_t>(unit)] = p;
  }
  return layers;
}

/// A weight [outer, dim, inner] from which blocks of columns are taken; column c is (c / inner, c % inner).
class Columns {
 public:
  Columns(const Tensor& weight, std::int64_t axis) : weight_(weight) {
    const std::int64_t at = axis < 0 ? axis + weight.rank() : axis;
    CHECK(at >= 0 && at < weight.rank(), "axis {} of shape {}", axis, to_string(weight.shape));
    for (std::int64_t i = 0; i < weight.rank(); ++i) {
      const auto d = static_cast<std::uint64_t>(weight.shape[static_cast<std::size_t>(i)]);
      (i < at ? outer_ : i == at ? dim_ : inner_) *= d;
    }
    if (weight.size() <= kHeld) all_ = to_floats(weight);
  }
  std::uint64_t dim() const { return dim_; }
  std::uint64_t columns() const { return outer_ * inner_; }

  /// Columns [first, first + count) of the positions in `layer` into the left of x [n, >= count].
  void take(const std::vector<std::int64_t>& layer, std::uint64_t first, std::uint64_t count,
            Matrix& x) const {
    x.leftCols(static_cast<Eigen::Index>(count)).setZero();
    if (!all_.empty() || inner_ >= kLongRun) return take_runs(layer, first, count, x);
    take_planes(layer, first, count, x);
  }

 private:
  /// Row after row: every unit reads its own runs.
  void take_runs(const std::vector<std::int64_t>& layer, std::uint64_t first, std::uint64_t count,
                 Matrix& x) const {
    parallel_for(static_cast<std::int64_t>(layer.size()), [&](std::int64_t u) {
      const std::int64_t position = layer[static_cast<std::size_t>(u)];
      if (position < 0) return;
      std::uint64_t column = first;
      while (column < first + count) {
        const std::uint64_t run = std::min(inner_ - column % inner_, first + count - column);
        const std::uint64_t from =
            (column / inner_ * dim_ + static_cast<std::uint64_t>(position)) * inner_ + column % inner_;
        double* to = &x(u, static_cast<Eigen::Index>(column - first));
        if (!all_.empty()) {
          std::copy_n(all_.begin() + static_cast<std::ptrdiff_t>(from), run, to);
        } else {
          stream_floats(weight_, from, run, [&](std::uint64_t at, std::span<const float> values) {
            std::copy(values.begin(), values.end(), to + (at - from));
          });
        }
        column += run;
      }
    });
  }

  /// Short runs: every outer index is read whole, and its runs handed to the units.
  void take_planes(const std::vector<std::int64_t>& layer, std::uint64_t first, std::uint64_t count,
                   Matrix& x) const {
    std::vector<std::int64_t> unit_at(dim_, -1);
    for (std::size_t u = 0; u < layer.size(); ++u) {
      if (layer[u] >= 0) unit_at[static_cast<std::size_t>(layer[u])] = static_cast<std::int64_t>(u);
    }
    const std::uint64_t from_outer = first / inner_;
    const std::uint64_t to_outer = (first + count - 1) / inner_;
    const std::uint64_t plane = dim_ * inner_;
    parallel_for(static_cast<std::int64_t>(to_outer - from_outer + 1), [&](std::int64_t i) {
      const std::uint64_t o = from_outer + static_cast<std::uint64_t>(i);
      stream_floats(weight_, o * plane, plane, [&](std::uint64_t at, std::span<const float> values) {
        std::uint64_t position = (at - o * plane) / inner_;
        std::uint64_t k = (at - o * plane) % inner_;
        for (const float v : values) {
          const std::uint64_t column = o * inner_ + k;
          if (unit_at[position] >= 0 && column >= first && column < first + count)
            x(unit_at[position], static_cast<Eigen::Index>(column - first)) = static_cast<double>(v);
          if (++k == inner_) {
            k = 0;
            ++position;
          }
        }
      });
    });
  }

  const Tensor& weight_;
  std::uint64_t outer_ = 1, dim_ = 1, inner_ = 1;
  std::vector<float> all_;
};

/// gram += x x^T above the diagonal.
void add_gram(const Matrix& x, std::uint64_t count, Eigen::Map<Matrix> gram) {
  const Eigen::Index n = gram.rows();
  const auto tile = static_cast<Eigen::Index>(kTile);
  std::vector<std::pair<Eigen::Index, Eigen::Index>> tiles;
  for (Eigen::Index i = 0; i < n; i += tile) {
    for (Eigen::Index j = i; j < n; j += tile) tiles.emplace_back(i, j);
  }
  parallel_for(static_cast<std::int64_t>(tiles.size()), [&](std::int64_t t) {
    const auto [i, j] = tiles[static_cast<std::size_t>(t)];
    const Eigen::Index rows = std::min(tile, n - i);
    const Eigen::Index cols = std::min(tile, n - j);
    const auto width = static_cast<Eigen::Index>(count);
    gram.block(i, j, rows, cols).noalias() +=
        x.block(i, 0, rows, width) * x.block(j, 0, cols, width).transpose();
  });
}

}  // namespace

void add_pairwise_squares(const Tensor& weight, std::int64_t axis, std::span<const std::int64_t> unit_of,
                          std::int64_t n, std::span<double> squares) {
  const auto units = static_cast<std::uint64_t>(n);
  CHECK(n >= 0 && squares.size() == units * units, "{} distances between {} units", squares.size(), n);
  if (n == 0 || weight.size() == 0) return;
  const Columns source(weight, axis);
  CHECK(unit_of.empty() ? units == source.dim() : unit_of.size() == source.dim(),
        "{} units on an axis of {} positions, {} of them named", n, source.dim(), unit_of.size());

  const std::uint64_t columns = source.columns();
  const std::uint64_t width = std::min(columns, std::max<std::uint64_t>(64, kBlockElements / units));
  Matrix x(n, static_cast<Eigen::Index>(width));
  std::vector<double> products(units * units, 0.0);
  const Eigen::Map<Matrix> gram(products.data(), n, n);
  for (const std::vector<std::int64_t>& layer :
       layers_of(unit_of, static_cast<std::int64_t>(source.dim()), n)) {
    for (std::uint64_t first = 0; first < columns; first += width) {
      const std::uint64_t count = std::min(width, columns - first);
      source.take(layer, first, count, x);
      add_gram(x, count, gram);
    }
  }
  for (std::uint64_t i = 0; i < units; ++i) {
    for (std::uint64_t j = i + 1; j < units; ++j) {
      const double square = products[i * units + i] + products[j * units + j] - 2 * products[i * units + j];
      squares[i * units + j] += std::max(square, 0.0);
      squares[j * units + i] += std::max(square, 0.0);
    }
  }
}

std::vector<double> pairwise_distances(const Tensor& weight, std::int64_t axis,
                                       std::span<const std::int64_t> unit_of) {
  std::int64_t n = 0;
  if (unit_of.empty()) {
    const std::int64_t at = axis < 0 ? axis + weight.rank() : axis;
    CHECK(at >= 0 && at < weight.rank(), "axis {} of shape {}", axis, to_string(weight.shape));
    n = weight.shape[static_cast<std::size_t>(at)];
  }
  for (const std::int64_t unit : unit_of) n = std::max(n, unit + 1);
  std::vector<double> squares(static_cast<std::size_t>(n) * static_cast<std::size_t>(n), 0.0);
  add_pairwise_squares(weight, axis, unit_of, n, squares);
  for (double& s : squares) s = std::sqrt(s);
  return squares;
}

}  // namespace compressor
