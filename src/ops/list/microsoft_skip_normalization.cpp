// com.microsoft SkipLayerNormalization, SkipSimplifiedLayerNormalization: a sum, then a norm over the last
// axis.
//
// x, skip [.., n], gamma, beta, bias [n] -> y, mean, 1/deviation, the sum. The simplified one has no beta.
#include <algorithm>

#include "compressor/ops/channels.h"
#include "ops/expect.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  same_as(ctx, 0, 0);
  same_as(ctx, 3, 0);
  if (!x.ranked || x.rank() == 0) return;
  for (std::size_t i = 2; i < 5; ++i) expect_vector(ctx, i, x.dims.back(), "parameter");
  SymDims reduced = x.dims;
  reduced.back() = 1;
  for (std::size_t i = 1; i < 3; ++i) {
    if (ctx.wants(i)) ctx.set(i, DType::kFloat, reduced);
  }
}

Cost cost(const CostContext& ctx) {
  return {.macs = 0, .flops = 8 * ctx.in_size(0)};
}

void channels(ChannelContext& ctx) {
  static constexpr std::size_t kInputs[] = {0, 1};
  join_elementwise(ctx, kInputs);
  ctx.pass_all(0, 3);
  ctx.approximate(ctx.in_list(0, -1), ctx.node().op() + " normalises over this axis");
  const bool simplified = ctx.node().op() == "SkipSimplifiedLayerNormalization";
  for (std::size_t i = 2; i < 5; ++i) {
    if (!ctx.has(i)) continue;
    ctx.join(ctx.in_list(0, -1), ctx.in_list(i, 0));
    ctx.role(i, 0, i == 2 ? AxisRole::kScale : AxisRole::kShift);
    if (simplified && i == 3) break;
  }
}

}  // namespace

void register_microsoft_skip_normalization(OpTable& table) {
  for (const char* type : {"SkipLayerNormalization", "SkipSimplifiedLayerNormalization"}) {
    table.add({.type = type, .domain = "com.microsoft", .infer = infer, .cost = cost, .channels = channels});
  }
}

}  // namespace compressor::ops
