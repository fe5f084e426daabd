// pooling: what lies under each window is listed once for some places, then read plane by plane.
#include "ops/pooling.h"

#include <algorithm>
#include <limits>

#include "compressor/kernels/in_parallel.h"
#include "ops/real.h"
#include "ops/window.h"

namespace compressor::ops {
namespace {

/// Offsets in a plane under the windows of some places: those of place i are [start[i], start[i + 1]).
struct Taps {
  std::vector<std::int64_t> offsets;
  std::vector<std::size_t> start{0};
  std::vector<std::int64_t> padded;  ///< positions of each window inside the padded input

  std::span<const std::int64_t> of(std::size_t i) const {
    return std::span(offsets).subspan(start[i], start[i + 1] - start[i]);
  }
};

Taps taps_of(const FixedWindow& w, std::int64_t first, std::int64_t last) {
  const std::size_t n = w.size();
  Taps taps;
  std::vector<std::int64_t> at(n);
  std::vector<std::int64_t> tap(n);
  for (std::int64_t o = first; o < last; ++o) {
    std::int64_t rest = o;
    for (std::size_t i = n; i-- > 0;) {
      at[i] = rest % w.out[i] * w.strides[i] - w.begin[i];
      rest /= w.out[i];
    }
    std::int64_t padded = 0;
    std::fill(tap.begin(), tap.end(), 0);
    for (std::int64_t t = 0; t < w.taps(); ++t) {
      bool inside = true;
      bool in_padding = true;
      std::int64_t offset = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const std::int64_t p = at[i] + tap[i] * w.dilations[i];
        inside = inside && p >= 0 && p < w.in[i];
        in_padding = in_padding && p >= -w.begin[i] && p < w.in[i] + w.end[i];
        offset = offset * w.in[i] + p;
      }
      if (inside) taps.offsets.push_back(offset);
      if (in_padding) ++padded;
      for (std::size_t i = n; i-- > 0;) {
        if (++tap[i] < w.kernel[i]) break;
        tap[i] = 0;
      }
    }
    taps.start.push_back(taps.offsets.size());
    taps.padded.push_back(padded);
  }
  return taps;
}

FixedWindow window_of(const ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  if (x.rank() < 3) ctx.fail("input has rank {}, expected at least 3", x.rank());
  return fix(ctx.node(), read_window(ctx.node(), x.shape.size() - 2, {}), std::span(x.shape).subspan(2));
}

Dims pooled_shape(const Tensor& x, const FixedWindow& w) {
  Dims shape{x.shape[0], x.shape[1]};
  shape.insert(shape.end(), w.out.begin(), w.out.end());
  return shape;
}

/// Calls fn(plane, place, offsets, padded) for every output element.
template <class Fn>
void each_window(const FixedWindow& w, std::int64_t planes, Fn&& fn) {
  const std::int64_t places = w.out_plane();
  // Lists of some hundred kilobytes.
  const std::int64_t block = std::max<std::int64_t>(1, (std::int64_t{1} << 16) / w.taps());
  for (std::int64_t first = 0; planes > 0 && first < places; first += block) {
    const std::int64_t last = std::min(places, first + block);
    const Taps taps = taps_of(w, first, last);
    kernels::in_parallel(planes * (last - first) * w.taps() > kParallelWork, planes, [&](std::int64_t plane) {
      for (std::int64_t o = first; o < last; ++o) {
        const auto i = static_cast<std::size_t>(o - first);
        fn(plane, o, taps.of(i), taps.padded[i]);
      }
    });
  }
}

template <class T>
T lowest() {
  if constexpr (std::numeric_limits<T>::has_infinity) return -std::numeric_limits<T>::infinity();
  return std::numeric_limits<T>::lowest();
}

/// A position of a plane counted with its first axis innermost.
std::int64_t column_major(const FixedWindow& w, std::int64_t offset) {
  std::int64_t stride = w.in_plane();
  std::int64_t result = 0;
  for (std::size_t i = w.size(); i-- > 0;) {
    stride /= w.in[i];
    result += offset % w.in[i] * stride;
    offset /= w.in[i];
  }
  return result;
}

}  // namespace

void compute_max_pool(ComputeContext& ctx) {
  const Tensor& input = ctx.in(0);
  const FixedWindow w = window_of(ctx);
  const Dims shape = pooled_shape(input, w);
  const std::int64_t in_plane = w.in_plane();
  const std::int64_t out_plane = w.out_plane();
  const bool columns = ctx.node().int_or("storage_order", 0) != 0;
  const bool indices = ctx.node().output(1) != nullptr;
  std::optional<Result<std::int64_t>> positions;
  if (indices) positions.emplace(DType::kInt64, shape);
  with_domain(input.dtype, [&]<class T>(T) {
    const Elements<T> x(input);
    Result<T> y(input.dtype, shape);
    each_window(
        w, shape[0] * shape[1],
        [&](std::int64_t plane, std::int64_t place, std::span<const std::int64_t> taps, std::int64_t) {
          const T* from = x.data() + plane * in_plane;
          T top = lowest<T>();
          std::int64_t at = taps.empty() ? 0 : taps[0];
          for (const std::int64_t tap : taps) {
            if (!(from[tap] > top)) continue;
            top = from[tap];
            at = tap;
          }
          y[plane * out_plane + place] = top;
          if (!indices) return;
          (*positions)[plane * out_plane + place] = plane * in_plane + (columns ? column_major(w, at) : at);
        });
    ctx.set(0, y.finish());
  });
  if (indices) ctx.set(1, positions->finish());
}

void compute_average_pool(ComputeContext& ctx) {
  const Tensor& input = ctx.in(0);
  const FixedWindow w = window_of(ctx);
  const Dims shape = pooled_shape(input, w);
  const std::int64_t in_plane = w.in_plane();
  const std::int64_t out_plane = w.out_plane();
  const bool include_pad = ctx.node().int_or("count_include_pad", 0) != 0;
  with_real(ctx, input.dtype, [&]<class T>(T) {
    const Elements<T> x(input);
    Result<T> y(input.dtype, shape);
    each_window(
        w, shape[0] * shape[1],
        [&](std::int64_t plane, std::int64_t place, std::span<const std::int64_t> taps, std::int64_t padded) {
          const T* from = x.data() + plane * in_plane;
          double sum = 0;
          for (const std::int64_t tap : taps) sum += from[tap];
          const auto count = include_pad ? static_cast<double>(padded) : static_cast<double>(taps.size());
          y[plane * out_plane + place] = static_cast<T>(count > 0 ? sum / count : 0);
        });
    ctx.set(0, y.finish());
  });
}

void compute_lp_pool(ComputeContext& ctx) {
  const Tensor& input = ctx.in(0);
  const FixedWindow w = window_of(ctx);
  const Dims shape = pooled_shape(input, w);
  const std::int64_t in_plane = w.in_plane();
  const std::int64_t out_plane = w.out_plane();
  // A float in opset 1.
  const double p =
      ctx.opset() < 2 ? ctx.node().float_or("p", 2) : static_cast<double>(ctx.node().int_or("p", 2));
  with_real(ctx, input.dtype, [&]<class T>(T) {
    const Elements<T> x(input);
    Result<T> y(input.dtype, shape);
    each_window(
        w, shape[0] * shape[1],
        [&](std::int64_t plane, std::int64_t place, std::span<const std::int64_t> taps, std::int64_t) {
          const T* from = x.data() + plane * in_plane;
          double sum = 0;
          for (const std::int64_t tap : taps) sum += std::pow(std::fabs(static_cast<double>(from[tap])), p);
          y[plane * out_plane + place] = static_cast<T>(std::pow(sum, 1 / p));
        });
    ctx.set(0, y.finish());
  });
}

}  // namespace compressor::ops
