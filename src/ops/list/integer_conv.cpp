// ConvInteger, QLinearConv: convolution of 8-bit numbers, to int32 or back to 8 bits.
#include "ops/convolution.h"
#include "ops/expect.h"
#include "ops/integer_convolve.h"
#include "ops/quantized.h"

namespace compressor::ops {
namespace {

constexpr Convolution kInteger{.w = 1, .b = 99};
constexpr Convolution kQLinear{.w = 3, .b = 8};

const Convolution& which(const Node& node) {
  return node.op() == "ConvInteger" ? kInteger : kQLinear;
}

void infer(InferContext& ctx) {
  const bool integer = ctx.node().op() == "ConvInteger";
  const DType dtype = integer ? DType::kInt32 : ctx.in(7).dtype;
  auto shape = convolution_shape(ctx, which(ctx.node()));
  if (!shape) return ctx.set_unranked(0, dtype);
  ctx.set(0, dtype, std::move(*shape));
}

Cost cost(const CostContext& ctx) {
  return convolution_cost(ctx, which(ctx.node()));
}

// Scales and zero points of the weight may be per filter.
void channels(ChannelContext& ctx) {
  convolution_channels(ctx, which(ctx.node()));
  const bool integer = ctx.node().op() == "ConvInteger";
  const auto per_filter = integer ? std::vector<std::size_t>{3} : std::vector<std::size_t>{4, 5};
  for (const std::size_t i : per_filter) {
    if (!ctx.has(i) || ctx.in(i).rank() != 1 || ctx.in_dim(i, 0) == 1) continue;
    ctx.join(ctx.in_list(which(ctx.node()).w, 0), ctx.in_list(i, 0));
  }
}

void shrink(ShrinkContext& ctx) {
  convolution_shrink(ctx, which(ctx.node()));
}

/// The sums of x by w, both less their zero points, and the shape of the output.
struct Sums {
  Dims shape;
  std::int64_t filters = 0, places = 0;  ///< y is [N, filters, places]
  std::vector<std::int32_t> y;
};

Sums convolve(const ComputeContext& ctx, std::size_t x_zero, std::size_t w_zero) {
  const Convolution& which = ops::which(ctx.node());
  const Dims& x = ctx.in(0).shape;
  const Dims& w = ctx.in(which.w).shape;
  const std::int64_t groups = ctx.node().int_or("group", 1);
  if (x.size() < 3 || w.size() != x.size()) {
    ctx.fail("input {} and weight {}, expected the same rank of at least 3", to_string(x), to_string(w));
  }
  if (groups < 1 || w[0] % groups != 0 || x[1] != w[1] * groups) {
    ctx.fail("input {} and weight {} do not fit with {} groups", to_string(x), to_string(w), groups);
  }
  SymDims kernel;
  for (std::size_t i = 2; i < w.size(); ++i) kernel.emplace_back(w[i]);
  IntegerConvolution c;
  c.window = fix(ctx.node(), read_window(ctx.node(), x.size() - 2, kernel), std::span(x).subspan(2));
  c.batch = x[0];
  c.groups = groups;
  c.channels = w[1];
  c.filters = w[0] / groups;
  const std::int64_t per_filter = c.channels * c.window.taps();
  const std::vector<std::int16_t> image = less_zero(ctx, 0, zero_point(ctx, x_zero));
  const std::vector<std::int16_t> weight =
      less_zeros(ctx, which.w, zero_points(ctx, w_zero, w[0]), per_filter);
  c.x = image.data();
  c.w = weight.data();
  Sums sums{.shape = {x[0], w[0]}, .filters = w[0], .places = c.window.out_plane(), .y = integer_convolve(c)};
  sums.shape.insert(sums.shape.end(), c.window.out.begin(), c.window.out.end());
  return sums;
}

// x, w, x's zero point, w's -> int32
void compute_integer(ComputeContext& ctx) {
  const Sums sums = convolve(ctx, 2, 3);
  ctx.set(0, tensor_of_ints(sums.shape, sums.y));
}

// x, scale, zero point, w, scale, zero point, y's scale, zero point, bias:
// round((sum + bias) x_scale w_scale / y_scale) + zero
void compute_qlinear(ComputeContext& ctx) {
  const Sums sums = convolve(ctx, 2, 5);
  const float x_scale = scale(ctx, 1);
  const std::vector<float> w_scale = scales(ctx, 4, sums.filters);
  const float y_scale = scale(ctx, 6);
  const std::vector<std::int32_t> bias = zero_points(ctx, 8, sums.filters);
  const DType type = ctx.in(7).dtype;
  expect_8_bits(ctx, type, "the output's zero point");
  const Rounder round(type, zero_point(ctx, 7));
  std::vector<std::byte> y(sums.y.size());
  for (std::size_t row = 0; row * static_cast<std::size_t>(sums.places) < y.size(); ++row) {
    const std::size_t filter = row % static_cast<std::size_t>(sums.filters);
    const float factor = x_scale * w_scale[filter] / y_scale;
    const std::size_t first = row * static_cast<std::size_t>(sums.places);
    for (std::size_t i = first; i < first + static_cast<std::size_t>(sums.places); ++i) {
      const auto sum = static_cast<std::int64_t>(sums.y[i]) + bias[filter];
      y[i] = static_cast<std::byte>(round(static_cast<float>(sum) * factor));
    }
  }
  ctx.set(0, tensor_of_bytes(type, sums.shape, std::move(y)));
}

}  // namespace

void register_integer_conv(OpTable& table) {
  table.add({.type = "ConvInteger",
             .infer = infer,
             .cost = cost,
             .compute = compute_integer,
             .channels = channels,
             .shrink = shrink});
  table.add({.type = "QLinearConv",
             .infer = infer,
             .cost = cost,
             .compute = compute_qlinear,
             .channels = channels,
             .shrink = shrink});
}

}  // namespace compressor::ops
