// Col2Im: sums blocks of columns back into an image.
#include "compressor/ops/channels.h"
#include "ops/expect.h"

namespace compressor::ops {
namespace {

// x [N, C blocks, L], image_shape [n], block_shape [n] -> [N, C, image..]
void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  expect_rank(ctx, x, "input", 3, 3);
  const SymDims* image = ctx.contents(1);
  const SymDims* block = ctx.contents(2);
  if (!image) return ctx.set_unranked(0, x.dtype);
  SymDims y(2);
  if (x.ranked) y[0] = x.dims[0];
  if (x.ranked && block) {
    y[1] = x.dims[1].divided_by(product(*block));
    if (x.dims[1].is_number() && product(*block).is_number() && y[1].is_unknown()) {
      ctx.fail("input has {} rows, expected a multiple of the block's {}", x.dims[1].number(),
               product(*block).number());
    }
  }
  y.insert(y.end(), image->begin(), image->end());
  ctx.set(0, x.dtype, std::move(y));
}

Cost cost(const CostContext& ctx) {
  return {.macs = 0, .flops = ctx.in_size(0)};
}

void channels(ChannelContext& ctx) {
  const std::int64_t rows = ctx.in_dim(0, 1);
  const std::int64_t c = ctx.out_dim(0, 1);
  if (rows < 1 || c < 1 || rows % c != 0) return ctx.freeze_all("unknown number of channels");
  const std::vector<std::int64_t> factors{c, rows / c};
  const std::vector<Places> parts =
      ctx.atoms().split(ctx.in_list(0, 1), factors, ctx.because("blocks of an image"));
  ctx.pass(0, 0, 0, 0);
  ctx.set_out(0, 1, parts[0]);
  ctx.freeze(parts[1], "positions of a block");
  ctx.freeze(0, 2, "blocks of an image");
}

}  // namespace

void register_col2im(OpTable& table) {
  table.add({.type = "Col2Im", .infer = infer, .cost = cost, .channels = channels});
}

}  // namespace compressor::ops
