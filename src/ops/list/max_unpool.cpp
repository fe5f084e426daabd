// MaxUnpool: puts maxima back to where MaxPool found them.
#include <algorithm>
#include <functional>

#include "ops/elements.h"
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

/// The shape whose elements the indices count: what MaxPool saw as far as its attributes tell.
Dims counted_shape(const ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const Window window = read_window(ctx.node(), x.shape.size() - 2, {});
  Dims shape{x.shape[0], x.shape[1]};
  for (std::size_t i = 0; i < window.size(); ++i) {
    shape.push_back(window.transposed(i, x.shape[i + 2], 0).number());
  }
  return shape;
}

// output_shape may leave room for pixels that no window reached: positions are those of the smaller image.
void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  if (x.rank() < 3) ctx.fail("input has rank {}, expected at least 3", x.rank());
  if (ctx.in(1).shape != x.shape) {
    ctx.fail("indices are {}, expected {}", to_string(ctx.in(1).shape), to_string(x.shape));
  }
  const Dims counted = counted_shape(ctx);
  const Dims shape = ctx.has(2) ? to_ints(ctx.in(2)) : counted;
  if (shape.size() != counted.size())
    ctx.fail("output_shape has {} numbers, expected {}", shape.size(), x.rank());
  const bool larger = std::equal(counted.begin(), counted.end(), shape.begin(), std::less_equal<>());
  const Dims& inner = larger ? counted : shape;
  const Strides strides = row_major(shape);
  const auto size = static_cast<std::int64_t>(num_elements(inner));
  const Elements<std::int64_t> indices(ctx.in(1));
  const Cells from(x);
  CellsOut out(x.dtype, shape);
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(indices.size()); ++i) {
    std::int64_t rest = indices[i];
    if (rest < 0 || rest >= size) ctx.fail("index {} is outside of {}", rest, to_string(inner));
    std::int64_t at = 0;
    for (std::size_t k = shape.size(); k-- > 0;) {
      at += rest % inner[k] * strides[k];
      rest /= inner[k];
    }
    out.copy(at, from, i);
  }
  ctx.set(0, out.finish());
}

}  // namespace

void register_max_unpool(OpTable& table) {
  table.add(
      {.type = "MaxUnpool", .infer = infer, .compute = compute, .channels = channels, .shrink = shrink});
}

}  // namespace compressor::ops
