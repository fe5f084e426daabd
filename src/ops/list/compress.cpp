// compress: Compress, the slices of an axis where a condition holds.
#include <algorithm>
#include <cstring>

#include "compressor/ops/run.h"
#include "ops/movement.h"

namespace compressor::ops {
namespace {

/// [outer, n, inner] -> [outer, wanted, inner]
struct Selection {
  std::int64_t outer = 1, n = 1, inner = 1;
  Ints wanted;
  Dims shape;  ///< of the output
};

template <class Context>
Selection selection_of(Context& ctx, const Dims& input) {
  const bool flat = !ctx.node().attribute("axis");
  const Dims x = flat ? Dims{static_cast<std::int64_t>(num_elements(input))} : input;
  const auto rank = static_cast<std::int64_t>(x.size());
  const std::int64_t axis = flat ? 0 : axis_in(ctx.node(), ctx.node().int_or("axis", 0), rank);
  const auto at = x.begin() + axis;
  Selection s;
  s.outer = static_cast<std::int64_t>(num_elements({x.begin(), at}));
  s.n = *at;
  s.inner = static_cast<std::int64_t>(num_elements({at + 1, x.end()}));
  const Ints condition = to_ints(ctx.in(1));
  for (std::size_t i = 0; i < condition.size(); ++i) {
    if (condition[i] == 0) continue;
    if (static_cast<std::int64_t>(i) >= s.n) ctx.fail("condition {} is past an axis of {}", i, s.n);
    s.wanted.push_back(static_cast<std::int64_t>(i));
  }
  s.shape = x;
  s.shape[static_cast<std::size_t>(axis)] = static_cast<std::int64_t>(s.wanted.size());
  return s;
}

/// Calls put(to, from) for every slice of s.inner elements.
template <class Put>
void each_slice(const Selection& s, Put&& put) {
  std::int64_t to = 0;
  for (std::int64_t o = 0; o < s.outer; ++o) {
    for (const std::int64_t i : s.wanted) {
      put(to, (o * s.n + i) * s.inner);
      to += s.inner;
    }
  }
}

void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const Selection s = selection_of(ctx, x.shape);
  const Cells cells(x);
  CellsOut out(x.dtype, s.shape);
  each_slice(s, [&](std::int64_t to, std::int64_t from) { out.copy(to, cells, from, s.inner); });
  ctx.set(0, out.finish());
}

void gradient(GradientContext& ctx) {
  if (!ctx.wants(0)) return;
  const Selection s = selection_of(ctx, ctx.in_shape(0));
  const float* dy = ctx.grad(0);
  float* dx = ctx.grad_in(0);
  std::memset(dx, 0, num_elements(ctx.in_shape(0)) * sizeof(float));
  each_slice(s, [&](std::int64_t to, std::int64_t from) { std::copy_n(dy + to, s.inner, dx + from); });
}

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  SymDim n;
  if (const auto condition = ctx.ints(1)) {
    n = static_cast<std::int64_t>(condition->size()) - std::count(condition->begin(), condition->end(), 0);
  }
  if (!ctx.node().attribute("axis")) return ctx.set(0, x.dtype, {n});
  if (!x.ranked) return ctx.set_unranked(0, x.dtype);
  SymDims dims = x.dims;
  dims[static_cast<std::size_t>(normalize_axis(ctx, ctx.node().int_or("axis", 0), x.rank()))] = n;
  ctx.set(0, x.dtype, std::move(dims));
}

}  // namespace

void register_compress(OpTable& table) {
  table.add({.type = "Compress",
             .since = 9,
             .infer = infer,
             .compute = compute,
             .channels = [](ChannelContext& ctx) { ctx.freeze_all("is compressed by a condition"); },
             .gradient = gradient,
             .keep = {.inputs = 2}});
}

}  // namespace compressor::ops
