// ConvInteger, QLinearConv: convolution of 8-bit numbers, to int32 or back to 8 bits.
#include "ops/convolution.h"
#include "ops/expect.h"

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

}  // namespace

void register_integer_conv(OpTable& table) {
  for (const char* type : {"ConvInteger", "QLinearConv"}) {
    table.add({.type = type, .infer = infer, .cost = cost, .channels = channels, .shrink = shrink});
  }
}

}  // namespace compressor::ops
