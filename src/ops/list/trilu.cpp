// trilu: Trilu, the upper or lower triangle of matrices.
#include <algorithm>
#include <cstring>

#include "compressor/ops/run.h"
#include "ops/movement.h"

namespace compressor::ops {
namespace {

/// Calls keep(first, count) for the part of every row that stays.
template <class Context, class Keep>
void each_part(Context& ctx, const Dims& x, Keep&& keep) {
  const std::int64_t k = ctx.has(1) ? to_ints(ctx.in(1)).at(0) : 0;
  const bool upper = ctx.node().int_or("upper", 1) != 0;
  const std::int64_t columns = x.back();
  const std::int64_t rows = x[x.size() - 2];
  const auto size = static_cast<std::int64_t>(num_elements(x));
  for (std::int64_t line = 0; columns > 0 && line < size / columns; ++line) {
    const std::int64_t r = line % rows;
    // Column c is on the diagonal k where c - r == k.
    const std::int64_t first = upper ? std::clamp<std::int64_t>(r + k, 0, columns) : 0;
    const std::int64_t end = upper ? columns : std::clamp<std::int64_t>(r + k + 1, 0, columns);
    if (end > first) keep(line * columns + first, end - first);
  }
}

void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  if (x.rank() < 2) ctx.fail("input of rank {}, expected at least 2", x.rank());
  const Cells from(x);
  CellsOut out(x.dtype, x.shape);
  each_part(ctx, x.shape,
            [&](std::int64_t first, std::int64_t count) { out.copy(first, from, first, count); });
  ctx.set(0, out.finish());
}

void gradient(GradientContext& ctx) {
  if (!ctx.wants(0)) return;
  const float* dy = ctx.grad(0);
  float* dx = ctx.grad_in(0);
  std::memset(dx, 0, num_elements(ctx.in_shape(0)) * sizeof(float));
  each_part(ctx, ctx.in_shape(0),
            [&](std::int64_t first, std::int64_t count) { std::copy_n(dy + first, count, dx + first); });
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
             .channels = channels,
             .gradient = gradient,
             .keep = {.inputs = 2}});
}

}  // namespace compressor::ops
