// integer_convolve: patches of the image, one row a place, meet the filters; depthwise ones go tap by tap.
#include "ops/integer_convolve.h"

#include <algorithm>

#include "compressor/kernels/in_parallel.h"
#include "compressor/kernels/integer_product.h"

namespace compressor::ops {
namespace {

/// Calls fn(tap, its offsets per axis) for all taps of a kernel.
template <class Fn>
void each_tap(const FixedWindow& w, Fn&& fn) {
  std::vector<std::int64_t> at(w.size(), 0);
  for (std::int64_t tap = 0; tap < w.taps(); ++tap) {
    fn(tap, at);
    for (std::size_t axis = w.size(); axis-- > 0;) {
      if (++at[axis] < w.kernel[axis]) break;
      at[axis] = 0;
    }
  }
}

/// Calls fn(first place, first position in the image, count, the image's step) for the runs of places along
/// the last axis at which a tap falls inside the image.
template <class Fn>
void each_run_of_tap(const FixedWindow& w, const std::vector<std::int64_t>& at, Fn&& fn) {
  const std::size_t last = w.size() - 1;
  std::vector<std::pair<std::int64_t, std::int64_t>> inside;
  for (std::size_t axis = 0; axis < w.size(); ++axis) {
    inside.push_back(w.inside(axis, at[axis]));
    if (inside[axis].first >= inside[axis].second) return;
  }
  std::vector<std::int64_t> place;
  for (const auto& [first, end] : inside) place.push_back(first);
  const std::int64_t count = inside[last].second - inside[last].first;
  while (true) {
    std::int64_t out = 0;
    std::int64_t in = 0;
    for (std::size_t axis = 0; axis < w.size(); ++axis) {
      out = out * w.out[axis] + place[axis];
      in = in * w.in[axis] + place[axis] * w.strides[axis] + at[axis] * w.dilations[axis] - w.begin[axis];
    }
    fn(out, in, count, w.strides[last]);
    std::size_t axis = last;
    while (axis > 0) {
      --axis;
      if (++place[axis] < inside[axis].second) break;
      place[axis] = inside[axis].first;
      if (axis == 0) return;
    }
    if (last == 0) return;
  }
}

/// A filter for every channel: y += w[tap] x[.. + tap ..], row by row.
void depthwise(const IntegerConvolution& c, const std::int16_t* x, const std::int16_t* w, std::int32_t* y) {
  const FixedWindow& window = c.window;
  each_tap(window, [&](std::int64_t tap, const std::vector<std::int64_t>& at) {
    const std::int32_t by = w[tap];
    each_run_of_tap(window, at,
                    [&](std::int64_t out, std::int64_t in, std::int64_t count, std::int64_t step) {
                      std::int32_t* to = y + out;
                      const std::int16_t* from = x + in;
                      if (step == 1) {
                        for (std::int64_t i = 0; i < count; ++i) to[i] += by * from[i];
                      } else {
                        for (std::int64_t i = 0; i < count; ++i) to[i] += by * from[i * step];
                      }
                    });
  });
}

/// [rows, columns] -> [columns, rows], in pieces that stay in the cache.
void transpose(const std::int16_t* from, std::int64_t rows, std::int64_t columns, std::int16_t* to) {
  constexpr std::int64_t kTile = 32;
  for (std::int64_t r0 = 0; r0 < rows; r0 += kTile) {
    const std::int64_t r1 = std::min(rows, r0 + kTile);
    for (std::int64_t j = 0; j < columns; ++j) {
      for (std::int64_t r = r0; r < r1; ++r) to[j * rows + r] = from[r * columns + j];
    }
  }
}

/// Row p holds what the window sees at place p: [places, taps, channels], of an image [in.., channels].
void to_patches(const IntegerConvolution& c, const std::int16_t* image, std::int16_t* patches) {
  const FixedWindow& w = c.window;
  const std::int64_t n = c.channels;
  const std::int64_t width = n * w.taps();
  each_tap(w, [&](std::int64_t tap, const std::vector<std::int64_t>& at) {
    each_run_of_tap(w, at, [&](std::int64_t out, std::int64_t in, std::int64_t count, std::int64_t step) {
      std::int16_t* to = patches + out * width + tap * n;
      const std::int16_t* from = image + in * n;
      for (std::int64_t i = 0; i < count; ++i) std::copy_n(from + i * step * n, n, to + i * width);
    });
  });
}

/// The patches are the image itself.
bool sees_single_positions(const FixedWindow& w) {
  for (std::size_t i = 0; i < w.size(); ++i) {
    if (w.kernel[i] != 1 || w.strides[i] != 1 || w.begin[i] != 0 || w.end[i] != 0) return false;
  }
  return true;
}

}  // namespace

std::vector<std::int32_t> integer_convolve(const IntegerConvolution& c) {
  const std::int64_t in = c.window.in_plane();
  const std::int64_t places = c.window.out_plane();
  const std::int64_t taps = c.window.taps();
  const std::int64_t width = c.channels * taps;
  std::vector<std::int32_t> y(static_cast<std::size_t>(c.batch * c.groups * c.filters * places), 0);
  if (y.empty()) return y;
  const bool is_depthwise = c.channels == 1 && c.filters == 1;
  const std::int64_t count = c.batch * c.groups;
  if (is_depthwise) {
    [[maybe_unused]] const bool large = count * places * taps > (1 << 18);
    kernels::in_parallel(large, count, [&](std::int64_t i) {
      depthwise(c, c.x + i * in, c.w + i % c.groups * taps, y.data() + i * places);
    });
    return y;
  }
  std::vector<std::int16_t> w(static_cast<std::size_t>(c.groups * c.filters * width));
  for (std::int64_t i = 0; i < c.groups * c.filters; ++i) {
    transpose(c.w + i * width, c.channels, taps, w.data() + i * width);
  }
  std::vector<std::int16_t> image(static_cast<std::size_t>(in * c.channels));
  const bool single = sees_single_positions(c.window);
  std::vector<std::int16_t> patches(single ? 0 : static_cast<std::size_t>(places * width), 0);
  for (std::int64_t i = 0; i < count; ++i) {
    transpose(c.x + i * c.channels * in, c.channels, in, image.data());
    if (!single) to_patches(c, image.data(), patches.data());
    kernels::integer_product(w.data() + i % c.groups * c.filters * width,
                             single ? image.data() : patches.data(), y.data() + i * c.filters * places,
                             c.filters, places, width);
  }
  return y;
}

}  // namespace compressor::ops
