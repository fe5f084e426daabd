// GridSample, AffineGrid: reads an image at given places; makes such places from an affine map.
#include "compressor/ops/channels.h"
#include "ops/expect.h"
#include "ops/sample.h"

namespace compressor::ops {
namespace {

// x [N, C, s..], grid [N, o.., n] -> [N, C, o..]
void infer_sample(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  const Facts& grid = ctx.in(1);
  expect_rank(ctx, x, "input", 3);
  if (x.ranked && grid.ranked && x.rank() != grid.rank()) {
    ctx.fail("grid has rank {}, expected {}", grid.rank(), x.rank());
  }
  if (!x.ranked && !grid.ranked) return ctx.set_unranked(0, x.dtype);
  const std::size_t rank = x.ranked ? x.dims.size() : grid.dims.size();
  SymDims y(rank);
  if (x.ranked) y[0] = x.dims[0];
  if (x.ranked) y[1] = x.dims[1];
  for (std::size_t i = 2; grid.ranked && i < rank; ++i) y[i] = grid.dims[i - 1];
  if (grid.ranked) y[0] = agree(ctx, y[0], grid.dims[0], "batch of the grid");
  ctx.set(0, x.dtype, std::move(y));
}

Cost cost_sample(const CostContext& ctx) {
  const std::string mode = ctx.node().string_or("mode", "bilinear");
  return {.macs = 0,
          .flops = (mode == "nearest"                         ? 1
                    : mode.find("cubic") != std::string::npos ? 32
                                                              : 8) *
                   ctx.out_size(0)};
}

void channels_sample(ChannelContext& ctx) {
  ctx.pass(0, 0, 0, 0);
  ctx.pass(0, 1, 0, 1);
  for (std::int64_t axis = 2; axis < ctx.in(0).rank(); ++axis) ctx.freeze(0, axis, "sampled along this axis");
  for (std::int64_t axis = 1; axis < ctx.in(1).rank(); ++axis) ctx.freeze(1, axis, "places of samples");
}

// theta [N, n, n + 1], size [N, C, s..] -> [N, s.., n]
void infer_grid(InferContext& ctx) {
  const Facts& theta = ctx.in(0);
  expect_rank(ctx, theta, "theta", 3, 3);
  const SymDims* size = ctx.contents(1);
  if (!size) {
    const bool counted = ctx.in(1).ranked && ctx.in(1).rank() == 1 && ctx.in(1).dims[0].is_number();
    if (!counted || ctx.in(1).dims[0].number() > 5) return ctx.set_unranked(0, theta.dtype);
    return ctx.set(0, theta.dtype, SymDims(static_cast<std::size_t>(ctx.in(1).dims[0].number())));
  }
  if (size->size() != 4 && size->size() != 5) ctx.fail("size has {} numbers, expected 4 or 5", size->size());
  SymDims y{(*size)[0]};
  y.insert(y.end(), size->begin() + 2, size->end());
  y.emplace_back(static_cast<std::int64_t>(size->size()) - 2);
  ctx.set(0, theta.dtype, std::move(y));
}

}  // namespace

void register_grid_sample(OpTable& table) {
  table.add({.type = "GridSample",
             .infer = infer_sample,
             .cost = cost_sample,
             .compute = compute_grid_sample,
             .channels = channels_sample,
             .gradient = grid_sample_gradient,
             .keep = {.inputs = 3}});
  table.add({.type = "AffineGrid",
             .infer = infer_grid,
             .compute = compute_affine_grid,
             .gradient = affine_grid_gradient,
             .keep = {.inputs = 2}});
}

}  // namespace compressor::ops
