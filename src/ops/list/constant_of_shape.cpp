// constant_of_shape: ConstantOfShape, a tensor of one value in a given shape.
#include "ops/movement.h"

namespace compressor::ops {
namespace {

Tensor filling(const Node& node) {
  const Tensor* value = node.tensor("value");
  if (!value) return Tensor::scalar(0.0F);
  if (value->size() != 1) {
    throw Error::model("node '{}' (ConstantOfShape): value has {} elements, expected 1", node.label(),
                       value->size());
  }
  return value->reshaped({});
}

void infer(InferContext& ctx) {
  const Tensor value = filling(ctx.node());
  const Facts& shape = ctx.in(0);
  if (const SymDims* dims = ctx.contents(0)) {
    ctx.set(0, value.dtype, *dims);
    const auto known = numbers(*dims);
    if (!known || num_elements(*known) > 4096 || !is_integer(value.dtype)) return;
    ctx.set_contents(0, SymDims(num_elements(*known), SymDim(to_ints(value)[0])));
    return;
  }
  const auto rank = shape.ranked && shape.rank() == 1 ? shape.dims[0].maybe_number() : std::nullopt;
  if (!rank) return ctx.set_unranked(0, value.dtype);
  ctx.set(0, value.dtype, SymDims(static_cast<std::size_t>(*rank)));
}

void compute(ComputeContext& ctx) {
  const Dims shape = to_ints(ctx.in(0));
  ctx.set(0, take_strided(filling(ctx.node()), shape, Strides(shape.size(), 0)));
}

/// Every length can be edited in the shape.
void channels(ChannelContext& ctx) {
  if (!ctx.wants(0) || !carries_channels(ctx.out(0))) return;
  for (std::int64_t axis = 0; axis < ctx.out(0).rank(); ++axis) {
    ctx.set_out(0, axis, ctx.fresh(ctx.out_dim(0, axis)));
  }
}

void shrink(ShrinkContext& ctx) {
  for (std::int64_t axis = 0; axis < ctx.out(0).rank(); ++axis) {
    if (ctx.kept_out(0, axis)) ctx.set_element(0, axis, ctx.new_out_dim(0, axis));
  }
}

}  // namespace

void register_constant_of_shape(OpTable& table) {
  table.add({.type = "ConstantOfShape",
             .since = 9,
             .infer = infer,
             .compute = compute,
             .channels = channels,
             .shrink = shrink});
}

}  // namespace compressor::ops
