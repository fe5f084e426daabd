// MaxRoiPool, RoiAlign: a small image of fixed size from every region of interest.
#include "compressor/ops/channels.h"
#include "ops/expect.h"
#include "ops/regions.h"

namespace compressor::ops {
namespace {

// x [N, C, H, W], regions [R, 5 or 4] -> [R, C, h, w]
void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  const Facts& regions = ctx.in(1);
  expect_rank(ctx, x, "input", 4, 4);
  expect_rank(ctx, regions, "regions", 2, 2);
  std::vector<std::int64_t> size{ctx.node().int_or("output_height", 1), ctx.node().int_or("output_width", 1)};
  if (ctx.node().op() == "MaxRoiPool") size = ctx.node().ints_or("pooled_shape", {});
  if (size.size() != 2 || size[0] < 1 || size[1] < 1)
    ctx.fail("size of the output is not two positive numbers");
  ctx.set(0, x.dtype,
          {regions.ranked ? regions.dims[0] : SymDim(), x.ranked ? x.dims[1] : SymDim(), size[0], size[1]});
}

Cost cost(const CostContext& ctx) {
  return {.macs = 0, .flops = 8 * ctx.out_size(0)};
}

void channels(ChannelContext& ctx) {
  ctx.pass(0, 1, 0, 1);
  for (const std::int64_t axis : {0, 2, 3}) ctx.freeze(0, axis, "regions are cut out along this axis");
  for (std::int64_t axis = 0; axis < ctx.in(1).rank(); ++axis) ctx.freeze(1, axis, "regions of interest");
}

}  // namespace

void register_region_pool(OpTable& table) {
  table.add({.type = "MaxRoiPool",
             .infer = infer,
             .cost = cost,
             .compute = compute_max_roi_pool,
             .channels = channels});
  table.add(
      {.type = "RoiAlign", .infer = infer, .cost = cost, .compute = compute_roi_align, .channels = channels});
}

}  // namespace compressor::ops
