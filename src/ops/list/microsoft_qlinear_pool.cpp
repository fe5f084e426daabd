// com.microsoft QLinearAveragePool, QLinearGlobalAveragePool, QLinearReduceMean: means of 8-bit numbers.
//
// x, x_scale, x_zp, y_scale, y_zp -> round(mean of x's numbers / y_scale) + y_zp
#include "ops/expect.h"
#include "ops/movement.h"
#include "ops/quantized.h"
#include "ops/window.h"

namespace compressor::ops {
namespace {

Cost cost(const CostContext& ctx) {
  return {.macs = 0, .flops = 4 * ctx.out_size(0)};
}

/// Pools may have their channels last.
std::size_t first_spatial(const Node& node) {
  return node.int_or("channels_last", 0) != 0 ? 1 : 2;
}

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  expect_rank(ctx, x, "input", 3);
  if (!x.ranked) return ctx.set_unranked(0, x.dtype);
  const std::size_t first = first_spatial(ctx.node());
  SymDims y = x.dims;
  if (ctx.node().op() == "QLinearGlobalAveragePool") {
    for (std::size_t i = 0; i + 2 < y.size(); ++i) y[first + i] = 1;
    return ctx.set(0, x.dtype, std::move(y));
  }
  const Window window = read_window(ctx.node(), y.size() - 2, {});
  for (std::size_t i = 0; i < window.size(); ++i) y[first + i] = window.places(i, y[first + i]);
  ctx.set(0, x.dtype, std::move(y));
}

void channels(ChannelContext& ctx) {
  const std::int64_t rank = ctx.in(0).rank();
  const std::int64_t channel = first_spatial(ctx.node()) == 1 ? rank - 1 : 1;
  for (std::int64_t axis = 1; axis < rank; ++axis) {
    if (axis != channel) ctx.freeze(0, axis, "pooled along this axis");
  }
  ctx.pass(0, 0, 0, 0);
  ctx.pass(0, channel, 0, channel);
}

/// Sums of what the window sees of one plane whose elements are `step` apart, and how many elements those
/// are.
class Means {
 public:
  Means(FixedWindow window, bool counts_padding)
      : window_(std::move(window)), counts_padding_(counts_padding) {}

  /// The mean of place `p`'s elements of values[codes[i * step]].
  float at(std::int64_t p, const Quantized8& x, const std::byte* codes, std::int64_t step) const {
    std::vector<std::int64_t> place(window_.size());
    for (std::size_t axis = window_.size(); axis-- > 0;) {
      place[axis] = p % window_.out[axis];
      p /= window_.out[axis];
    }
    double sum = 0;
    std::int64_t seen = 0;
    for (std::int64_t tap = 0; tap < window_.taps(); ++tap) {
      const std::int64_t position = position_of(place, tap);
      if (position < 0) continue;
      ++seen;
      sum += static_cast<double>(x(codes[position * step]));
    }
    const std::int64_t count = counts_padding_ ? window_.taps() : seen;
    return count == 0 ? 0.0F : static_cast<float>(sum / static_cast<double>(count));
  }

 private:
  /// -1 in the padding.
  std::int64_t position_of(const std::vector<std::int64_t>& place, std::int64_t tap) const {
    std::int64_t position = 0;
    std::int64_t step = 1;
    for (std::size_t axis = window_.size(); axis-- > 0;) {
      const std::int64_t offset = tap % window_.kernel[axis];
      tap /= window_.kernel[axis];
      const std::int64_t i =
          place[axis] * window_.strides[axis] + offset * window_.dilations[axis] - window_.begin[axis];
      if (i < 0 || i >= window_.in[axis]) return -1;
      position += i * step;
      step *= window_.in[axis];
    }
    return position;
  }

  FixedWindow window_;
  bool counts_padding_;
};

/// The whole plane, seen once.
FixedWindow whole(std::span<const std::int64_t> in) {
  const std::vector<std::int64_t> ones(in.size(), 1);
  const std::vector<std::int64_t> none(in.size(), 0);
  const std::vector<std::int64_t> all(in.begin(), in.end());
  return {
      .in = all, .out = ones, .kernel = all, .strides = ones, .dilations = ones, .begin = none, .end = none};
}

void compute(ComputeContext& ctx) {
  const Dims& shape = ctx.in(0).shape;
  if (shape.size() < 3) ctx.fail("input has rank {}, expected at least 3", shape.size());
  const std::size_t first = first_spatial(ctx.node());
  const std::size_t axes = shape.size() - 2;
  const std::span<const std::int64_t> in = std::span(shape).subspan(first, axes);
  const bool global = ctx.node().op() == "QLinearGlobalAveragePool";
  const FixedWindow window = global ? whole(in) : fix(ctx.node(), read_window(ctx.node(), axes, {}), in);
  const Means means(window, ctx.node().int_or("count_include_pad", 0) != 0);
  const Quantized8 x(ctx, 0, 1, 2);
  const float y_scale = scale(ctx, 3);
  const Rounder round(x.type, zero_point(ctx, 4));
  const std::int64_t channels = first == 1 ? shape.back() : shape[1];
  const std::int64_t places = window.out_plane();
  // From one element of a plane to the next, and from one channel to the next, before and after.
  const std::int64_t step = first == 1 ? channels : 1;
  const std::int64_t in_channel = first == 1 ? 1 : window.in_plane();
  const std::int64_t out_channel = first == 1 ? 1 : places;
  const BytesView view = ctx.in(0).bytes.view();
  Dims out = shape;
  std::copy(window.out.begin(), window.out.end(), out.begin() + static_cast<std::ptrdiff_t>(first));
  std::vector<std::byte> y(num_elements(out));
  for (std::int64_t n = 0; n < shape[0]; ++n) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const std::byte* from = view.data() + n * channels * window.in_plane() + c * in_channel;
      std::byte* to = y.data() + n * channels * places + c * out_channel;
      for (std::int64_t p = 0; p < places; ++p) {
        to[p * step] = static_cast<std::byte>(round(means.at(p, x, from, step) / y_scale));
      }
    }
  }
  ctx.set(0, tensor_of_bytes(x.type, out, std::move(y)));
}

/// The axes that are reduced, all when none are named.
Ints reduced_axes(const Node& node, std::int64_t rank) {
  const Ints axes = node.ints_or("axes", {});
  if (!axes.empty()) return axes_in(node, axes, rank);
  Ints all;
  for (std::int64_t i = 0; i < rank; ++i) all.push_back(i);
  return all;
}

void infer_reduce(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  if (!x.ranked) return ctx.set_unranked(0, x.dtype);
  const Ints axes = reduced_axes(ctx.node(), x.rank());
  const bool keep = ctx.node().int_or("keepdims", 1) != 0;
  SymDims y;
  for (std::int64_t i = 0; i < x.rank(); ++i) {
    const bool goes = std::find(axes.begin(), axes.end(), i) != axes.end();
    if (!goes) y.push_back(x.dim(i));
    if (goes && keep) y.emplace_back(1);
  }
  ctx.set(0, x.dtype, std::move(y));
}

void compute_reduce(ComputeContext& ctx) {
  const Dims& shape = ctx.in(0).shape;
  const Ints axes = reduced_axes(ctx.node(), static_cast<std::int64_t>(shape.size()));
  const bool keep = ctx.node().int_or("keepdims", 1) != 0;
  const Strides strides = row_major(shape);
  Dims out;
  Dims outer;
  Dims inner;
  Strides outer_strides;
  Strides inner_strides;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const bool goes = std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(i)) != axes.end();
    if (!goes || keep) out.push_back(goes ? 1 : shape[i]);
    (goes ? inner : outer).push_back(shape[i]);
    (goes ? inner_strides : outer_strides).push_back(strides[i]);
  }
  const Quantized8 x(ctx, 0, 1, 2);
  const float y_scale = scale(ctx, 3);
  const Rounder round(x.type, zero_point(ctx, 4));
  const BytesView view = ctx.in(0).bytes.view();
  std::vector<std::byte> y(num_elements(out));
  const auto count = static_cast<double>(num_elements(inner));
  walk<1>(outer, {outer_strides}, {0}, [&](const Run<1>& run) {
    for (std::int64_t i = 0; i < run.count; ++i) {
      double sum = 0;
      walk<1>(inner, {inner_strides}, {run.at[0] + i * run.step[0]}, [&](const Run<1>& part) {
        for (std::int64_t k = 0; k < part.count; ++k) {
          sum += static_cast<double>(x(view.data()[part.at[0] + k * part.step[0]]));
        }
      });
      y[static_cast<std::size_t>(run.out + i)] =
          static_cast<std::byte>(round(static_cast<float>(sum / count) / y_scale));
    }
  });
  ctx.set(0, tensor_of_bytes(x.type, out, std::move(y)));
}

}  // namespace

void register_microsoft_qlinear_pool(OpTable& table) {
  for (const char* type : {"QLinearAveragePool", "QLinearGlobalAveragePool"}) {
    table.add({.type = type,
               .domain = "com.microsoft",
               .infer = infer,
               .cost = cost,
               .compute = compute,
               .channels = channels});
  }
  table.add({.type = "QLinearReduceMean",
             .domain = "com.microsoft",
             .infer = infer_reduce,
             .cost = cost,
             .compute = compute_reduce});
}

}  // namespace compressor::ops
