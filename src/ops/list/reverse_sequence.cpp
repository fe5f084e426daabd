// reverse_sequence: ReverseSequence, the first elements of each sequence in reverse.
#include "compressor/ops/run.h"
#include "ops/movement.h"

namespace compressor::ops {
namespace {

/// Calls put(i, j): element i of the output is element j of the input.
template <class Context, class Put>
void each_pair(Context& ctx, const Dims& x, Put&& put) {
  const auto axis = [&](const char* name, std::int64_t otherwise) {
    const auto rank = static_cast<std::int64_t>(x.size());
    return static_cast<std::size_t>(axis_in(ctx.node(), ctx.node().int_or(name, otherwise), rank));
  };
  const std::size_t batch = axis("batch_axis", 1);
  const std::size_t time = axis("time_axis", 0);
  const Ints lengths = to_ints(ctx.in(1));
  if (static_cast<std::int64_t>(lengths.size()) != x[batch]) {
    ctx.fail("{} lengths, expected {}", lengths.size(), x[batch]);
  }
  const Strides strides = row_major(x);
  const auto size = static_cast<std::int64_t>(num_elements(x));
  for (std::int64_t i = 0; i < size; ++i) {
    const std::int64_t n = lengths[static_cast<std::size_t>(i / strides[batch] % x[batch])];
    if (n < 0 || n > x[time]) ctx.fail("length {} of an axis of {}", n, x[time]);
    const std::int64_t t = i / strides[time] % x[time];
    put(i, t < n ? i + (n - 1 - 2 * t) * strides[time] : i);
  }
}

void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const Cells from(x);
  CellsOut out(x.dtype, x.shape);
  each_pair(ctx, x.shape, [&](std::int64_t i, std::int64_t j) { out.copy(i, from, j); });
  ctx.set(0, out.finish());
}

void gradient(GradientContext& ctx) {
  if (!ctx.wants(0)) return;
  const float* dy = ctx.grad(0);
  float* dx = ctx.grad_in(0);
  each_pair(ctx, ctx.in_shape(0), [&](std::int64_t i, std::int64_t j) { dx[j] = dy[i]; });
}

void channels(ChannelContext& ctx) {
  const Facts& x = ctx.in(0);
  if (!x.ranked) return ctx.freeze_all("is of unknown rank");
  ctx.freeze(0, axis_in(ctx.node(), ctx.node().int_or("batch_axis", 1), x.rank()), "is an axis of sequences");
  ctx.freeze(0, axis_in(ctx.node(), ctx.node().int_or("time_axis", 0), x.rank()), "is reversed in part");
  ctx.pass_all(0, 0);
}

}  // namespace

void register_reverse_sequence(OpTable& table) {
  table.add({.type = "ReverseSequence",
             .since = 10,
             .infer = [](InferContext& ctx) { infer_same(ctx); },
             .compute = compute,
             .channels = channels,
             .gradient = gradient,
             .keep = {.inputs = 2}});
}

}  // namespace compressor::ops
