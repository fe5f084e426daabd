// OneHot: a new axis that is on at the index and off elsewhere.
#include "compressor/ops/channels.h"
#include "ops/expect.h"

namespace compressor::ops {
namespace {

/// Where the new axis stands in an output of `rank` axes.
std::int64_t new_axis(const Node& node, std::int64_t rank) {
  const std::int64_t axis = node.int_or("axis", -1);
  if (axis < -rank || axis >= rank) {
    throw Error::model("node '{}' ({}): axis {} is outside a tensor of rank {}", node.label(), node.op(),
                       axis, rank);
  }
  return axis < 0 ? axis + rank : axis;
}

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  const DType dtype = ctx.in(2).dtype;
  if (!x.ranked) return ctx.set_unranked(0, dtype);
  SymDim depth;
  if (const Tensor* constant = ctx.constant(1)) {
    const std::vector<std::int64_t> numbers = to_ints(*constant);
    if (numbers.size() != 1 || numbers[0] < 0) ctx.fail("depth is not one positive number");
    depth = numbers[0];
  } else if (const SymDims* contents = ctx.contents(1); contents && contents->size() == 1) {
    depth = contents->front();
  }
  SymDims y = x.dims;
  y.insert(y.begin() + new_axis(ctx.node(), x.rank() + 1), depth);
  ctx.set(0, dtype, std::move(y));
}

void channels(ChannelContext& ctx) {
  const std::int64_t rank = ctx.in(0).rank();
  const std::int64_t made = new_axis(ctx.node(), rank + 1);
  for (std::int64_t axis = 0; axis < rank; ++axis) ctx.pass(0, axis, 0, axis + (axis >= made ? 1 : 0));
}

void compute(ComputeContext& ctx) {
  const Tensor& input = ctx.in(0);
  const std::vector<std::int64_t> at = to_ints(input);
  const std::int64_t depth = to_ints(ctx.in(1)).at(0);
  const std::vector<double> off_on = to_doubles(ctx.in(2));
  if (depth < 0 || off_on.size() != 2)
    ctx.fail("depth is {} with {} values, expected 2", depth, off_on.size());
  const std::int64_t axis = new_axis(ctx.node(), input.rank() + 1);
  Dims shape = input.shape;
  shape.insert(shape.begin() + axis, depth);
  std::uint64_t inner = 1;
  for (auto i = static_cast<std::size_t>(axis); i < input.shape.size(); ++i) {
    inner *= static_cast<std::uint64_t>(input.shape[i]);
  }
  std::vector<double> y(num_elements(shape), off_on[0]);
  for (std::uint64_t i = 0; i < at.size(); ++i) {
    const std::int64_t hot = at[i] < 0 ? at[i] + depth : at[i];
    if (hot < 0 || hot >= depth) continue;
    const std::uint64_t row = i / inner * static_cast<std::uint64_t>(depth) + static_cast<std::uint64_t>(hot);
    y[row * inner + i % inner] = off_on[1];
  }
  ctx.set(0, Tensor::of(ctx.in(2).dtype, shape, y));
}

}  // namespace

void register_one_hot(OpTable& table) {
  table.add({.type = "OneHot", .infer = infer, .compute = compute, .channels = channels});
}

}  // namespace compressor::ops
