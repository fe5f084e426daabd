// reshape: Reshape, with 0 (copy), -1 (infer) and allowzero.
#include "ops/align.h"
#include "ops/movement.h"
#include "ops/run_movement.h"

namespace compressor::ops {
namespace {

/// The new dimensions for a target that may hold symbols.
SymDims resolve(const InferContext& ctx, const SymDims& target) {
  const Facts& x = ctx.in(0);
  const bool allow_zero = ctx.node().int_or("allowzero", 0) != 0;
  SymDims dims;
  std::size_t open = target.size();  // the one element that follows from the others
  std::size_t open_count = 0;
  for (std::size_t i = 0; i < target.size(); ++i) {
    SymDim d = target[i];
    if (d == SymDim(0) && !allow_zero) {
      if (x.ranked && i >= x.dims.size()) {
        ctx.fail("target {} copies axis {} of an input of rank {}", to_string(target), i, x.rank());
      }
      d = x.ranked ? x.dims[i] : SymDim();
    }
    if (d == SymDim(-1)) d = SymDim();
    if (d.is_unknown()) open = i, ++open_count;
    dims.push_back(d);
  }
  if (!x.ranked) return dims;
  const SymDim total = product(x.dims);
  if (open_count == 1) {
    SymDims others = dims;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(open));
    const SymDim rest = product(others);
    dims[open] = total.divided_by(rest);
    if (dims[open].is_unknown() && total.is_number() && rest.is_number() && rest.number() != 0) {
      ctx.fail("input {} cannot be reshaped to {}", to_string(x.dims), to_string(target));
    }
  }
  const SymDim made = product(dims);
  if (total.is_number() && made.is_number() && !(total == made)) {
    ctx.fail("input {} cannot be reshaped to {}", to_string(x.dims), to_string(target));
  }
  return dims;
}

void infer(InferContext& ctx) {
  const DType type = ctx.in(0).dtype;
  const SymDims* target = ctx.contents(1);
  if (!target) {
    const Facts& shape = ctx.in(1);
    const auto rank = shape.ranked && shape.rank() == 1 ? shape.dims[0].maybe_number() : std::nullopt;
    if (!rank) return ctx.set_unranked(0, type);
    return ctx.set(0, type, SymDims(static_cast<std::size_t>(*rank)));
  }
  ctx.set(0, type, resolve(ctx, *target));
  keep_contents(ctx);
}

void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  Dims shape = to_ints(ctx.in(1));
  const bool allow_zero = ctx.node().int_or("allowzero", 0) != 0;
  std::int64_t open = -1, rest = 1;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0 && !allow_zero) {
      if (i >= x.shape.size()) ctx.fail("target copies axis {} of an input of rank {}", i, x.rank());
      shape[i] = x.shape[i];
    }
    if (shape[i] == -1) {
      open = static_cast<std::int64_t>(i);
    } else {
      rest *= shape[i];
    }
  }
  const auto total = static_cast<std::int64_t>(x.size());
  if (open >= 0) shape[static_cast<std::size_t>(open)] = rest != 0 ? total / rest : 0;
  if (static_cast<std::int64_t>(num_elements(shape)) != total) {
    ctx.fail("input {} cannot be reshaped to {}", to_string(x.shape), to_string(shape));
  }
  Tensor out = x.reshaped(shape);
  out.name.clear();
  ctx.set(0, std::move(out));
}

/// The target holds the counts; its 0 and -1 adapt by themselves.
void shrink(ShrinkContext& ctx) {
  const auto target = known_ints(ctx.in(1));
  const bool allow_zero = ctx.node().int_or("allowzero", 0) != 0;
  for (std::int64_t axis = 0; axis < ctx.out(0).rank(); ++axis) {
    if (!ctx.kept_out(0, axis)) continue;
    const std::int64_t n = ctx.new_out_dim(0, axis);
    if (target && axis < static_cast<std::int64_t>(target->size())) {
      const std::int64_t old = (*target)[static_cast<std::size_t>(axis)];
      if (old == -1) continue;
      if (old == 0 && !allow_zero && axis < ctx.in(0).rank() && ctx.new_in_dim(0, axis) == n) continue;
    }
    ctx.set_element(1, axis, n);
  }
}

}  // namespace

void register_reshape(OpTable& table) {
  table.add({.type = "Reshape",
             .since = 5,
             .infer = infer,
             .compute = compute,
             .channels = channels_reshape,
             .shrink = shrink,
             .gradient = reshape_gradient});
}

}  // namespace compressor::ops
