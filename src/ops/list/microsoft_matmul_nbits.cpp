// com.microsoft MatMulNBits: a product with a weight [N, K] that is packed to a few bits in blocks of K.
#include "ops/expect.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  const std::int64_t k = ctx.node().int_or("K", 0);
  const std::int64_t n = ctx.node().int_or("N", 0);
  if (k < 1 || n < 1) ctx.fail("K is {} and N is {}, expected at least 1", k, n);
  expect_rank(ctx, x, "input", 1);
  if (!x.ranked) return ctx.set_unranked(0, x.dtype);
  agree(ctx, SymDim(k), x.dims.back(), "last axis of the input");
  SymDims y = x.dims;
  y.back() = n;
  ctx.set(0, x.dtype, std::move(y));
}

Cost cost(const CostContext& ctx) {
  const auto k = static_cast<double>(ctx.node().int_or("K", 0));
  const double places = ctx.out_size(0);
  return {.macs = places * k, .flops = places * (2 * k - 1)};
}

}  // namespace

void register_microsoft_matmul_nbits(OpTable& table) {
  table.add({.type = "MatMulNBits", .domain = "com.microsoft", .infer = infer, .cost = cost});
}

}  // namespace compressor::ops
