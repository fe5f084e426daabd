// RandomNormal, RandomUniform, their Like forms, Bernoulli, Multinomial: numbers that nobody knows before.
#include "compressor/ops/channels.h"
#include "ops/expect.h"

namespace compressor::ops {
namespace {

void infer_shape(InferContext& ctx) {
  SymDims y;
  for (const std::int64_t d : ctx.node().ints_or("shape", {})) {
    if (d < 0) ctx.fail("shape holds {}, expected no negative number", d);
    y.emplace_back(d);
  }
  ctx.set(0, dtype_attribute(ctx.node(), "dtype", DType::kFloat), std::move(y));
}

void infer_like(InferContext& ctx) {
  same_as(ctx, 0, 0);
  if (ctx.wants(0)) ctx.outputs()[0].dtype = dtype_attribute(ctx.node(), "dtype", ctx.in(0).dtype);
}

// x [N, classes] -> [N, samples]
void infer_multinomial(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  expect_rank(ctx, x, "input", 2, 2);
  ctx.set(0, dtype_attribute(ctx.node(), "dtype", DType::kInt32),
          {x.ranked ? x.dims[0] : SymDim(), ctx.node().int_or("sample_size", 1)});
}

}  // namespace

void register_random(OpTable& table) {
  for (const char* type : {"RandomNormal", "RandomUniform"}) table.add({.type = type, .infer = infer_shape});
  for (const char* type : {"RandomNormalLike", "RandomUniformLike", "Bernoulli"}) {
    table.add({.type = type, .infer = infer_like});
  }
  table.add({.type = "Multinomial", .infer = infer_multinomial});
}

}  // namespace compressor::ops
