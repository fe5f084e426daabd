// convolve: convolutions as matrix products with columns that are made for some places at a time.
#include "ops/convolve.h"

#include <algorithm>

#include "ops/product.h"
#include "ops/real.h"

namespace compressor::ops {
namespace {

/// Places of one row of the last axis, as one tap sees them.
struct Places1d {
  std::int64_t tap = 0;
  std::int64_t column = 0;  ///< of the first place
  std::int64_t count = 0;
  std::int64_t low = 0, high = 0;  ///< places [low, high) are inside the image, counted from the first
  std::int64_t at = 0;             ///< offset in the image of place 0; place i is at + i * stride
};

/// The part of places [first, last) that lies in one row of the last axis.
struct Row {
  std::vector<std::int64_t> outer;  ///< position on the other axes
  std::int64_t place = 0, count = 0, column = 0;
};

std::vector<Row> rows_of(const FixedWindow& w, std::int64_t first, std::int64_t last) {
  const std::size_t n = w.size();
  const std::int64_t width = w.out[n - 1];
  std::vector<Row> rows;
  for (std::int64_t o = first; o < last;) {
    Row row{std::vector<std::int64_t>(n - 1), o % width, 0, o - first};
    row.count = std::min(width - row.place, last - o);
    std::int64_t rest = o / width;
    for (std::size_t i = n - 1; i-- > 0;) {
      row.outer[i] = rest % w.out[i];
      rest /= w.out[i];
    }
    o += row.count;
    rows.push_back(std::move(row));
  }
  return rows;
}

/// Calls fn(const Places1d&) for every tap and every row of places [first, last).
template <class Fn>
void each_row(const FixedWindow& w, std::int64_t first, std::int64_t last, Fn&& fn) {
  const std::size_t n = w.size();
  const std::vector<Row> rows = rows_of(w, first, last);
  std::vector<std::int64_t> tap(n, 0);
  Places1d p;
  for (; p.tap < w.taps(); ++p.tap) {
    const auto [low, high] = w.inside(n - 1, tap[n - 1]);
    for (const Row& row : rows) {
      bool inside = true;
      std::int64_t offset = 0;
      for (std::size_t i = 0; i + 1 < n; ++i) {
        const std::int64_t at = row.outer[i] * w.strides[i] + tap[i] * w.dilations[i] - w.begin[i];
        inside = inside && at >= 0 && at < w.in[i];
        offset = (offset + at) * w.in[i + 1];
      }
      p.column = row.column;
      p.count = row.count;
      p.low = inside ? std::clamp<std::int64_t>(low - row.place, 0, row.count) : 0;
      p.high = inside ? std::clamp<std::int64_t>(high - row.place, p.low, row.count) : 0;
      p.at = offset + row.place * w.strides[n - 1] + tap[n - 1] * w.dilations[n - 1] - w.begin[n - 1];
      fn(static_cast<const Places1d&>(p));
    }
    for (std::size_t i = n; i-- > 0;) {
      if (++tap[i] < w.kernel[i]) break;
      tap[i] = 0;
    }
  }
}

bool is_pointwise(const FixedWindow& w) {
  return w.taps() == 1 && w.in == w.out &&
         std::all_of(w.strides.begin(), w.strides.end(), [](std::int64_t s) { return s == 1; }) &&
         std::all_of(w.begin.begin(), w.begin.end(), [](std::int64_t p) { return p == 0; });
}

struct Sizes {
  std::int64_t n, c_in, c_out, group;  ///< channels of all groups
};

template <class T>
void fill_bias(const Elements<T>* bias, std::int64_t first, std::int64_t count, std::int64_t ld, T* y,
               std::int64_t width) {
  if (!bias) return;
  for (std::int64_t i = 0; i < count; ++i) std::fill_n(y + i * ld, width, (*bias)[first + i]);
}

/// Some filters of one group at some places of one image.
struct Part {
  std::int64_t image, group, first_filter, last_filter, first_place, last_place;
};

std::vector<Part> parts_of(const FixedWindow& w, const Sizes& s) {
  const std::int64_t depth = s.c_in / s.group * w.taps();
  const std::int64_t filters = s.c_out / s.group;
  const std::int64_t plane = w.out_plane();
  // Columns that stay in the second level cache.
  const std::int64_t width = std::clamp<std::int64_t>((std::int64_t{1} << 16) / depth / 16 * 16, 64, 2048);
  const std::int64_t tasks = s.n * s.group * ((plane + width - 1) / width);
  const std::int64_t height = tasks < 8 ? 64 : filters;
  std::vector<Part> parts;
  for (std::int64_t i = 0; i < s.n * s.group; ++i) {
    for (std::int64_t o = 0; o < plane; o += width) {
      for (std::int64_t f = 0; f < filters; f += height) {
        parts.push_back(
            {i / s.group, i % s.group, f, std::min(filters, f + height), o, std::min(plane, o + width)});
      }
    }
  }
  return parts;
}

template <class T>
Tensor convolve_as(const Tensor& input, const Tensor& weight, const Elements<T>* bias, const FixedWindow& w,
                   const Sizes& s) {
  const Elements<T> x(input);
  const Elements<T> filters(weight);
  Dims shape{s.n, s.c_out};
  shape.insert(shape.end(), w.out.begin(), w.out.end());
  Result<T> y(input.dtype, shape);
  const std::int64_t in_plane = w.in_plane();
  const std::int64_t out_plane = w.out_plane();
  const std::int64_t per_group = s.c_in / s.group;
  const std::int64_t depth = per_group * w.taps();
  if (y.size() == 0) return y.finish();
  const bool pointwise = is_pointwise(w);
  const std::vector<Part> parts = depth == 0 ? std::vector<Part>() : parts_of(w, s);
  if (depth == 0 && bias) {
    for (std::int64_t i = 0; i < s.n; ++i)
      fill_bias(bias, 0, s.c_out, out_plane, y.data() + i * s.c_out * out_plane, out_plane);
  }
  const auto count = static_cast<std::int64_t>(parts.size());
#pragma omp parallel for schedule(dynamic) if (y.size() * depth > kParallelWork)
  for (std::int64_t i = 0; i < count; ++i) {
    const Part& p = parts[static_cast<std::size_t>(i)];
    const std::int64_t width = p.last_place - p.first_place;
    const std::int64_t filter = p.group * (s.c_out / s.group) + p.first_filter;
    const T* image = x.data() + (p.image * s.c_in + p.group * per_group) * in_plane;
    T* to = y.data() + (p.image * s.c_out + filter) * out_plane + p.first_place;
    const std::int64_t rows = p.last_filter - p.first_filter;
    fill_bias(bias, filter, rows, out_plane, to, width);
    if (pointwise) {
      add_product(rows, width, depth, filters.data() + filter * depth, depth, image + p.first_place, in_plane,
                  to, out_plane);
      continue;
    }
    std::vector<T> columns(static_cast<std::size_t>(depth * width));
    to_columns(w, image, per_group, p.first_place, p.last_place, columns.data());
    add_product(rows, width, depth, filters.data() + filter * depth, depth, columns.data(), width, to,
                out_plane);
  }
  return y.finish();
}

template <class T>
Tensor transposed_as(const Tensor& input, const Tensor& weight, const Elements<T>* bias, const FixedWindow& w,
                     const Sizes& s) {
  const Elements<T> x(input);
  const Elements<T> filters(weight);
  Dims shape{s.n, s.c_out};
  shape.insert(shape.end(), w.in.begin(), w.in.end());
  Result<T> y(input.dtype, shape);
  const std::int64_t places = w.out_plane();
  const std::int64_t plane = w.in_plane();
  const std::int64_t c_in = s.c_in / s.group;
  const std::int64_t c_out = s.c_out / s.group;
  const std::int64_t taps = w.taps();
  if (y.size() == 0) return y.finish();
  // Filters whose columns are made at a time; what they add stays in their own planes.
  const std::int64_t block =
      std::clamp<std::int64_t>((std::int64_t{1} << 18) / std::max<std::int64_t>(1, taps * places), 1, c_out);
  const std::int64_t blocks = (c_out + block - 1) / block;
  const std::int64_t tasks = s.group * blocks;
#pragma omp parallel for schedule(dynamic) if (s.n * x.size() * static_cast <std::size_t>(c_out * taps) > \
                                               kParallelWork)
  for (std::int64_t task = 0; task < tasks; ++task) {
    const std::int64_t group = task / blocks;
    const std::int64_t first = task % blocks * block;
    const std::int64_t count = std::min(block, c_out - first);
    const std::vector<T> turned = transposed(filters.data() + group * c_in * c_out * taps + first * taps,
                                             c_in, count * taps, c_out * taps);
    std::vector<T> columns;
    for (std::int64_t image = 0; image < s.n; ++image) {
      columns.assign(static_cast<std::size_t>(count * taps * places), T{});
      add_product(count * taps, places, c_in, turned.data(), c_in,
                  x.data() + (image * s.c_in + group * c_in) * places, places, columns.data(), places);
      T* to = y.data() + (image * s.c_out + group * c_out + first) * plane;
      fill_bias(bias, group * c_out + first, count, plane, to, plane);
      add_columns(w, columns.data(), count, to);
    }
  }
  return y.finish();
}

std::span<const std::int64_t> spatial(const Tensor& tensor) {
  return std::span(tensor.shape).subspan(2);
}

void expect_bias(const ComputeContext& ctx, std::size_t i, std::int64_t c_out) {
  if (!ctx.has(i)) return;
  if (ctx.in(i).shape == Dims{c_out}) return;
  ctx.fail("bias is {}, expected {}", to_string(ctx.in(i).shape), c_out);
}

}  // namespace

template <class T>
void to_columns(const FixedWindow& w, const T* x, std::int64_t channels, std::int64_t first,
                std::int64_t last, T* columns) {
  const std::int64_t width = last - first;
  const std::int64_t taps = w.taps();
  const std::int64_t plane = w.in_plane();
  const std::int64_t stride = w.strides.back();
  each_row(w, first, last, [&](const Places1d& p) {
    for (std::int64_t c = 0; c < channels; ++c) {
      T* to = columns + (c * taps + p.tap) * width + p.column;
      const T* from = x + c * plane;
      std::fill_n(to, p.low, T{});
      if (stride == 1) {
        std::copy_n(from + p.at + p.low, p.high - p.low, to + p.low);
      } else {
        for (std::int64_t i = p.low; i < p.high; ++i) to[i] = from[p.at + i * stride];
      }
      std::fill_n(to + p.high, p.count - p.high, T{});
    }
  });
}

template <class T>
void add_columns(const FixedWindow& w, const T* columns, std::int64_t channels, T* y) {
  const std::int64_t width = w.out_plane();
  const std::int64_t taps = w.taps();
  const std::int64_t plane = w.in_plane();
  const std::int64_t stride = w.strides.back();
  each_row(w, 0, width, [&](const Places1d& p) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const T* from = columns + (c * taps + p.tap) * width + p.column;
      T* to = y + c * plane + p.at;
      for (std::int64_t i = p.low; i < p.high; ++i) to[i * stride] += from[i];
    }
  });
}

template void to_columns(const FixedWindow&, const float*, std::int64_t, std::int64_t, std::int64_t, float*);
template void to_columns(const FixedWindow&, const double*, std::int64_t, std::int64_t, std::int64_t,
                         double*);
template void add_columns(const FixedWindow&, const float*, std::int64_t, float*);
template void add_columns(const FixedWindow&, const double*, std::int64_t, double*);

Tensor convolve(const ComputeContext& ctx, const Convolution& which) {
  const Tensor& x = ctx.in(0);
  const Tensor& weight = ctx.in(which.w);
  if (x.rank() < 3 || weight.rank() != x.rank()) {
    ctx.fail("weight is {}, input {}: expected one rank of at least 3", to_string(weight.shape),
             to_string(x.shape));
  }
  const Sizes s{x.shape[0], x.shape[1], weight.shape[0], ctx.node().int_or("group", 1)};
  if (s.group < 1 || s.c_in != weight.shape[1] * s.group || s.c_out % s.group != 0) {
    ctx.fail("weight is {} in {} groups, but the input is {}", to_string(weight.shape), s.group,
             to_string(x.shape));
  }
  expect_bias(ctx, which.b, s.c_out);
  const std::span<const std::int64_t> kernel = spatial(weight);
  const FixedWindow w = fix(
      ctx.node(), read_window(ctx.node(), kernel.size(), SymDims(kernel.begin(), kernel.end())), spatial(x));
  Tensor y;
  with_real(ctx, x.dtype, [&]<class T>(T) {
    std::optional<Elements<T>> bias;
    if (ctx.has(which.b)) bias.emplace(ctx.in(which.b));
    y = convolve_as<T>(x, weight, bias ? &*bias : nullptr, w, s);
  });
  return y;
}

Tensor convolve_transposed(const ComputeContext& ctx, const FixedWindow& window, std::int64_t group) {
  const Tensor& x = ctx.in(0);
  const Tensor& weight = ctx.in(1);
  const Sizes s{x.shape[0], x.shape[1], weight.shape[1] * group, group};
  if (s.c_in != weight.shape[0] || s.c_in % group != 0) {
    ctx.fail("weight is {} in {} groups, but the input is {}", to_string(weight.shape), group,
             to_string(x.shape));
  }
  expect_bias(ctx, 2, s.c_out);
  Tensor y;
  with_real(ctx, x.dtype, [&]<class T>(T) {
    std::optional<Elements<T>> bias;
    if (ctx.has(2)) bias.emplace(ctx.in(2));
    y = transposed_as<T>(x, weight, bias ? &*bias : nullptr, window, s);
  });
  return y;
}

}  // namespace compressor::ops
