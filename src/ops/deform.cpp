// deform: columns that are interpolated between pixels, and a product with the filters.
#include "ops/deform.h"

#include <algorithm>

#include "ops/product.h"
#include "ops/real.h"

namespace compressor::ops {
namespace {

struct Sizes {
  std::int64_t n = 0, c_in = 0, c_out = 0, group = 1, offset_group = 1;
};

/// Pixels around one place and their weights.
struct Corners {
  std::vector<std::int64_t> offsets;
  std::vector<double> weights;
};

/// Between the pixels of the axes; what is outside of the image is zero.
void corners_of(const std::vector<double>& place, const std::vector<std::int64_t>& lengths, double factor,
                Corners& corners) {
  corners.offsets.clear();
  corners.weights.clear();
  const std::size_t n = lengths.size();
  for (std::size_t corner = 0; corner < (std::size_t{1} << n); ++corner) {
    double weight = factor;
    std::int64_t offset = 0;
    for (std::size_t i = 0; weight != 0 && i < n; ++i) {
      const double low = std::floor(place[i]);
      const bool upper = ((corner >> i) & 1U) != 0;
      const double at = upper ? low + 1 : low;
      if (!(at >= 0 && at < static_cast<double>(lengths[i]))) {
        weight = 0;
        break;
      }
      weight *= upper ? place[i] - low : low + 1 - place[i];
      offset = offset * lengths[i] + static_cast<std::int64_t>(at);
    }
    if (weight == 0) continue;
    corners.offsets.push_back(offset);
    corners.weights.push_back(weight);
  }
}

template <class T>
struct Operands {
  const Elements<T>& x;
  const Elements<T>& offset;
  const Elements<T>* mask;
};

/// columns [C_in taps, places] of one image.
template <class T>
void fill_columns(const FixedWindow& w, const Sizes& s, const Operands<T>& in, std::int64_t image,
                  T* columns) {
  const std::size_t n = w.size();
  const std::int64_t taps = w.taps();
  const std::int64_t places = w.out_plane();
  const std::int64_t plane = w.in_plane();
  const std::int64_t channels = s.c_in / s.offset_group;
  std::vector<double> place(n);
  Corners corners;
  for (std::int64_t i = 0; i < s.offset_group * taps * places; ++i) {
    const std::int64_t o = i % places;
    const std::int64_t tap = i / places % taps;
    const std::int64_t group = i / (places * taps);
    std::int64_t place_rest = o;
    std::int64_t tap_rest = tap;
    for (std::size_t k = n; k-- > 0;) {
      const auto axis = static_cast<std::int64_t>(k);
      const std::int64_t row =
          ((image * s.offset_group + group) * taps + tap) * static_cast<std::int64_t>(n) + axis;
      const std::int64_t start =
          place_rest % w.out[k] * w.strides[k] + tap_rest % w.kernel[k] * w.dilations[k] - w.begin[k];
      place[k] = static_cast<double>(start) + static_cast<double>(in.offset[row * places + o]);
      place_rest /= w.out[k];
      tap_rest /= w.kernel[k];
    }
    const double factor =
        in.mask
            ? static_cast<double>((*in.mask)[((image * s.offset_group + group) * taps + tap) * places + o])
            : 1;
    corners_of(place, w.in, factor, corners);
    for (std::int64_t c = group * channels; c < (group + 1) * channels; ++c) {
      const T* from = in.x.data() + (image * s.c_in + c) * plane;
      double sum = 0;
      for (std::size_t k = 0; k < corners.offsets.size(); ++k) {
        sum += corners.weights[k] * static_cast<double>(from[corners.offsets[k]]);
      }
      columns[(c * taps + tap) * places + o] = static_cast<T>(sum);
    }
  }
}

template <class T>
Tensor deform_as(const ComputeContext& ctx, const Convolution& which, const FixedWindow& w, const Sizes& s) {
  const Elements<T> x(ctx.in(0));
  const Elements<T> filters(ctx.in(which.w));
  const Elements<T> offset(ctx.in(2));
  std::optional<Elements<T>> bias;
  if (ctx.has(which.b)) bias.emplace(ctx.in(which.b));
  std::optional<Elements<T>> mask;
  if (ctx.has(4)) mask.emplace(ctx.in(4));
  Dims shape{s.n, s.c_out};
  shape.insert(shape.end(), w.out.begin(), w.out.end());
  Result<T> y(ctx.in(0).dtype, shape);
  const std::int64_t places = w.out_plane();
  const std::int64_t depth = s.c_in / s.group * w.taps();
  const std::int64_t rows = s.c_out / s.group;
  const Operands<T> in{x, offset, mask ? &*mask : nullptr};
#pragma omp parallel for schedule(dynamic) if (y.size() * depth > kParallelWork)
  for (std::int64_t image = 0; image < s.n; ++image) {
    std::vector<T> columns(static_cast<std::size_t>(s.c_in * w.taps() * places));
    fill_columns(w, s, in, image, columns.data());
    for (std::int64_t f = 0; bias && f < s.c_out; ++f) {
      std::fill_n(y.data() + (image * s.c_out + f) * places, places, (*bias)[f]);
    }
    for (std::int64_t g = 0; g < s.group; ++g) {
      add_product(rows, places, depth, filters.data() + g * rows * depth, depth,
                  columns.data() + g * depth * places, places,
                  y.data() + (image * s.c_out + g * rows) * places, places);
    }
  }
  return y.finish();
}

}  // namespace

void compute_deform_conv(ComputeContext& ctx, const Convolution& which) {
  const Tensor& x = ctx.in(0);
  const Tensor& weight = ctx.in(which.w);
  if (x.rank() < 3 || weight.rank() != x.rank()) {
    ctx.fail("weight is {}, input {}: expected one rank of at least 3", to_string(weight.shape),
             to_string(x.shape));
  }
  const Sizes s{x.shape[0], x.shape[1], weight.shape[0], ctx.node().int_or("group", 1),
                ctx.node().int_or("offset_group", 1)};
  const bool divides = s.group > 0 && s.offset_group > 0 && s.c_in == weight.shape[1] * s.group &&
                       s.c_out % s.group == 0 && s.c_in % s.offset_group == 0;
  if (!divides) ctx.fail("weight {} does not fit the input {}", to_string(weight.shape), to_string(x.shape));
  const SymDims kernel(weight.shape.begin() + 2, weight.shape.end());
  const FixedWindow w =
      fix(ctx.node(), read_window(ctx.node(), kernel.size(), kernel), std::span(x.shape).subspan(2));
  Dims moved{s.n, s.offset_group * w.taps() * static_cast<std::int64_t>(w.size())};
  moved.insert(moved.end(), w.out.begin(), w.out.end());
  if (ctx.in(2).shape != moved)
    ctx.fail("offset is {}, expected {}", to_string(ctx.in(2).shape), to_string(moved));
  moved[1] = s.offset_group * w.taps();
  if (ctx.has(4) && ctx.in(4).shape != moved) {
    ctx.fail("mask is {}, expected {}", to_string(ctx.in(4).shape), to_string(moved));
  }
  if (ctx.has(which.b) && ctx.in(which.b).shape != Dims{s.c_out}) {
    ctx.fail("bias is {}, expected {}", to_string(ctx.in(which.b).shape), s.c_out);
  }
  with_real(ctx, x.dtype, [&]<class T>(T) { ctx.set(0, deform_as<T>(ctx, which, w, s)); });
}

}  // namespace compressor::ops
