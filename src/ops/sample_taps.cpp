// sample_taps: axis by axis, then all combinations.
#include "ops/sample_taps.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "compressor/base/error.h"

namespace compressor::ops {
namespace {

using Mode = Sampling::Mode;
using Padding = Sampling::Padding;

struct Reflected {
  double place = 0;
  double slope = 1;  ///< of the place: 1, -1 where it runs the other way, 0 where it stands
};

/// x thrown back at both ends until it is between them.
Reflected reflect(double x, double low, double high) {
  const double range = high - low;
  if (range <= 0) return {low, 0};
  const double far = x < low ? low - x : x - high;
  if (far <= 0) return {x, 1};
  const double turns = std::floor(far / range);
  const double rest = far - turns * range;
  const bool from_low = (x < low) == (std::fmod(turns, 2) == 0);
  const bool same_way = from_low != (x < low);
  return {from_low ? low + rest : high - rest, same_way ? 1.0 : -1.0};
}

/// Coefficients at distances 1 + t, t, 1 - t, 2 - t, and their slopes along t.
void cubic_weights(double t, double (&w)[4], double (&dw)[4]) {
  constexpr double a = -0.75;
  const auto near = [](double x) { return ((a + 2) * x - (a + 3)) * x * x + 1; };
  const auto far = [](double x) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; };
  const auto near_slope = [](double x) { return (3 * (a + 2) * x - 2 * (a + 3)) * x; };
  const auto far_slope = [](double x) { return (3 * a * x - 10 * a) * x + 8 * a; };
  w[0] = far(1 + t);
  w[1] = near(t);
  w[2] = near(1 - t);
  w[3] = far(2 - t);
  dw[0] = far_slope(1 + t);
  dw[1] = near_slope(t);
  dw[2] = -near_slope(1 - t);
  dw[3] = -far_slope(2 - t);
}

/// All combinations of the axes' pixels; of axis `sloped`, -1 for none, the slopes stand for the weights.
void add_weights(std::span<const PlaceTaps> axes, std::ptrdiff_t sloped, double weight,
                 std::vector<double>& to) {
  if (axes.empty()) return to.push_back(weight);
  for (int k = 0; k < axes[0].count; ++k) {
    const double own = sloped == 0 ? axes[0].slope[k] : axes[0].weight[k];
    add_weights(axes.subspan(1), sloped - 1, weight * own, to);
  }
}

void add_offsets(std::span<const PlaceTaps> axes, std::span<const std::int64_t> lengths, std::int64_t offset,
                 std::vector<std::int64_t>& to) {
  if (axes.empty()) return to.push_back(offset);
  for (int k = 0; k < axes[0].count; ++k) {
    add_offsets(axes.subspan(1), lengths.subspan(1), offset * lengths[0] + axes[0].pixel[k], to);
  }
}

[[noreturn]] void refuse(const Node& node, const char* what, const std::string& found, const char* expected) {
  throw Error::model("node '{}' ({}): {} is '{}', expected {}", node.label(), node.op(), what, found,
                     expected);
}

}  // namespace

Sampling read_sampling(const Node& node) {
  Sampling s;
  const std::string mode = node.string_or("mode", "linear");
  if (mode == "nearest") {
    s.mode = Mode::kNearest;
  } else if (mode == "cubic" || mode == "bicubic") {
    s.mode = Mode::kCubic;
  } else if (mode != "linear" && mode != "bilinear") {
    refuse(node, "mode", mode, "nearest, linear or cubic");
  }
  const std::string padding = node.string_or("padding_mode", "zeros");
  if (padding == "border") {
    s.padding = Padding::kBorder;
  } else if (padding == "reflection") {
    s.padding = Padding::kReflection;
  } else if (padding != "zeros") {
    refuse(node, "padding_mode", padding, "zeros, border or reflection");
  }
  s.align_corners = node.int_or("align_corners", 0) != 0;
  return s;
}

void PlaceTaps::add(const Sampling& s, std::int64_t at, std::int64_t length, double w, double dw) {
  if (at < 0 || at >= length) {
    if (s.padding == Padding::kZeros) return;
    if (s.padding == Padding::kReflection) {
      const double edge = s.align_corners ? 0 : 0.5;
      const Reflected back = reflect(static_cast<double>(at), -edge, static_cast<double>(length - 1) + edge);
      at = static_cast<std::int64_t>(back.place);
    }
    at = std::clamp<std::int64_t>(at, 0, length - 1);
  }
  pixel[count] = at;
  slope[count] = dw;
  weight[count++] = w;
}

PlaceTaps taps_of(const Sampling& s, float given, std::int64_t length) {
  const auto n = static_cast<float>(length);
  const float place = s.align_corners ? (given + 1) / 2 * (n - 1) : ((given + 1) * n - 1) / 2;
  // What is no number is nowhere.
  double x = std::isnan(place) ? -1e9 : std::clamp(static_cast<double>(place), -1e9, 1e9);
  if (s.mode == Mode::kNearest) x = std::nearbyint(x);
  const double low = s.align_corners ? 0 : -0.5;
  const double high = static_cast<double>(length - 1) - low;
  double pace = static_cast<double>(s.align_corners ? length - 1 : length) / 2;  // of x along `given`
  if (x < low || x > high) {
    // A cubic goes on past the border, over pixels that repeat; runtimes have it so.
    if (s.padding == Padding::kBorder && s.mode != Mode::kCubic) {
      x = std::clamp<double>(x, 0, static_cast<double>(length - 1));
      pace = 0;
    }
    if (s.padding == Padding::kReflection) {
      const Reflected back = reflect(x, low, high);
      x = back.place;
      pace *= back.slope;
    }
  }
  PlaceTaps taps;
  const auto first = static_cast<std::int64_t>(std::floor(x));
  const double t = x - static_cast<double>(first);
  if (s.mode == Mode::kNearest) {
    taps.add(s, first, length, 1, 0);
  } else if (s.mode == Mode::kLinear) {
    taps.add(s, first, length, 1 - t, -pace);
    taps.add(s, first + 1, length, t, pace);
  } else {
    double w[4];
    double dw[4];
    cubic_weights(t, w, dw);
    for (int k = 0; k < 4; ++k) taps.add(s, first - 1 + k, length, w[k], dw[k] * pace);
  }
  return taps;
}

SampleTaps sample_taps(const Sampling& s, const float* places, std::int64_t count,
                       std::span<const std::int64_t> lengths, bool with_slopes) {
  const std::size_t n = lengths.size();
  std::vector<PlaceTaps> axes(n);
  SampleTaps taps;
  taps.slopes.resize(with_slopes ? n : 0);
  for (std::int64_t o = 0; o < count; ++o) {
    const float* place = places + o * static_cast<std::int64_t>(n);
    for (std::size_t i = 0; i < n; ++i) axes[i] = taps_of(s, place[n - 1 - i], lengths[i]);
    add_offsets(axes, lengths, 0, taps.offsets);
    add_weights(axes, -1, 1, taps.weights);
    for (std::size_t i = 0; i < taps.slopes.size(); ++i)
      add_weights(axes, static_cast<std::ptrdiff_t>(i), 1, taps.slopes[i]);
    taps.start.push_back(taps.offsets.size());
  }
  return taps;
}

}  // namespace compressor::ops
