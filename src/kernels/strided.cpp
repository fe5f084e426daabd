// strided: axes are sorted by where they write, neighbours are merged, and two of them are walked in tiles
// where reading and writing run along different ones.
#include "compressor/kernels/strided.h"

#include <algorithm>
#include <cstring>

#include "compressor/base/error.h"
#include "compressor/kernels/in_parallel.h"

namespace compressor::kernels {
namespace {

constexpr std::int64_t kParallelFrom = 1 << 15;
constexpr std::int64_t kTile = 32;

std::int64_t size_of(const StridedAxes& axes) {
  std::int64_t size = 1;
  for (const StridedAxis& a : axes) size *= a.n;
  return size;
}

std::int64_t away(std::int64_t stride) {
  return stride < 0 ? -stride : stride;
}

/// Longest way first; axes of length 1 are gone, and those that both sides read as one are one.
StridedAxes merged(StridedAxes axes) {
  std::erase_if(axes, [](const StridedAxis& a) { return a.n == 1; });
  std::stable_sort(axes.begin(), axes.end(), [](const StridedAxis& a, const StridedAxis& b) {
    return away(a.to) != away(b.to) ? away(a.to) > away(b.to) : away(a.from) > away(b.from);
  });
  StridedAxes result;
  for (const StridedAxis& a : axes) {
    if (!result.empty() && result.back().to == a.to * a.n && result.back().from == a.from * a.n) {
      result.back() = {result.back().n * a.n, a.from, a.to};
    } else {
      result.push_back(a);
    }
  }
  return result;
}

struct Place {
  std::int64_t from = 0, to = 0;
};

/// Where block number `i` of the outer axes begins.
Place place_of(const StridedAxes& outer, std::int64_t i) {
  Place p;
  for (std::size_t k = outer.size(); k-- > 0;) {
    p.from += i % outer[k].n * outer[k].from;
    p.to += i % outer[k].n * outer[k].to;
    i /= outer[k].n;
  }
  return p;
}

/// Cuts a long axis in two, so that threads share it.
void cut(StridedAxes& outer, StridedAxis& inner) {
  if (size_of(outer) > 7 || inner.n < kParallelFrom) return;
  std::int64_t pieces = 16;
  while (pieces > 1 && inner.n % pieces != 0) --pieces;
  if (pieces == 1) return;
  inner.n /= pieces;
  outer.push_back({pieces, inner.from * inner.n, inner.to * inner.n});
}

template <class T>
void copy_row(const T* from, std::int64_t sf, T* to, std::int64_t st, std::int64_t n) {
  if (sf == 1 && st == 1 && n <= 16) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = from[i];
  } else if (sf == 1 && st == 1) {
    std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(T));
  } else if (sf == 0 && st == 1) {
    std::fill_n(to, n, *from);
  } else {
    for (std::int64_t i = 0; i < n; ++i) to[i * st] = from[i * sf];
  }
}

template <class T>
void copy_rows(StridedAxes outer, StridedAxis inner, const T* from, T* to) {
  cut(outer, inner);
  const bool worth = size_of(outer) * inner.n > kParallelFrom;
  // Short rows one after the other: to find the place of each would take longer than to copy it.
  StridedAxis rows{1, 0, 0};
  if (!outer.empty() && (!worth || size_of(outer) / outer.back().n >= 16)) {
    rows = outer.back();
    outer.pop_back();
  }
  in_parallel(worth, size_of(outer), [&](std::int64_t i) {
    const Place p = place_of(outer, i);
    for (std::int64_t r = 0; r < rows.n; ++r) {
      copy_row(from + p.from + r * rows.from, inner.from, to + p.to + r * rows.to, inner.to, inner.n);
    }
  });
}

/// `a` is written one after the other, `b` is read so.
template <class T>
void copy_tiles(const StridedAxes& outer, const StridedAxis& a, const StridedAxis& b, const T* from, T* to) {
  const std::int64_t count = size_of(outer);
  const std::int64_t tiles = (b.n + kTile - 1) / kTile;
  in_parallel(count * a.n * b.n > kParallelFrom, count * tiles, [&](std::int64_t i) {
    const Place p = place_of(outer, i / tiles);
    const std::int64_t first = i % tiles * kTile;
    const std::int64_t last = std::min(b.n, first + kTile);
    for (std::int64_t at = 0; at < a.n; at += kTile) {
      const std::int64_t end = std::min(a.n, at + kTile);
      for (std::int64_t j = first; j < last; ++j) {
        const T* in = from + p.from + j * b.from;
        T* out = to + p.to + j * b.to;
        for (std::int64_t k = at; k < end; ++k) out[k * a.to] = in[k * a.from];
      }
    }
  });
}

template <class T>
void copy(StridedAxes axes, const std::byte* in, std::byte* out) {
  const T* from = reinterpret_cast<const T*>(in);
  T* to = reinterpret_cast<T*>(out);
  axes = merged(std::move(axes));
  if (axes.empty()) {
    *to = *from;
    return;
  }
  const StridedAxis inner = axes.back();
  axes.pop_back();
  if (away(inner.from) > 1) {
    const auto near = std::find_if(axes.begin(), axes.end(),
                                   [](const StridedAxis& a) { return away(a.from) == 1 && a.n >= 4; });
    if (near != axes.end()) {
      const StridedAxis other = *near;
      axes.erase(near);
      return copy_tiles(axes, inner, other, from, to);
    }
  }
  copy_rows(std::move(axes), inner, from, to);
}

struct Wide {
  std::uint64_t a, b;
};

/// to[0] += the sum of a row, in double.
void add_sum(const float* from, std::int64_t stride, std::int64_t n, float* to) {
  double lanes[4] = {};
  std::int64_t i = 0;
  for (; i + 4 <= n; i += 4) {
    for (int k = 0; k < 4; ++k) lanes[k] += static_cast<double>(from[(i + k) * stride]);
  }
  for (; i < n; ++i) lanes[0] += static_cast<double>(from[i * stride]);
  *to = static_cast<float>(static_cast<double>(*to) + ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])));
}

}  // namespace

std::vector<std::int64_t> strides_of(const Dims& shape, Layout layout) {
  const std::size_t rank = shape.size();
  std::vector<std::int64_t> strides(rank, 1);
  std::int64_t step = 1;
  const bool last = layout == Layout::kChannelsLast && rank > 2;
  if (last) {
    strides[1] = 1;
    step = shape[1];
  }
  for (std::size_t i = rank; i-- > 0;) {
    if (last && i == 1) continue;
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

void copy_strided(std::size_t width, StridedAxes axes, const std::byte* from, std::byte* to) {
  if (size_of(axes) == 0) return;
  switch (width) {
    case 1:
      return copy<std::uint8_t>(std::move(axes), from, to);
    case 2:
      return copy<std::uint16_t>(std::move(axes), from, to);
    case 4:
      return copy<std::uint32_t>(std::move(axes), from, to);
    case 8:
      return copy<std::uint64_t>(std::move(axes), from, to);
    case 16:
      return copy<Wide>(std::move(axes), from, to);
    default:
      CHECK(false, "no copy of elements of {} bytes", width);
  }
}

// Axes that are summed over stand innermost: every place is one thread's, and its sum one double's.
void add_strided(StridedAxes axes, const float* from, float* to) {
  if (size_of(axes) == 0) return;
  StridedAxes outer, gone;
  for (const StridedAxis& a : axes) (a.to == 0 ? gone : outer).push_back(a);
  outer = merged(std::move(outer));
  gone = merged(std::move(gone));
  if (gone.empty()) {
    const StridedAxis inner = outer.empty() ? StridedAxis{} : outer.back();
    if (!outer.empty()) outer.pop_back();
    const std::int64_t count = size_of(outer);
    in_parallel(count * inner.n > kParallelFrom, count, [&](std::int64_t i) {
      const Place p = place_of(outer, i);
      for (std::int64_t k = 0; k < inner.n; ++k) to[p.to + k * inner.to] += from[p.from + k * inner.from];
    });
    return;
  }
  const StridedAxis row = gone.back();
  if (away(row.from) == 1 || outer.empty() || away(outer.back().from) != 1) {
    gone.pop_back();
    const std::int64_t count = size_of(outer);
    const std::int64_t rows = size_of(gone);
    in_parallel(count * rows * row.n > kParallelFrom, count, [&](std::int64_t i) {
      const Place p = place_of(outer, i);
      for (std::int64_t r = 0; r < rows; ++r) {
        add_sum(from + p.from + place_of(gone, r).from, row.from, row.n, to + p.to);
      }
    });
    return;
  }
  // Sums of neighbours are told together, a strip of them at a time.
  const StridedAxis along = outer.back();
  outer.pop_back();
  const std::int64_t strips = (along.n + kTile - 1) / kTile;
  const std::int64_t count = size_of(outer) * strips;
  const std::int64_t rows = size_of(gone);
  in_parallel(count * rows * kTile > kParallelFrom, count, [&](std::int64_t i) {
    const Place p = place_of(outer, i / strips);
    const std::int64_t first = i % strips * kTile;
    const std::int64_t n = std::min(kTile, along.n - first);
    double sums[kTile] = {};
    for (std::int64_t r = 0; r < rows; ++r) {
      const float* in = from + p.from + place_of(gone, r).from + first * along.from;
      for (std::int64_t k = 0; k < n; ++k) sums[k] += static_cast<double>(in[k * along.from]);
    }
    for (std::int64_t k = 0; k < n; ++k) {
      float& out = to[p.to + (first + k) * along.to];
      out = static_cast<float>(static_cast<double>(out) + sums[k]);
    }
  });
}

}  // namespace compressor::kernels
