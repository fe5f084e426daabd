// trilu: Trilu, the upper or lower triangle of matrices.
#include <algorithm>

#include "ops/movement.h"

namespace compressor::ops {
namespace {

void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  if (x.rank() < 2) ctx.fail("input of rank {}, expected at least 2", x.rank());
  const std::int64_t k = ctx.has(1) ? to_ints(ctx.in(1)).at(0) : 0;
  const bool upper = ctx.node().int_or("upper", 1) != 0;
  const std::int64_t columns = x.shape.back();
  const std::int64_t rows = x.shape[x.shape.size() - 2];
  const Cells from(x);
  CellsOut out(x.dtype, x.shape);
  for (std::int64_t line = 0; columns > 0 && line < out.size() / columns; ++line) {
    const std::int64_t r = line % rows;
    // Column c is on the diagonal k where c - r == k.
    const std::int64_t first = upper ? std::clamp<std::int64_t>(r + k, 0, columns) : 0;
    const std::int64_t end = upper ? columns : std::clamp<std::int64_t>(r + k + 1, 0, columns);
    if (end > first) out.copy(line * columns + first, from, line * columns + first, end - first);
  }
  ctx.set(0, out.finish());
}

/// The matrices' own axes have an order that the diagonal depends on; batch axes pass.
void channels(ChannelContext& ctx) {
  const Facts& x = ctx.in(0);
  if (!x.ranked || x.rank() < 2) return ctx.freeze_all("is of unknown rank");
  ctx.freeze(0, -1, "has its triangle taken");
  ctx.freeze(0, -2, "has its triangle taken");
  ctx.pass_all(0, 0);
}

}  // namespace

void register_trilu(OpTable& table) {
  table.add({.type = "Trilu",
             .since = 14,
             .infer = [](InferContext& ctx) { infer_same(ctx); },
             .compute = compute,
             .channels = channels});
}

}  // namespace compressor::ops
