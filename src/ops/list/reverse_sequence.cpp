// reverse_sequence: ReverseSequence, the first elements of each sequence in reverse.
#include "ops/movement.h"

namespace compressor::ops {
namespace {

void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const auto batch =
      static_cast<std::size_t>(axis_in(ctx.node(), ctx.node().int_or("batch_axis", 1), x.rank()));
  const auto time =
      static_cast<std::size_t>(axis_in(ctx.node(), ctx.node().int_or("time_axis", 0), x.rank()));
  const Ints lengths = to_ints(ctx.in(1));
  if (static_cast<std::int64_t>(lengths.size()) != x.shape[batch]) {
    ctx.fail("{} lengths, expected {}", lengths.size(), x.shape[batch]);
  }
  const Strides strides = row_major(x.shape);
  const Cells from(x);
  CellsOut out(x.dtype, x.shape);
  for (std::int64_t i = 0; i < out.size(); ++i) {
    const std::int64_t n = lengths[static_cast<std::size_t>(i / strides[batch] % x.shape[batch])];
    if (n < 0 || n > x.shape[time]) ctx.fail("length {} of an axis of {}", n, x.shape[time]);
    const std::int64_t t = i / strides[time] % x.shape[time];
    out.copy(i, from, t < n ? i + (n - 1 - 2 * t) * strides[time] : i);
  }
  ctx.set(0, out.finish());
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
             .channels = channels});
}

}  // namespace compressor::ops
