// arg_max: ArgMax and ArgMin, the position of the largest or smallest element of an axis.
#include "ops/movement.h"

namespace compressor::ops {
namespace {

template <class T>
void search(ComputeContext& ctx, std::int64_t axis, bool largest) {
  const Tensor& x = ctx.in(0);
  const bool last = ctx.node().int_or("select_last_index", 0) != 0;
  const auto at = x.shape.begin() + axis;
  const auto outer = static_cast<std::int64_t>(num_elements({x.shape.begin(), at}));
  const auto inner = static_cast<std::int64_t>(num_elements({at + 1, x.shape.end()}));
  Dims shape = x.shape;
  if (ctx.node().int_or("keepdims", 1) != 0) {
    shape[static_cast<std::size_t>(axis)] = 1;
  } else {
    shape.erase(shape.begin() + axis);
  }
  if (*at == 0) ctx.fail("axis {} is empty", axis);
  const Elements<T> in(x);
  Result<std::int64_t> out(DType::kInt64, shape);
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::int64_t i = 0; i < inner; ++i) {
      std::int64_t best = 0;
      for (std::int64_t k = 1; k < *at; ++k) {
        const T a = in[(o * *at + k) * inner + i];
        const T b = in[(o * *at + best) * inner + i];
        const bool better = largest ? a > b : a < b;
        if (better || (last && a == b)) best = k;
      }
      out[o * inner + i] = best;
    }
  }
  ctx.set(0, out.finish());
}

void compute(ComputeContext& ctx, bool largest) {
  const std::int64_t axis = axis_in(ctx.node(), ctx.node().int_or("axis", 0), ctx.in(0).rank());
  with_domain(ctx.in(0).dtype, [&]<class T>(T) { search<T>(ctx, axis, largest); });
}

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  if (!x.ranked) return ctx.set_unranked(0, DType::kInt64);
  const std::int64_t axis = normalize_axis(ctx, ctx.node().int_or("axis", 0), x.rank());
  SymDims dims = x.dims;
  if (ctx.node().int_or("keepdims", 1) != 0) {
    dims[static_cast<std::size_t>(axis)] = 1;
  } else {
    dims.erase(dims.begin() + axis);
  }
  ctx.set(0, DType::kInt64, std::move(dims));
}

/// One comparison per input element.
Cost cost(const CostContext& ctx) {
  return {0, ctx.in_size(0)};
}

/// Positions are counted, so none of the axis may go; what is left as a vector of integers carries nothing.
void channels(ChannelContext& ctx) {
  const Facts& x = ctx.in(0);
  if (!x.ranked || !ctx.wants(0) || !carries_channels(ctx.out(0))) {
    return ctx.freeze_all("is searched for its largest or smallest element");
  }
  const std::int64_t axis = axis_in(ctx.node(), ctx.node().int_or("axis", 0), x.rank());
  const bool keep = ctx.node().int_or("keepdims", 1) != 0;
  for (std::int64_t other = 0; other < x.rank(); ++other) {
    if (other == axis) {
      ctx.freeze(0, axis, "is searched for its largest or smallest element");
    } else {
      ctx.pass(0, other, 0, keep || other < axis ? other : other - 1);
    }
  }
}

}  // namespace

void register_arg_max(OpTable& table) {
  for (const bool largest : {true, false}) {
    table.add({.type = largest ? "ArgMax" : "ArgMin",
               .infer = infer,
               .cost = cost,
               .compute = [largest](ComputeContext& ctx) { compute(ctx, largest); },
               .channels = channels});
  }
}

}  // namespace compressor::ops
