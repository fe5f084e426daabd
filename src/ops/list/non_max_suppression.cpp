// NonMaxSuppression: boxes that do not overlap better ones; how many there are is not known before.
#include "ops/expect.h"

namespace compressor::ops {
namespace {

// boxes [N, B, 4], scores [N, classes, B] -> [chosen, 3]
void infer(InferContext& ctx) {
  expect_rank(ctx, ctx.in(0), "boxes", 3, 3);
  expect_rank(ctx, ctx.in(1), "scores", 3, 3);
  if (ctx.in(0).ranked) agree(ctx, SymDim(4), ctx.in(0).dims[2], "numbers of a box");
  ctx.set(0, DType::kInt64, {SymDim(), SymDim(3)});
}

}  // namespace

void register_non_max_suppression(OpTable& table) {
  table.add({.type = "NonMaxSuppression", .infer = infer});
}

}  // namespace compressor::ops
