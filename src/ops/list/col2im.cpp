// Col2Im: sums blocks of columns back into an image.
#include "ops/convolve.h"
#include "ops/expect.h"
#include "ops/real.h"

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

// The transpose of what a convolution does to make its columns.
void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const std::vector<std::int64_t> image = to_ints(ctx.in(1));
  const std::vector<std::int64_t> block = to_ints(ctx.in(2));
  if (x.rank() != 3) ctx.fail("input has rank {}, expected 3", x.rank());
  if (image.empty() || block.size() != image.size()) {
    ctx.fail("image_shape has {} numbers, block_shape {}", image.size(), block.size());
  }
  for (std::size_t i = 0; i < image.size(); ++i) {
    if (image[i] < 0 || block[i] < 1) ctx.fail("image_shape holds {}, block_shape {}", image[i], block[i]);
  }
  const Window window = read_window(ctx.node(), image.size(), SymDims(block.begin(), block.end()));
  const FixedWindow w = fix(ctx.node(), window, image);
  if (x.shape[1] % w.taps() != 0 || x.shape[2] != w.out_plane()) {
    ctx.fail("input is {}, expected a multiple of {} rows and {} columns", to_string(x.shape), w.taps(),
             w.out_plane());
  }
  const std::int64_t channels = x.shape[1] / w.taps();
  Dims shape{x.shape[0], channels};
  shape.insert(shape.end(), image.begin(), image.end());
  with_real(ctx, x.dtype, [&]<class T>(T) {
    const Elements<T> columns(x);
    Result<T> y(x.dtype, shape);
    for (std::int64_t n = 0; n < x.shape[0]; ++n) {
      add_columns(w, columns.data() + n * x.shape[1] * x.shape[2], channels,
                  y.data() + n * channels * w.in_plane());
    }
    ctx.set(0, y.finish());
  });
}

}  // namespace

void register_col2im(OpTable& table) {
  table.add({.type = "Col2Im", .infer = infer, .cost = cost, .compute = compute, .channels = channels});
}

}  // namespace compressor::ops
