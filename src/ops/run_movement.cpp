// run_movement: movements as strides of the memory at hand.
#include "ops/run_movement.h"

#include <cstring>

#include "compressor/kernels/strided.h"

namespace compressor::ops {
namespace {

using kernels::StridedAxes;
using kernels::strides_of;

struct Side {
  Strides strides;
  std::int64_t first = 0;
};

Side side(const Dims& shape, Layout layout, const Ints& first) {
  Side s{strides_of(shape, layout)};
  for (std::size_t k = 0; k < first.size(); ++k) s.first += first[k] * s.strides[k];
  return s;
}

std::int64_t step(const Side& s, std::int64_t axis, std::int64_t by) {
  return axis < 0 ? 0 : s.strides[static_cast<std::size_t>(axis)] * by;
}

StridedAxes axes_of(const Moves& moves, const Side& in, const Side& out) {
  StridedAxes axes;
  for (const Move& m : moves.loops) {
    axes.push_back({m.n, step(in, m.in_axis, m.in_step), step(out, m.out_axis, m.out_step)});
  }
  return axes;
}

/// The order of one side, as far as it can be the other's too.
Layout shared(const Dims& a, const Dims& b, Layout layout) {
  return a.size() == b.size() && a.size() > 2 ? layout : Layout::kPlain;
}

std::size_t width_of(DType type) {
  return static_cast<std::size_t>(bits(type)) / 8;
}

bool is_empty(const Moves& moves) {
  for (const Move& m : moves.loops) {
    if (m.n == 0) return true;
  }
  return false;
}

}  // namespace

Moves along_axes(const Dims& shape) {
  Moves moves;
  for (std::size_t k = 0; k < shape.size(); ++k) {
    const auto axis = static_cast<std::int64_t>(k);
    moves.loops.push_back({shape[k], axis, 1, axis, 1});
  }
  return moves;
}

bool can_move(const RunContext& ctx, std::size_t i) {
  const RunValue& v = ctx.value(i);
  return v.kind == RunValue::Kind::kTensor && v.tensor.dtype != DType::kString && bits(v.tensor.dtype) >= 8;
}

void move_into(RunContext& ctx, std::size_t i, const Moves& moves, const Dims& shape, Layout layout,
               std::byte* out) {
  if (is_empty(moves)) return;
  const Layout own = ctx.layout(i);
  const Tensor& x = ctx.in(i, own);
  const Side from = side(x.shape, own, moves.in_first);
  const Side to = side(shape, layout, moves.out_first);
  const auto width = static_cast<std::int64_t>(width_of(x.dtype));
  const BytesView view = x.bytes.view();
  kernels::copy_strided(width_of(x.dtype), axes_of(moves, from, to), view.data() + from.first * width,
                        out + to.first * width);
}

void run_moves(RunContext& ctx, std::size_t i, std::size_t o, const Moves& moves, const Dims& shape) {
  const Layout layout = shared(ctx.shape(i), shape, ctx.layout(i));
  move_into(ctx, i, moves, shape, layout, ctx.out(o, ctx.dtype(i), shape, layout));
}

void moved_gradient(GradientContext& ctx, std::size_t i, std::size_t o, const Moves& moves) {
  if (!ctx.wants(i)) return;
  const Dims& x = ctx.in_shape(i);
  const Dims& y = ctx.out_shape(o);
  const Layout own = ctx.grad_layout(o);
  const Layout layout = shared(y, x, own);
  const float* dy = ctx.grad(o, own);
  float* dx = ctx.grad_in(i, layout);
  if (!moves.covers_in || moves.repeats) std::memset(dx, 0, num_elements(x) * sizeof(float));
  if (is_empty(moves)) return;
  const Side to = side(x, layout, moves.in_first);
  const Side from = side(y, own, moves.out_first);
  StridedAxes axes = axes_of(moves, to, from);
  for (auto& a : axes) std::swap(a.from, a.to);
  if (moves.repeats) {
    kernels::add_strided(std::move(axes), dy + from.first, dx + to.first);
  } else {
    kernels::copy_strided(sizeof(float), std::move(axes), reinterpret_cast<const std::byte*>(dy + from.first),
                          reinterpret_cast<std::byte*>(dx + to.first));
  }
}

void reshape_gradient(GradientContext& ctx) {
  if (!ctx.wants(0)) return;
  if (ctx.in_shape(0) == ctx.out_shape(0)) {
    const Layout layout = ctx.grad_layout(0);
    return ctx.set(0, {ctx.grad_tensor(0, layout), layout});
  }
  ctx.set(0, ctx.grad_tensor(0).reshaped(ctx.in_shape(0)));
}

}  // namespace compressor::ops
