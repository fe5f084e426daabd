// com.microsoft QLinear*: 8-bit operators that take a scale and a zero point after every tensor.
//
// Add, Mul (a, a_scale, a_zp, b, b_scale, b_zp, y_scale, y_zp); Sigmoid, LeakyRelu, Softmax, pools
// (x, x_scale, x_zp, y_scale, y_zp); Concat (y_scale, y_zp, then x, x_scale, x_zp of each input).
#include "ops/expect.h"
#include "ops/window.h"

namespace compressor::ops {
namespace {

void infer_binary(InferContext& ctx) {
  const Facts& a = ctx.in(0);
  const Facts& b = ctx.in(3);
  if (!a.ranked || !b.ranked) return ctx.set_unranked(0, a.dtype);
  ctx.set(0, a.dtype, broadcast(ctx, a.dims, b.dims));
}

Cost cost_elementwise(const CostContext& ctx) {
  return {.macs = 0, .flops = 4 * ctx.out_size(0)};
}

void channels_binary(ChannelContext& ctx) {
  static constexpr std::size_t kInputs[] = {0, 3};
  join_elementwise(ctx, kInputs);
}

void infer_unary(InferContext& ctx) {
  same_as(ctx, 0, 0);
}

void channels_unary(ChannelContext& ctx) {
  ctx.pass_all(0, 0);
}

/// Pools may have their channels last.
std::size_t first_spatial(const Node& node) {
  return node.int_or("channels_last", 0) != 0 ? 1 : 2;
}

void infer_pool(InferContext& ctx) {
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

void channels_pool(ChannelContext& ctx) {
  const std::int64_t rank = ctx.in(0).rank();
  const std::int64_t channel = first_spatial(ctx.node()) == 1 ? rank - 1 : 1;
  for (std::int64_t axis = 1; axis < rank; ++axis) {
    if (axis != channel) ctx.freeze(0, axis, "pooled along this axis");
  }
  ctx.pass(0, 0, 0, 0);
  ctx.pass(0, channel, 0, channel);
}

void infer_concat(InferContext& ctx) {
  const Facts& first = ctx.in(2);
  if (!first.ranked) return ctx.set_unranked(0, first.dtype);
  const auto axis = static_cast<std::size_t>(normalize_axis(ctx, ctx.node().int_or("axis", 0), first.rank()));
  SymDims y = first.dims;
  for (std::size_t i = 5; i < ctx.num_inputs(); i += 3) {
    const Facts& x = ctx.in(i);
    if (!x.ranked) return ctx.set_unranked(0, first.dtype);
    if (x.rank() != first.rank()) ctx.fail("input {} has rank {}, expected {}", i, x.rank(), first.rank());
    for (std::size_t k = 0; k < y.size(); ++k) {
      y[k] = k == axis ? y[k] + x.dims[k] : agree(ctx, y[k], x.dims[k], "axis of a concatenated tensor");
    }
  }
  ctx.set(0, first.dtype, std::move(y));
}

}  // namespace

void register_microsoft_qlinear(OpTable& table) {
  const std::string domain = "com.microsoft";
  for (const char* type : {"QLinearAdd", "QLinearMul"}) {
    table.add({.type = type,
               .domain = domain,
               .infer = infer_binary,
               .cost = cost_elementwise,
               .channels = channels_binary});
  }
  for (const char* type : {"QLinearSigmoid", "QLinearLeakyRelu"}) {
    table.add({.type = type,
               .domain = domain,
               .infer = infer_unary,
               .cost = cost_elementwise,
               .channels = channels_unary});
  }
  table.add({.type = "QLinearSoftmax", .domain = domain, .infer = infer_unary, .cost = cost_elementwise});
  for (const char* type : {"QLinearAveragePool", "QLinearGlobalAveragePool"}) {
    table.add({.type = type,
               .domain = domain,
               .infer = infer_pool,
               .cost = cost_elementwise,
               .channels = channels_pool});
  }
  table.add({.type = "QLinearConcat", .domain = domain, .infer = infer_concat});
}

}  // namespace compressor::ops
