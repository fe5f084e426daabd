// weight_stats: slices of a weight read in blocks, summed on a fixed grid.
#include "compressor/analysis/weight_stats.h"

#include <algorithm>
#include <cmath>

#include "compressor/base/error.h"
#include "compressor/base/threads.h"

namespace compressor {
namespace {

constexpr std::uint64_t kBlock = 1U << 16U;  ///< elements read at once: 256 KB, which stays in the cache
constexpr std::uint64_t kChunk = 1U << 20U;  ///< elements summed apart: the grid that makes sums repeatable

/// A weight seen as [outer, dim, inner] around one axis.
struct Axis {
  std::uint64_t dim, inner;
};

Axis axis_of(const Tensor& weight, std::int64_t axis) {
  const std::int64_t at = axis < 0 ? axis + weight.rank() : axis;
  CHECK(at >= 0 && at < weight.rank(), "axis {} of shape {}", axis, to_string(weight.shape));
  std::uint64_t inner = 1;
  for (std::int64_t i = at + 1; i < weight.rank(); ++i)
    inner *= static_cast<std::uint64_t>(weight.shape[static_cast<std::size_t>(i)]);
  return {.dim = static_cast<std::uint64_t>(weight.shape[static_cast<std::size_t>(at)]), .inner = inner};
}

/// Sums of the indices [low, low + abs.size()) of one axis over one chunk.
struct Partial {
  std::uint64_t low = 0;
  std::vector<double> abs, squares, max;
  std::vector<std::int64_t> nonzeros;

  void cover(const Axis& axis, std::uint64_t first, std::uint64_t last) {
    const std::uint64_t from = first / axis.inner;
    const std::uint64_t to = (last - 1) / axis.inner;
    const bool one_round = from / axis.dim == to / axis.dim;
    low = one_round ? from % axis.dim : 0;
    const std::uint64_t count = one_round ? to - from + 1 : axis.dim;
    abs.assign(count, 0);
    squares.assign(count, 0);
    max.assign(count, 0);
    nonzeros.assign(count, 0);
  }

  void add_run(std::size_t at, std::span<const float> run) {
    double sum = 0;
    double square = 0;
    float largest = 0;
    int count = 0;
    const float* x = run.data();
    const std::size_t n = run.size();
#pragma omp simd reduction(+ : sum, square, count) reduction(max : largest)
    for (std::size_t i = 0; i < n; ++i) {
      const float a = std::fabs(x[i]);
      sum += static_cast<double>(a);
      square += static_cast<double>(a) * static_cast<double>(a);
      count += a != 0.0F ? 1 : 0;
      largest = a > largest ? a : largest;
    }
    abs[at] += sum;
    squares[at] += square;
    max[at] = std::max(max[at], static_cast<double>(largest));
    nonzeros[at] += count;
  }

  /// Consecutive indices, one element each.
  void add_row(std::size_t at, std::span<const float> row) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const double a = std::fabs(static_cast<double>(row[i]));
      abs[at + i] += a;
      squares[at + i] += a * a;
      max[at + i] = std::max(max[at + i], a);
      nonzeros[at + i] += a != 0.0 ? 1 : 0;
    }
  }

  void add(const Axis& axis, std::uint64_t first, std::span<const float> values) {
    std::uint64_t index = first / axis.inner % axis.dim;
    std::uint64_t within = first % axis.inner;
    while (!values.empty()) {
      const std::size_t at = index - low;
      std::uint64_t run = std::min<std::uint64_t>(axis.inner - within, values.size());
      if (axis.inner == 1) {
        run = std::min<std::uint64_t>(axis.dim - index, values.size());
        add_row(at, values.first(run));
        index += run;
      } else {
        add_run(at, values.first(run));
        within += run;
        if (within == axis.inner) {
          within = 0;
          ++index;
        }
      }
      if (index == axis.dim) index = 0;
      values = values.subspan(run);
    }
  }

  void add_to(AxisNorms& total) const {
    for (std::size_t i = 0; i < abs.size(); ++i) {
      total.sum_abs[low + i] += abs[i];
      total.sum_squares[low + i] += squares[i];
      total.max_abs[low + i] = std::max(total.max_abs[low + i], max[i]);
      total.nonzeros[low + i] += nonzeros[i];
    }
  }
};

}  // namespace

void stream_floats(const Tensor& tensor, std::uint64_t first, std::uint64_t count,
                   const std::function<void(std::uint64_t, std::span<const float>)>& visit) {
  thread_local std::vector<float> buffer;
  std::vector<float> block;
  block.swap(buffer);  // a visit that streams another tensor gets a buffer of its own
  block.resize(kBlock);
  for (std::uint64_t at = first; at < first + count; at += kBlock) {
    const std::span<float> part = std::span(block).first(std::min(kBlock, first + count - at));
    read_floats(tensor, at, part);
    visit(at, part);
  }
  block.swap(buffer);
}

std::vector<AxisNorms> axis_norms(const Tensor& weight, std::span<const std::int64_t> axes) {
  std::vector<Axis> around;
  std::vector<AxisNorms> result(axes.size());
  const std::uint64_t size = weight.size();
  for (std::size_t i = 0; i < axes.size(); ++i) {
    around.push_back(axis_of(weight, axes[i]));
    const std::uint64_t dim = around[i].dim;
    result[i].slice_size = dim == 0 ? 0 : size / dim;
    result[i].sum_abs.assign(dim, 0);
    result[i].sum_squares.assign(dim, 0);
    result[i].max_abs.assign(dim, 0);
    result[i].nonzeros.assign(dim, 0);
  }
  if (size == 0 || axes.empty()) return result;

  // Chunks are summed in parallel, a wave at a time, and added up in their order: the sums do not depend on
  // how many threads there are, and only a wave's partial sums are held.
  const std::uint64_t chunks = (size + kChunk - 1) / kChunk;
  const auto wave = 2 * static_cast<std::uint64_t>(threads());
  std::vector<std::vector<Partial>> partial(std::min(wave, chunks), std::vector<Partial>(axes.size()));
  for (std::uint64_t begin = 0; begin < chunks; begin += wave) {
    const std::uint64_t count = std::min(wave, chunks - begin);
    parallel_for(static_cast<std::int64_t>(count), [&](std::int64_t i) {
      std::vector<Partial>& mine = partial[static_cast<std::size_t>(i)];
      const std::uint64_t first = (begin + static_cast<std::uint64_t>(i)) * kChunk;
      const std::uint64_t last = std::min(size, first + kChunk);
      for (std::size_t a = 0; a < mine.size(); ++a) mine[a].cover(around[a], first, last);
      stream_floats(weight, first, last - first, [&](std::uint64_t at, std::span<const float> values) {
        for (std::size_t a = 0; a < mine.size(); ++a) mine[a].add(around[a], at, values);
      });
    });
    for (std::uint64_t i = 0; i < count; ++i) {
      for (std::size_t a = 0; a < axes.size(); ++a) partial[i][a].add_to(result[a]);
    }
  }
  return result;
}

AxisNorms axis_norms(const Tensor& weight, std::int64_t axis) {
  return std::move(axis_norms(weight, std::span(&axis, 1)).front());
}

}  // namespace compressor
