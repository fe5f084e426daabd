// output_error: products of tiles of rows with the moment.
#include "passes/quantize/rounding/output_error.h"

#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Core>
#include <algorithm>

#include "compressor/base/threads.h"

namespace compressor::quantize {
namespace {

using Eigen::Index;
using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Moment = Eigen::Map<const Rows, 0, Eigen::OuterStride<>>;

constexpr std::size_t kTile = 64;  ///< rows of one task

}  // namespace

std::vector<double> row_powers(std::span<const float> rows_of_d, std::size_t columns, const float* m,
                               std::size_t stride) {
  const std::size_t rows = columns == 0 ? 0 : rows_of_d.size() / columns;
  const auto k = static_cast<Index>(columns);
  const Moment moment(m, k, k, Eigen::OuterStride<>(static_cast<Index>(stride)));
  std::vector<double> result(rows);
  parallel_for(static_cast<std::int64_t>((rows + kTile - 1) / kTile), [&](std::int64_t task) {
    const std::size_t from = static_cast<std::size_t>(task) * kTile, n = std::min(kTile, rows - from);
    const Eigen::Map<const Rows> d(rows_of_d.data() + from * columns, static_cast<Index>(n), k);
    const Rows product = d * moment;
    for (std::size_t r = 0; r < n; ++r) {
      const auto row = static_cast<Index>(r);
      const double power = product.row(row).cast<double>().dot(d.row(row).cast<double>());
      result[from + r] = std::max(0.0, power);
    }
  });
  return result;
}

double output_power(const LayerView& view, const SecondMoment& moment,
                    const std::function<float(std::size_t at)>& d) {
  double sum = 0;
  std::vector<float> rows(view.rows * view.columns);
  for (std::size_t g = 0; g < view.groups; ++g) {
    for (std::size_t r = 0; r < view.rows; ++r) {
      for (std::size_t c = 0; c < view.columns; ++c) rows[r * view.columns + c] = d(view.element(g, r, c));
    }
    const float* m = moment.sums.data() + g * view.columns * view.columns;
    for (const double p : row_powers(rows, view.columns, m, view.columns)) sum += p;
  }
  return sum;
}

}  // namespace compressor::quantize
