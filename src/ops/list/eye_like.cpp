// eye_like: EyeLike, ones on a diagonal of a matrix of the input's shape.
#include "ops/movement.h"

namespace compressor::ops {
namespace {

DType type_of(const Node& node, DType input) {
  const std::int64_t given = node.int_or("dtype", 0);
  return given != 0 ? static_cast<DType>(given) : input;
}

void compute(ComputeContext& ctx) {
  const Dims& shape = ctx.in(0).shape;
  if (shape.size() != 2) ctx.fail("input of rank {}, expected 2", shape.size());
  const std::int64_t k = ctx.node().int_or("k", 0);
  const DType type = type_of(ctx.node(), ctx.in(0).dtype);
  with_domain(type, [&]<class T>(T) {
    Result<T> out(type, shape);
    for (std::int64_t row = 0; row < shape[0]; ++row) {
      const std::int64_t column = row + k;
      if (column >= 0 && column < shape[1]) out[row * shape[1] + column] = T{1};
    }
    ctx.set(0, out.finish());
  });
}

}  // namespace

void register_eye_like(OpTable& table) {
  table.add({.type = "EyeLike",
             .since = 9,
             .infer = [](InferContext& ctx) { infer_same(ctx, type_of(ctx.node(), ctx.in(0).dtype)); },
             .compute = compute});
}

}  // namespace compressor::ops
