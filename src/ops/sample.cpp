// sample: the pixels around each place and their weights, once for all channels.
#include "ops/sample.h"

#include <algorithm>

#include "compressor/kernels/in_parallel.h"
#include "ops/real.h"

namespace compressor::ops {
namespace {

enum class Mode : std::uint8_t { kNearest, kLinear, kCubic };
enum class Padding : std::uint8_t { kZeros, kBorder, kReflection };

struct Sampling {
  Mode mode = Mode::kLinear;
  Padding padding = Padding::kZeros;
  bool align_corners = false;
};

Sampling read_sampling(const ComputeContext& ctx) {
  Sampling s;
  const std::string mode = ctx.node().string_or("mode", "linear");
  if (mode == "nearest") {
    s.mode = Mode::kNearest;
  } else if (mode == "cubic" || mode == "bicubic") {
    s.mode = Mode::kCubic;
  } else if (mode != "linear" && mode != "bilinear") {
    ctx.fail("mode is '{}', expected nearest, linear or cubic", mode);
  }
  const std::string padding = ctx.node().string_or("padding_mode", "zeros");
  if (padding == "border") {
    s.padding = Padding::kBorder;
  } else if (padding == "reflection") {
    s.padding = Padding::kReflection;
  } else if (padding != "zeros") {
    ctx.fail("padding_mode is '{}', expected zeros, border or reflection", padding);
  }
  s.align_corners = ctx.node().int_or("align_corners", 0) != 0;
  return s;
}

/// x thrown back at both ends until it is between them.
double reflect(double x, double low, double high) {
  const double range = high - low;
  if (range <= 0) return low;
  const double far = x < low ? low - x : x - high;
  if (far <= 0) return x;
  const double turns = std::floor(far / range);
  const double rest = far - turns * range;
  const bool from_low = (x < low) == (std::fmod(turns, 2) == 0);
  return from_low ? low + rest : high - rest;
}

/// Up to four pixels of one axis; one outside of the image (zeros) is left out.
struct AxisTaps {
  int count = 0;
  std::int64_t pixel[4] = {};
  double weight[4] = {};

  void add(const Sampling& s, std::int64_t at, std::int64_t length, double w) {
    if (at < 0 || at >= length) {
      if (s.padding == Padding::kZeros) return;
      if (s.padding == Padding::kReflection) {
        const double edge = s.align_corners ? 0 : 0.5;
        at = static_cast<std::int64_t>(
            reflect(static_cast<double>(at), -edge, static_cast<double>(length - 1) + edge));
      }
      at = std::clamp<std::int64_t>(at, 0, length - 1);
    }
    pixel[count] = at;
    weight[count++] = w;
  }
};

/// Coefficients at distances 1 + t, t, 1 - t, 2 - t.
void cubic_weights(double t, double (&w)[4]) {
  constexpr double a = -0.75;
  const auto near = [](double x) { return ((a + 2) * x - (a + 3)) * x * x + 1; };
  const auto far = [](double x) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; };
  w[0] = far(1 + t);
  w[1] = near(t);
  w[2] = near(1 - t);
  w[3] = far(2 - t);
}

/// `given`: -1 to 1 over the axis.
AxisTaps taps_of(const Sampling& s, float given, std::int64_t length) {
  const auto n = static_cast<float>(length);
  const float place = s.align_corners ? (given + 1) / 2 * (n - 1) : ((given + 1) * n - 1) / 2;
  // What is no number is nowhere.
  double x = std::isnan(place) ? -1e9 : std::clamp(static_cast<double>(place), -1e9, 1e9);
  if (s.mode == Mode::kNearest) x = std::nearbyint(x);
  const double low = s.align_corners ? 0 : -0.5;
  const double high = static_cast<double>(length - 1) - low;
  if (x < low || x > high) {
    // A cubic goes on past the border, over pixels that repeat; runtimes have it so.
    if (s.padding == Padding::kBorder && s.mode != Mode::kCubic)
      x = std::clamp<double>(x, 0, static_cast<double>(length - 1));
    if (s.padding == Padding::kReflection) x = reflect(x, low, high);
  }
  AxisTaps taps;
  const auto first = static_cast<std::int64_t>(std::floor(x));
  const double t = x - static_cast<double>(first);
  if (s.mode == Mode::kNearest) {
    taps.add(s, first, length, 1);
  } else if (s.mode == Mode::kLinear) {
    taps.add(s, first, length, 1 - t);
    taps.add(s, first + 1, length, t);
  } else {
    double w[4];
    cubic_weights(t, w);
    for (int k = 0; k < 4; ++k) taps.add(s, first - 1 + k, length, w[k]);
  }
  return taps;
}

/// Offsets in a plane and weights; those of place i are [start[i], start[i + 1]).
struct Taps {
  std::vector<std::int64_t> offsets;
  std::vector<double> weights;
  std::vector<std::size_t> start{0};
};

/// All combinations of the axes' pixels.
void add_place(std::span<const AxisTaps> axes, std::span<const std::int64_t> lengths, std::int64_t offset,
               double weight, Taps& taps) {
  if (axes.empty()) {
    taps.offsets.push_back(offset);
    taps.weights.push_back(weight);
    return;
  }
  for (int k = 0; k < axes[0].count; ++k) {
    add_place(axes.subspan(1), lengths.subspan(1), offset * lengths[0] + axes[0].pixel[k],
              weight * axes[0].weight[k], taps);
  }
}

template <class T>
void sample(const Tensor& input, const Tensor& grid, const Sampling& s, Result<T>& y) {
  const Elements<T> x(input);
  const Elements<float> places(grid);
  const std::span<const std::int64_t> lengths = std::span(input.shape).subspan(2);
  const std::size_t n = lengths.size();
  const std::int64_t channels = input.shape[1];
  const std::int64_t plane = static_cast<std::int64_t>(num_elements(Dims(lengths.begin(), lengths.end())));
  const std::int64_t count = y.size() / (input.shape[0] * channels);
  std::vector<AxisTaps> axes(n);
  for (std::int64_t image = 0; image < input.shape[0]; ++image) {
    Taps taps;
    for (std::int64_t o = 0; o < count; ++o) {
      const float* place = places.data() + (image * count + o) * static_cast<std::int64_t>(n);
      for (std::size_t i = 0; i < n; ++i) axes[i] = taps_of(s, place[n - 1 - i], lengths[i]);
      add_place(axes, lengths, 0, 1, taps);
      taps.start.push_back(taps.offsets.size());
    }
    kernels::in_parallel(channels * count > kParallelWork, channels, [&](std::int64_t c) {
      const T* from = x.data() + (image * channels + c) * plane;
      T* to = y.data() + (image * channels + c) * count;
      for (std::int64_t o = 0; o < count; ++o) {
        double sum = 0;
        for (std::size_t k = taps.start[static_cast<std::size_t>(o)];
             k < taps.start[static_cast<std::size_t>(o) + 1]; ++k) {
          sum += taps.weights[k] * static_cast<double>(from[taps.offsets[k]]);
        }
        to[o] = static_cast<T>(sum);
      }
    });
  }
}

}  // namespace

void compute_grid_sample(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const Tensor& grid = ctx.in(1);
  const Sampling s = read_sampling(ctx);
  const bool fits = x.rank() >= 3 && grid.rank() == x.rank() && grid.shape[0] == x.shape[0] &&
                    grid.shape.back() == x.rank() - 2;
  if (!fits)
    ctx.fail("grid is {}, which does not fit the input {}", to_string(grid.shape), to_string(x.shape));
  Dims shape{x.shape[0], x.shape[1]};
  shape.insert(shape.end(), grid.shape.begin() + 1, grid.shape.end() - 1);
  with_domain(x.dtype, [&]<class T>(T) {
    Result<T> y(x.dtype, shape);
    if (y.size() > 0) {
      if (x.size() == 0) ctx.fail("input {} has no pixels", to_string(x.shape));
      sample(x, grid, s, y);
    }
    ctx.set(0, y.finish());
  });
}

// grid[n, place] = theta[n] (x, y, .., 1)
void compute_affine_grid(ComputeContext& ctx) {
  const Tensor& theta = ctx.in(0);
  const std::vector<std::int64_t> size = to_ints(ctx.in(1));
  const auto n = static_cast<std::int64_t>(size.size()) - 2;
  if (n < 1 || theta.shape != Dims{size[0], n, n + 1}) {
    ctx.fail("theta is {}, which does not fit a size of {} numbers", to_string(theta.shape), size.size());
  }
  const bool align = ctx.node().int_or("align_corners", 0) != 0;
  Dims shape{size[0]};
  shape.insert(shape.end(), size.begin() + 2, size.end());
  shape.push_back(n);
  with_real(ctx, theta.dtype, [&]<class T>(T) {
    const Elements<T> map(theta);
    Result<T> y(theta.dtype, shape);
    const std::int64_t count = y.size() > 0 ? y.size() / (size[0] * n) : 0;
    std::vector<double> at(static_cast<std::size_t>(n + 1), 1);
    for (std::int64_t i = 0; i < size[0] * count; ++i) {
      std::int64_t rest = i % count;
      for (std::int64_t k = 0; k < n; ++k) {  // the innermost axis is x
        const std::int64_t length = size[static_cast<std::size_t>(n + 1 - k)];
        const auto p = static_cast<double>(rest % length);
        rest /= length;
        const auto d = static_cast<double>(length);
        at[static_cast<std::size_t>(k)] =
            align ? (length > 1 ? 2 * p / (d - 1) - 1 : -1) : (2 * p + 1) / d - 1;
      }
      for (std::int64_t k = 0; k < n; ++k) {
        const T* row = map.data() + ((i / count) * n + k) * (n + 1);
        double sum = 0;
        for (std::int64_t j = 0; j <= n; ++j)
          sum += static_cast<double>(row[j]) * at[static_cast<std::size_t>(j)];
        y[i * n + k] = static_cast<T>(sum);
      }
    }
    ctx.set(0, y.finish());
  });
}

}  // namespace compressor::ops
