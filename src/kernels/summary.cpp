// summary: chunks of fixed length, each summed by one thread and added up in order.
#include "compressor/kernels/summary.h"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "compressor/base/error.h"
#include "compressor/kernels/in_parallel.h"
#include "kernels/simd.h"

namespace compressor::kernels {
namespace {

constexpr std::int64_t kChunk = 1 << 12;
constexpr std::int64_t kParallelFrom = 1 << 15;
constexpr std::int64_t kLanes = 16;

struct Part {
  float min, max, sum, squares, magnitudes;
  std::int32_t zeros;
};

/// Finite numbers only. Sixteen sums side by side: vectors of any processor, the same order on all.
COMPRESSOR_CLONES Part part_of(const float* x, std::int64_t n) {
  float low[kLanes], high[kLanes], sum[kLanes], squares[kLanes], magnitudes[kLanes];
  std::int32_t zeros[kLanes];
  for (std::int64_t l = 0; l < kLanes; ++l) {
    low[l] = std::numeric_limits<float>::infinity();
    high[l] = -std::numeric_limits<float>::infinity();
    sum[l] = squares[l] = magnitudes[l] = 0;
    zeros[l] = 0;
  }
  const auto take = [&](std::int64_t i, std::int64_t l) __attribute__((always_inline)) {
    const float v = x[i];
    low[l] = v < low[l] ? v : low[l];
    high[l] = v > high[l] ? v : high[l];
    sum[l] += v;
    squares[l] += v * v;
    magnitudes[l] += v < 0 ? -v : v;
    zeros[l] += v == 0 ? 1 : 0;
  };
  const std::int64_t whole = n / kLanes * kLanes;
  for (std::int64_t i = 0; i < whole; i += kLanes) {
    for (std::int64_t l = 0; l < kLanes; ++l) take(i + l, l);
  }
  for (std::int64_t i = whole; i < n; ++i) take(i, i - whole);
  Part p{low[0], high[0], 0, 0, 0, 0};
  for (std::int64_t l = 0; l < kLanes; ++l) {
    p.min = std::min(p.min, low[l]);
    p.max = std::max(p.max, high[l]);
    p.sum += sum[l];
    p.squares += squares[l];
    p.magnitudes += magnitudes[l];
    p.zeros += zeros[l];
  }
  return p;
}

Summary slow(const float* x, std::int64_t n) {
  Summary s;
  for (std::int64_t i = 0; i < n; ++i) {
    const float v = x[i];
    if (!std::isfinite(v)) {
      ++s.not_finite;
      continue;
    }
    s.min = s.count == 0 ? v : std::min(s.min, v);
    s.max = s.count == 0 ? v : std::max(s.max, v);
    ++s.count;
    s.zeros += v == 0 ? 1 : 0;
    const auto d = static_cast<double>(v);
    s.sum += d;
    s.sum_of_squares += d * d;
    s.sum_of_magnitudes += std::fabs(d);
  }
  return s;
}

Summary chunk(const float* x, std::int64_t n) {
  const Part p = part_of(x, n);
  // A sum of magnitudes that is no number, or squares past the end of float: count one by one.
  if (!(p.squares < std::numeric_limits<float>::max())) return slow(x, n);
  Summary s;
  s.count = n;
  s.zeros = p.zeros;
  s.min = p.min;
  s.max = p.max;
  s.sum = static_cast<double>(p.sum);
  s.sum_of_squares = static_cast<double>(p.squares);
  s.sum_of_magnitudes = static_cast<double>(p.magnitudes);
  return s;
}

/// at[i] = floor(x[i] * inverse) + offset, in [0, last]; last + 1 for what is not finite.
COMPRESSOR_CLONES void bins_of(const float* x, std::int64_t n, float inverse, std::int32_t offset,
                               std::int32_t last, std::int32_t* at) {
  const auto low = static_cast<float>(-offset);
  const auto high = static_cast<float>(last - offset);
  // What is not finite is brought into the range first, and told by its bits: no branch.
  constexpr std::uint32_t kExponent = 0x7F800000U;
  for (std::int64_t i = 0; i < n; ++i) {
    float scaled = x[i] * inverse;
    scaled = scaled > low ? scaled : low;
    scaled = scaled < high ? scaled : high;
    const auto whole = static_cast<std::int32_t>(scaled);
    const auto above = static_cast<std::int32_t>(static_cast<float>(whole) > scaled);
    const std::uint32_t exponent = std::bit_cast<std::uint32_t>(x[i]) & kExponent;
    const std::int32_t other = -static_cast<std::int32_t>(exponent == kExponent);
    at[i] = ((whole - above + offset) & ~other) | ((last + 1) & other);
  }
}

/// Numbers next to each other often share a bin (zeros behind a ReLU): each of four goes to a table of its
/// own, or the additions would wait for one another. `tables`: kTables of `bins` + 1.
constexpr std::int64_t kTables = 4;
void count_into(const float* x, std::int64_t n, float inverse, std::int32_t bins, std::uint32_t* tables) {
  constexpr std::int64_t kBlock = 512;
  std::int32_t at[kBlock];
  const std::int64_t each = bins + 1;
  for (std::int64_t i = 0; i < n; i += kBlock) {
    const std::int64_t count = std::min(kBlock, n - i);
    bins_of(x + i, count, inverse, bins / 2, bins - 1, at);
    std::int64_t j = 0;
    for (; j + kTables <= count; j += kTables) {
      for (std::int64_t t = 0; t < kTables; ++t) ++tables[t * each + at[j + t]];
    }
    for (; j < count; ++j) ++tables[at[j]];
  }
}

/// Sums of `rows` rows of `channels` numbers, by channel.
struct ChannelPart {
  float *low, *high, *sum, *magnitude, *square;
};

/// Channels [first, first + count) of them, held in registers: count is at most kLanes.
__attribute__((always_inline)) inline void add_lanes(const float* x, std::int64_t rows, std::int64_t channels,
                                                     std::int64_t first, std::int64_t count,
                                                     const ChannelPart& to) {
  float low[kLanes], high[kLanes], sum[kLanes], magnitude[kLanes], square[kLanes];
  for (std::int64_t l = 0; l < count; ++l) {
    low[l] = std::numeric_limits<float>::infinity();
    high[l] = -std::numeric_limits<float>::infinity();
    sum[l] = magnitude[l] = square[l] = 0;
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* row = x + r * channels + first;
    for (std::int64_t l = 0; l < count; ++l) {
      const float v = row[l];
      low[l] = v < low[l] ? v : low[l];
      high[l] = v > high[l] ? v : high[l];
      sum[l] += v;
      magnitude[l] += v < 0 ? -v : v;
      square[l] += v * v;
    }
  }
  std::copy_n(low, count, to.low + first);
  std::copy_n(high, count, to.high + first);
  std::copy_n(sum, count, to.sum + first);
  std::copy_n(magnitude, count, to.magnitude + first);
  std::copy_n(square, count, to.square + first);
}

/// The last channels are taken together with some of those before, which come to the same sums again.
COMPRESSOR_CLONES void sum_rows(const float* x, std::int64_t rows, std::int64_t channels,
                                const ChannelPart& to) {
  if (channels < kLanes) return add_lanes(x, rows, channels, 0, channels, to);
  for (std::int64_t first = 0; first + kLanes <= channels; first += kLanes)
    add_lanes(x, rows, channels, first, kLanes, to);
  if (channels % kLanes != 0) add_lanes(x, rows, channels, channels - kLanes, kLanes, to);
}

/// Rows in groups of one length, each added up by one thread; the groups are added in order.
void add_innermost(const float* x, std::int64_t rows, std::int64_t channels, const ChannelTotals& to) {
  constexpr std::int64_t kRows = 256;
  const std::int64_t groups = (rows + kRows - 1) / kRows;
  const auto c = static_cast<std::size_t>(channels);
  std::vector<float> parts(static_cast<std::size_t>(groups) * 5 * c);
  in_parallel(rows * channels > kParallelFrom, groups, [&](std::int64_t g) {
    float* own = parts.data() + static_cast<std::size_t>(g) * 5 * c;
    const std::int64_t first = g * kRows;
    sum_rows(x + first * channels, std::min(kRows, rows - first), channels,
             {own, own + c, own + 2 * c, own + 3 * c, own + 4 * c});
  });
  for (std::int64_t g = 0; g < groups; ++g) {
    const float* own = parts.data() + static_cast<std::size_t>(g) * 5 * c;
    for (std::size_t k = 0; k < c; ++k) {
      to.min[k] = std::min(to.min[k], own[k]);
      to.max[k] = std::max(to.max[k], own[c + k]);
      to.sum[k] += static_cast<double>(own[2 * c + k]);
      to.magnitudes[k] += static_cast<double>(own[3 * c + k]);
      to.squares[k] += static_cast<double>(own[4 * c + k]);
    }
  }
}

}  // namespace

void Summary::merge(const Summary& other) {
  not_finite += other.not_finite;
  if (other.count == 0) return;
  min = count == 0 ? other.min : std::min(min, other.min);
  max = count == 0 ? other.max : std::max(max, other.max);
  count += other.count;
  zeros += other.zeros;
  sum += other.sum;
  sum_of_squares += other.sum_of_squares;
  sum_of_magnitudes += other.sum_of_magnitudes;
}

void add_channels(const float* x, std::int64_t outer, std::int64_t channels, std::int64_t inner,
                  const ChannelTotals& to) {
  if (inner == 1) return add_innermost(x, outer, channels, to);
  // Each channel is summed by one thread, in order.
  in_parallel(outer * inner * channels > kParallelFrom, channels, [&](std::int64_t k) {
    for (std::int64_t o = 0; o < outer; ++o) {
      const float* row = x + (o * channels + k) * inner;
      for (std::int64_t i = 0; i < inner; i += kChunk) {
        const Part p = part_of(row + i, std::min(kChunk, inner - i));
        to.min[k] = std::min(to.min[k], p.min);
        to.max[k] = std::max(to.max[k], p.max);
        to.sum[k] += static_cast<double>(p.sum);
        to.magnitudes[k] += static_cast<double>(p.magnitudes);
        to.squares[k] += static_cast<double>(p.squares);
      }
    }
  });
}

Summary summarize(const float* x, std::int64_t n) {
  const std::int64_t chunks = (n + kChunk - 1) / kChunk;
  std::vector<Summary> parts(static_cast<std::size_t>(chunks));
  in_parallel(n > kParallelFrom, chunks, [&](std::int64_t c) {
    parts[static_cast<std::size_t>(c)] = chunk(x + c * kChunk, std::min(kChunk, n - c * kChunk));
  });
  Summary all;
  for (const Summary& part : parts) all.merge(part);
  return all;
}

Histogram::Histogram(int bins) : counts_(static_cast<std::size_t>(bins)) {
  CHECK(bins >= 4 && (bins & (bins - 1)) == 0, "histogram of {} bins", bins);
}

void Histogram::widen(double to) {
  const std::size_t half = counts_.size() / 2;
  while (width_ < to) {
    std::vector<std::uint64_t> merged(counts_.size());
    for (std::size_t i = 0; i < half; ++i) {
      merged[half + i / 2] += counts_[half + i];
      merged[half - 1 - i / 2] += counts_[half - 1 - i];
    }
    counts_ = std::move(merged);
    width_ *= 2;
  }
}

void Histogram::add(const float* x, std::int64_t n, float min, float max) {
  if (n == 0) return;
  const double reach = std::max(std::fabs(static_cast<double>(min)), std::fabs(static_cast<double>(max)));
  // The smallest power of two whose bins reach past it; inverses of such widths are exact.
  const double half = static_cast<double>(counts_.size()) / 2;
  int exponent = -120;  // of zeros alone; what comes later widens it
  if (reach > 0) std::frexp(reach / half, &exponent);
  const double needed = std::ldexp(1.0, std::clamp(exponent, -120, 127));
  if (width_ == 0) width_ = needed;
  widen(needed);
  const auto inverse = static_cast<float>(1.0 / width_);
  const std::size_t bins = counts_.size();
  // 2^31 numbers at a time: the threads' own counts have 32 bits.
  constexpr std::int64_t kMost = std::int64_t{1} << 31;
  for (std::int64_t begin = 0; begin < n; begin += kMost) {
    const std::int64_t end = std::min(n, begin + kMost);
#pragma omp parallel if (end - begin > kParallelFrom)
    {
      std::vector<std::uint32_t> own(kTables * (bins + 1));
      const std::int64_t share = (end - begin + omp_get_num_threads() - 1) / omp_get_num_threads();
      const std::int64_t from = std::min(end, begin + omp_get_thread_num() * share);
      const std::int64_t to = std::min(end, from + share);
      count_into(x + from, to - from, inverse, static_cast<std::int32_t>(bins), own.data());
#pragma omp critical(compressor_histogram)
      for (std::size_t t = 0; t < kTables; ++t) {
        for (std::size_t i = 0; i < bins; ++i) counts_[i] += own[t * (bins + 1) + i];
      }
    }
  }
}

void Histogram::merge(const Histogram& other) {
  if (other.width_ == 0) return;
  CHECK(counts_.size() == other.counts_.size(), "histograms of different sizes");
  Histogram second = other;
  if (width_ == 0) width_ = second.width_;
  widen(second.width_);
  second.widen(width_);
  for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += second.counts_[i];
}

std::uint64_t Histogram::total() const {
  std::uint64_t sum = 0;
  for (const std::uint64_t c : counts_) sum += c;
  return sum;
}

}  // namespace compressor::kernels
