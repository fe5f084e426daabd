// MaxUnpool: puts maxima back to where MaxPool found them.
#include "ops/expect.h"
#include "ops/window.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  expect_rank(ctx, x, "input", 3);
  if (ctx.has(2)) {
    if (const SymDims* shape = ctx.contents(2)) return ctx.set(0, x.dtype, *shape);
    if (x.ranked) return ctx.set(0, x.dtype, SymDims(x.dims.size()));
    return ctx.set_unranked(0, x.dtype);
  }
  if (!x.ranked) return ctx.set_unranked(0, x.dtype);
  const Window window = read_window(ctx.node(), x.dims.size() - 2, {});
  SymDims y{x.dims[0], x.dims[1]};
  for (std::size_t i = 0; i < window.size(); ++i) y.push_back(window.transposed(i, x.dims[i + 2], 0));
  ctx.set(0, x.dtype, std::move(y));
}

void channels(ChannelContext& ctx) {
  for (std::int64_t axis = 0; axis < ctx.in(0).rank(); ++axis) {
    ctx.join(ctx.in_list(0, axis), ctx.in_list(1, axis));
    if (axis < 2) {
      ctx.pass(0, axis, 0, axis);
    } else {
      ctx.freeze(0, axis, "pixels are moved");
    }
  }
}

void shrink(ShrinkContext& ctx) {
  for (std::int64_t axis = 0; ctx.has(2) && axis < 2; ++axis) {
    if (ctx.kept_out(0, axis)) ctx.set_element(2, axis, ctx.new_out_dim(0, axis));
  }
}

}  // namespace

void register_max_unpool(OpTable& table) {
  table.add({.type = "MaxUnpool", .infer = infer, .channels = channels, .shrink = shrink});
}

}  // namespace compressor::ops
