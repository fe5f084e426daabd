// scatter_elements: ScatterElements and Scatter (its name before 11), elements replaced at indices of an
// axis.
#include <algorithm>

#include "ops/movement.h"

namespace compressor::ops {
namespace {

/// Calls put(position in x, position in updates) for every update.
template <class Put>
void each(const ComputeContext& ctx, Put&& put) {
  const Tensor& x = ctx.in(0);
  const Tensor& indices = ctx.in(1);
  if (indices.rank() != x.rank() || ctx.in(2).shape != indices.shape) {
    ctx.fail("indices {} and updates {} into {}", to_string(indices.shape), to_string(ctx.in(2).shape),
             to_string(x.shape));
  }
  const auto axis = static_cast<std::size_t>(axis_in(ctx.node(), ctx.node().int_or("axis", 0), x.rank()));
  for (std::size_t k = 0; k < x.shape.size(); ++k) {
    if (k != axis && indices.shape[k] > x.shape[k]) {
      ctx.fail("indices of shape {} into {}", to_string(indices.shape), to_string(x.shape));
    }
  }
  Strides strides = row_major(x.shape);
  const std::int64_t along = strides[axis];
  const std::int64_t n = x.shape[axis];
  strides[axis] = 0;
  const Ints wanted = to_ints(indices);
  walk<1>(indices.shape, {strides}, {0}, [&](const Run<1>& run) {
    for (std::int64_t i = 0; i < run.count; ++i) {
      std::int64_t k = wanted[static_cast<std::size_t>(run.out + i)];
      if (k < -n || k >= n) ctx.fail("index {} is outside an axis of {}", k, n);
      if (k < 0) k += n;
      put(run.at[0] + i * run.step[0] + k * along, run.out + i);
    }
  });
}

void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const std::string how = ctx.node().string_or("reduction", "none");
  if (how == "none") {
    const Cells base(x);
    const Cells news(ctx.in(2));
    CellsOut out(x.dtype, x.shape);
    out.copy(0, base, 0, out.size());
    each(ctx, [&](std::int64_t to, std::int64_t from) { out.copy(to, news, from); });
    return ctx.set(0, out.finish());
  }
  with_domain(x.dtype, [&]<class T>(T) {
    const Elements<T> base(x);
    const Elements<T> news(ctx.in(2));
    Result<T> out(x.dtype, x.shape);
    std::copy(base.span().begin(), base.span().end(), out.data());
    each(ctx, [&](std::int64_t to, std::int64_t from) {
      T& v = out[to];
      if (how == "add") v = static_cast<T>(v + news[from]);
      if (how == "mul") v = static_cast<T>(v * news[from]);
      if (how == "max") v = std::max(v, news[from]);
      if (how == "min") v = std::min(v, news[from]);
    });
    ctx.set(0, out.finish());
  });
}

void infer(InferContext& ctx) {
  infer_same(ctx);
  if (ctx.node().string_or("reduction", "none") != "none") return;
  const std::size_t data[] = {0, 2};
  move_contents(ctx, compute, data);
}

}  // namespace

void register_scatter_elements(OpTable& table) {
  for (const auto& [type, since] : {std::pair("Scatter", 9), std::pair("ScatterElements", 11)}) {
    table.add({.type = type,
               .since = since,
               .infer = infer,
               .compute = compute,
               .channels = [](ChannelContext& ctx) { ctx.freeze_all("is scattered element by element"); }});
  }
}

}  // namespace compressor::ops
