// compress: Compress, the slices of an axis where a condition holds.
#include <algorithm>

#include "ops/movement.h"

namespace compressor::ops {
namespace {

void compute(ComputeContext& ctx) {
  const bool flat = !ctx.node().attribute("axis");
  const Tensor x = flat ? ctx.in(0).reshaped({static_cast<std::int64_t>(ctx.in(0).size())}) : ctx.in(0);
  const std::int64_t axis = flat ? 0 : axis_in(ctx.node(), ctx.node().int_or("axis", 0), x.rank());
  const auto at = x.shape.begin() + axis;
  const Ints condition = to_ints(ctx.in(1));
  Ints wanted;
  for (std::size_t i = 0; i < condition.size(); ++i) {
    if (condition[i] == 0) continue;
    if (static_cast<std::int64_t>(i) >= *at) ctx.fail("condition {} is past an axis of {}", i, *at);
    wanted.push_back(static_cast<std::int64_t>(i));
  }
  const auto outer = static_cast<std::int64_t>(num_elements({x.shape.begin(), at}));
  const auto inner = static_cast<std::int64_t>(num_elements({at + 1, x.shape.end()}));
  Dims shape = x.shape;
  shape[static_cast<std::size_t>(axis)] = static_cast<std::int64_t>(wanted.size());
  const Cells from(x);
  CellsOut out(x.dtype, shape);
  std::int64_t to = 0;
  for (std::int64_t o = 0; o < outer; ++o) {
    for (const std::int64_t i : wanted) {
      out.copy(to, from, (o * *at + i) * inner, inner);
      to += inner;
    }
  }
  ctx.set(0, out.finish());
}

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  SymDim n;
  if (const auto condition = ctx.ints(1)) {
    n = static_cast<std::int64_t>(condition->size()) - std::count(condition->begin(), condition->end(), 0);
  }
  if (!ctx.node().attribute("axis")) return ctx.set(0, x.dtype, {n});
  if (!x.ranked) return ctx.set_unranked(0, x.dtype);
  SymDims dims = x.dims;
  dims[static_cast<std::size_t>(normalize_axis(ctx, ctx.node().int_or("axis", 0), x.rank()))] = n;
  ctx.set(0, x.dtype, std::move(dims));
}

}  // namespace

void register_compress(OpTable& table) {
  table.add({.type = "Compress",
             .since = 9,
             .infer = infer,
             .compute = compute,
             .channels = [](ChannelContext& ctx) { ctx.freeze_all("is compressed by a condition"); }});
}

}  // namespace compressor::ops
