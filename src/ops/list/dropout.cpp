// Dropout: the identity, unless it is told to train.
#include "compressor/ops/channels.h"
#include "ops/expect.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  same_as(ctx, 0, 0);
  same_as(ctx, 1, 0);
  // Up to opset 9 the mask has the type of the input.
  if (ctx.wants(1) && ctx.opset() >= 10) ctx.outputs()[1].dtype = DType::kBool;
}

void channels(ChannelContext& ctx) {
  ctx.pass_all(0, 0);
  ctx.pass_all(0, 1);
}

/// The attribute `ratio` up to opset 11, an input since.
double ratio_of(const ComputeContext& ctx) {
  if (ctx.opset() < 12) return ctx.node().float_or("ratio", 0.5F);
  return ctx.has(1) && ctx.in(1).size() > 0 ? to_doubles(ctx.in(1))[0] : 0.5;
}

void compute(ComputeContext& ctx) {
  const bool trains = ctx.opset() >= 12 && ctx.has(2) && to_ints(ctx.in(2)).at(0) != 0;
  if (trains && ratio_of(ctx) != 0) ctx.fail("training mode is random");
  const Tensor& x = ctx.in(0);
  ctx.set(0, x);
  if (ctx.node().output(1) == nullptr) return;
  const DType mask = ctx.opset() >= 10 ? DType::kBool : x.dtype;
  ctx.set(1, Tensor::of(mask, x.shape, std::vector<double>(x.size(), 1.0)));
}

}  // namespace

void register_dropout(OpTable& table) {
  table.add({.type = "Dropout", .infer = infer, .compute = compute, .channels = channels});
}

}  // namespace compressor::ops
