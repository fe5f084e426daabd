// pooling: what lies under a window is listed, then all channels of it are read together.
#include "compressor/kernels/pooling.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "compressor/kernels/in_parallel.h"
#include "kernels/pool_row.h"
#include "kernels/simd.h"

namespace compressor::kernels {
namespace {

constexpr std::int64_t kBlock = 64;              ///< channels that are done together
constexpr std::int64_t kParallelFrom = 1 << 15;  ///< numbers

/// Offsets into x of the places under a window, each that of its first channel.
struct Taps {
  std::vector<std::int64_t> inside;
  std::int64_t padded = 0;  ///< places of the window inside the padded input
};

/// First and one past the last tap of a window at `at` that falls into [low, high).
struct Span {
  std::int64_t first = 0, last = 0;
  std::int64_t count() const { return std::max<std::int64_t>(0, last - first); }
};
Span inside(std::int64_t at, std::int64_t kernel, std::int64_t dilation, std::int64_t low,
            std::int64_t high) {
  Span s{0, kernel};
  while (s.first < kernel && at + s.first * dilation < low) ++s.first;
  while (s.last > s.first && at + (s.last - 1) * dilation >= high) --s.last;
  return s;
}

void list_taps(const PoolShape& s, std::int64_t place, Taps& taps) {
  std::array<std::int64_t, 3> at{};
  std::array<Span, 3> span{};
  taps.padded = 1;
  for (std::size_t i = 3; i-- > 0;) {
    at[i] = place % s.out[i] * s.stride[i] - s.pad_begin[i];
    place /= s.out[i];
    span[i] = inside(at[i], s.kernel[i], s.dilation[i], 0, s.in[i]);
    taps.padded *= inside(at[i], s.kernel[i], s.dilation[i], -s.pad_begin[i], s.in[i] + s.pad_end[i]).count();
  }
  taps.inside.clear();
  for (std::int64_t d = span[0].first; d < span[0].last; ++d) {
    for (std::int64_t h = span[1].first; h < span[1].last; ++h) {
      const std::int64_t row =
          ((at[0] + d * s.dilation[0]) * s.in[1] + at[1] + h * s.dilation[1]) * s.in[2] + at[2];
      for (std::int64_t w = span[2].first; w < span[2].last; ++w) {
        taps.inside.push_back((row + w * s.dilation[2]) * s.channels);
      }
    }
  }
}

/// body(image, place, taps) for every place, rows of places in parallel.
template <class Body>
void each_place(const PoolShape& s, const Body& body) {
  const std::int64_t rows = s.n * s.out[0] * s.out[1];
  const std::int64_t per_image = s.out[0] * s.out[1];
  in_parallel(rows * s.out[2] * s.channels > kParallelFrom, rows, [&](std::int64_t row) {
    thread_local Taps taps;
    for (std::int64_t w = 0; w < s.out[2]; ++w) {
      const std::int64_t place = row % per_image * s.out[2] + w;
      list_taps(s, place, taps);
      body(row / per_image, place, taps);
    }
  });
}

COMPRESSOR_CLONES void max_of(const float* x, const std::int64_t* taps, std::size_t count,
                              std::int64_t channels, float* y) {
  std::int64_t c = 0;
  for (; c + kBlock <= channels; c += kBlock) {
    float top[kBlock];
    for (float& v : top) v = -std::numeric_limits<float>::infinity();
    for (std::size_t t = 0; t < count; ++t) {
      const float* from = x + taps[t] + c;
      for (std::int64_t i = 0; i < kBlock; ++i) top[i] = from[i] > top[i] ? from[i] : top[i];
    }
    for (std::int64_t i = 0; i < kBlock; ++i) y[c + i] = top[i];
  }
  if (c == channels) return;
  for (std::int64_t i = c; i < channels; ++i) y[i] = -std::numeric_limits<float>::infinity();
  for (std::size_t t = 0; t < count; ++t) {
    const float* from = x + taps[t];
    for (std::int64_t i = c; i < channels; ++i) y[i] = from[i] > y[i] ? from[i] : y[i];
  }
}

COMPRESSOR_CLONES void sum_of(const float* x, const std::int64_t* taps, std::size_t count,
                              std::int64_t channels, float by, float* y) {
  std::int64_t c = 0;
  for (; c + kBlock <= channels; c += kBlock) {
    float sum[kBlock] = {};
    for (std::size_t t = 0; t < count; ++t) {
      const float* from = x + taps[t] + c;
      for (std::int64_t i = 0; i < kBlock; ++i) sum[i] += from[i];
    }
    for (std::int64_t i = 0; i < kBlock; ++i) y[c + i] = sum[i] * by;
  }
  for (std::int64_t i = c; i < channels; ++i) y[i] = 0;
  for (std::size_t t = 0; t < count; ++t) {
    const float* from = x + taps[t];
    for (std::int64_t i = c; i < channels; ++i) y[i] += from[i];
  }
  for (std::int64_t i = c; i < channels; ++i) y[i] *= by;
}

/// dx += dy at the first largest tap of channels [0, width); at and top are scratch.
COMPRESSOR_CLONES void add_to_largest(const float* x, const std::int64_t* taps, std::size_t count,
                                      std::int64_t width, const float* dy, float* dx) {
  float top[kBlock];
  std::int32_t at[kBlock] = {};
  for (std::int64_t i = 0; i < width; ++i) top[i] = -std::numeric_limits<float>::infinity();
  for (std::size_t t = 0; t < count; ++t) {
    const float* from = x + taps[t];
    for (std::int64_t i = 0; i < width; ++i) {
      const bool larger = from[i] > top[i];
      top[i] = larger ? from[i] : top[i];
      at[i] = larger ? static_cast<std::int32_t>(t) : at[i];
    }
  }
  for (std::int64_t i = 0; i < width; ++i) dx[taps[at[i]] + i] += dy[i];
}

COMPRESSOR_CLONES void add_scaled(const float* dy, std::int64_t n, float by, float* dx) {
  for (std::int64_t i = 0; i < n; ++i) dx[i] += dy[i] * by;
}

float share(const Taps& taps, bool count_padding) {
  const auto count = count_padding ? static_cast<float>(taps.padded) : static_cast<float>(taps.inside.size());
  return count > 0 ? 1.0F / count : 0.0F;
}

/// body(image, first channel, width, place, taps): windows of one image and block of channels in order, so
/// that sums where windows meet do not depend on the threads.
template <class Body>
void each_block(const PoolShape& s, float* dx, const Body& body) {
  const std::int64_t blocks = (s.channels + kBlock - 1) / kBlock;
  const std::int64_t image = s.in_places() * s.channels;
  in_parallel(s.n * image > kParallelFrom, s.n * blocks, [&](std::int64_t task) {
    thread_local Taps taps;
    const std::int64_t n = task / blocks;
    const std::int64_t first = task % blocks * kBlock;
    const std::int64_t width = std::min(kBlock, s.channels - first);
    for (std::int64_t p = 0; p < s.in_places(); ++p) {
      std::fill_n(dx + n * image + p * s.channels + first, width, 0.0F);
    }
    for (std::int64_t place = 0; place < s.out_places(); ++place) {
      list_taps(s, place, taps);
      body(n, first, width, place, taps);
    }
  });
}

/// y[c] = fold of x[p, c] over places p, for a block of channels.
COMPRESSOR_CLONES void average_block(const float* x, std::int64_t places, std::int64_t stride,
                                     std::int64_t width, float* y) {
  double sum[kBlock] = {};
  for (std::int64_t p = 0; p < places; ++p) {
    const float* from = x + p * stride;
    for (std::int64_t i = 0; i < width; ++i) sum[i] += static_cast<double>(from[i]);
  }
  for (std::int64_t i = 0; i < width; ++i) y[i] = static_cast<float>(sum[i] / static_cast<double>(places));
}

COMPRESSOR_CLONES void max_block(const float* x, std::int64_t places, std::int64_t stride, std::int64_t width,
                                 float* y) {
  float top[kBlock];
  for (std::int64_t i = 0; i < width; ++i) top[i] = x[i];
  for (std::int64_t p = 1; p < places; ++p) {
    const float* from = x + p * stride;
    for (std::int64_t i = 0; i < width; ++i) top[i] = from[i] > top[i] ? from[i] : top[i];
  }
  for (std::int64_t i = 0; i < width; ++i) y[i] = top[i];
}

template <class Block>
void globally(std::int64_t n, std::int64_t places, std::int64_t channels, const float* x, float* y,
              const Block& block) {
  const std::int64_t blocks = (channels + kBlock - 1) / kBlock;
  in_parallel(n * blocks > 1 && n * places * channels > kParallelFrom, n * blocks, [&](std::int64_t task) {
    const std::int64_t first = task % blocks * kBlock;
    block(x + task / blocks * places * channels + first, places, channels, std::min(kBlock, channels - first),
          y + task / blocks * channels + first);
  });
}

bool has_rows(const PoolShape& s) {
  return s.in[0] == 1 && s.out[0] == 1 && s.kernel[0] == 1;
}

/// body(row, its rows inside the padded image) for rows of outputs, in parallel.
template <class Body>
void each_row(const PoolShape& s, const float* x, float* y, const Body& body) {
  const std::int64_t rows = s.n * s.out[1];
  in_parallel(rows * s.out[2] * s.channels > kParallelFrom, rows, [&](std::int64_t i) {
    const std::int64_t at = i % s.out[1] * s.stride[1] - s.pad_begin[1];
    const Span span = inside(at, s.kernel[1], s.dilation[1], 0, s.in[1]);
    const std::int64_t line = s.in[2] * s.channels;
    PoolRow row;
    row.x = x + i / s.out[1] * s.in[1] * line + (at + span.first * s.dilation[1]) * line;
    row.y = y + i * s.out[2] * s.channels;
    row.channels = s.channels;
    row.height = span.count();
    row.below = s.dilation[1] * line;
    row.in = s.in[2];
    row.out = s.out[2];
    row.kernel = s.kernel[2];
    row.stride = s.stride[2];
    row.dilation = s.dilation[2];
    row.pad_begin = s.pad_begin[2];
    row.pad_end = s.pad_end[2];
    body(row, inside(at, s.kernel[1], s.dilation[1], -s.pad_begin[1], s.in[1] + s.pad_end[1]).count());
  });
}

}  // namespace

void max_pool(const PoolShape& s, const float* x, float* y) {
  if (has_rows(s)) return each_row(s, x, y, [](const PoolRow& row, std::int64_t) { max_row(row); });
  each_place(s, [&](std::int64_t n, std::int64_t place, const Taps& taps) {
    max_of(x + n * s.in_places() * s.channels, taps.inside.data(), taps.inside.size(), s.channels,
           y + (n * s.out_places() + place) * s.channels);
  });
}

void average_pool(const PoolShape& s, bool count_padding, const float* x, float* y) {
  if (has_rows(s)) {
    return each_row(s, x, y, [&](const PoolRow& row, std::int64_t padded) {
      average_row(row, count_padding ? padded : 0);
    });
  }
  each_place(s, [&](std::int64_t n, std::int64_t place, const Taps& taps) {
    sum_of(x + n * s.in_places() * s.channels, taps.inside.data(), taps.inside.size(), s.channels,
           share(taps, count_padding), y + (n * s.out_places() + place) * s.channels);
  });
}

void max_pool_backward(const PoolShape& s, const float* x, const float* dy, float* dx) {
  each_block(s, dx,
             [&](std::int64_t n, std::int64_t first, std::int64_t width, std::int64_t place, Taps& taps) {
               if (taps.inside.empty()) return;
               const std::int64_t at = n * s.in_places() * s.channels + first;
               add_to_largest(x + at, taps.inside.data(), taps.inside.size(), width,
                              dy + (n * s.out_places() + place) * s.channels + first, dx + at);
             });
}

void average_pool_backward(const PoolShape& s, bool count_padding, const float* dy, float* dx) {
  each_block(s, dx,
             [&](std::int64_t n, std::int64_t first, std::int64_t width, std::int64_t place, Taps& taps) {
               const float by = share(taps, count_padding);
               const float* from = dy + (n * s.out_places() + place) * s.channels + first;
               float* to = dx + n * s.in_places() * s.channels + first;
               for (const std::int64_t tap : taps.inside) add_scaled(from, width, by, to + tap);
             });
}

void global_average(std::int64_t n, std::int64_t places, std::int64_t channels, const float* x, float* y) {
  globally(n, places, channels, x, y, average_block);
}

void global_max(std::int64_t n, std::int64_t places, std::int64_t channels, const float* x, float* y) {
  globally(n, places, channels, x, y, max_block);
}

}  // namespace compressor::kernels
