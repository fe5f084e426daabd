// PRelu: x where positive, slope * x otherwise; the slope broadcasts to the input. Up to opset 6 it is one
// number, or one for each channel.
#include <algorithm>

#include "compressor/ops/channels.h"
#include "ops/elementwise.h"
#include "ops/expect.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  const Facts& slope = ctx.in(1);
  if (ctx.opset() >= 7 && x.ranked && slope.ranked) {
    if (slope.rank() > x.rank()) ctx.fail("slope has rank {}, expected at most {}", slope.rank(), x.rank());
    for (std::int64_t i = 1; i <= slope.rank(); ++i) {
      const SymDim& s = slope.dim(-i);
      const SymDim& d = x.dim(-i);
      if (s.is_number() && s.number() != 1 && d.is_number() && !(s == d)) {
        ctx.fail("slope is {}, expected to broadcast to {}", to_string(slope.dims), to_string(x.dims));
      }
    }
  }
  same_as(ctx, 0, 0);
}

Cost cost(const CostContext& ctx) {
  return {.macs = 0, .flops = 2 * ctx.in_size(0)};
}

void channels(ChannelContext& ctx) {
  if (ctx.opset() < 7) {
    if (ctx.in_dim(1, 0) != 1) ctx.join(ctx.in_list(0, 1), ctx.in_list(1, 0));
    return ctx.pass_all(0, 0);
  }
  static constexpr std::size_t kInputs[] = {0, 1};
  join_elementwise(ctx, kInputs);
}

// Before opset 7 a slope for each channel stands alone: [C] as [C, 1..].
void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  Tensor slope = ctx.in(1);
  if (ctx.opset() < 7 && slope.size() > 1 && slope.rank() == 1 && x.rank() > 2) {
    Dims shape(x.shape.size() - 1, 1);
    shape[0] = slope.shape[0];
    slope = slope.reshaped(std::move(shape));
  }
  if (broadcast_shape(x.shape, slope.shape) != x.shape) {
    ctx.fail("slope is {}, expected to broadcast to {}", to_string(slope.shape), to_string(x.shape));
  }
  // Signs are as good as random: no branch.
  with_domain(x.dtype, [&]<class T>(T) {
    ctx.set(0, map_binary<T>(x, slope, x.dtype,
                             [](T v, T s) { return std::max(v, T{}) + s * std::min(v, T{}); }));
  });
}

}  // namespace

void register_prelu(OpTable& table) {
  table.add({.type = "PRelu", .infer = infer, .cost = cost, .compute = compute, .channels = channels});
}

}  // namespace compressor::ops
