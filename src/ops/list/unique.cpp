// Unique: the different elements, or slices along an axis; how many there are is not known before.
#include "ops/expect.h"

namespace compressor::ops {
namespace {

// y, indices, inverse_indices, counts
void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  const bool along_axis = ctx.node().attribute("axis") != nullptr;
  SymDims y{SymDim()};
  SymDim all = x.ranked ? product(x.dims) : SymDim();
  if (along_axis && !x.ranked) {
    ctx.set_unranked(0, x.dtype);
  } else {
    if (along_axis) {
      const auto axis = static_cast<std::size_t>(normalize_axis(ctx, ctx.node().int_or("axis", 0), x.rank()));
      y = x.dims;
      all = y[axis];
      y[axis] = {};
    }
    ctx.set(0, x.dtype, std::move(y));
  }
  for (std::size_t i = 1; i < 4; ++i) {
    if (ctx.wants(i)) ctx.set(i, DType::kInt64, {i == 2 ? all : SymDim()});
  }
}

}  // namespace

void register_unique(OpTable& table) {
  table.add({.type = "Unique", .infer = infer});
}

}  // namespace compressor::ops
