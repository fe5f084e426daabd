// scatter_elements: ScatterElements and Scatter (its name before 11), elements replaced at indices of an
// axis.
#include <algorithm>

#include "ops/places.h"
#include "ops/run_scatter.h"

namespace compressor::ops {
namespace {

void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  if (ctx.in(2).shape != ctx.in(1).shape) {
    ctx.fail("indices {} and updates {} into {}", to_string(ctx.in(1).shape), to_string(ctx.in(2).shape),
             to_string(x.shape));
  }
  const Ints places = named_elements(ctx.node(), x.shape, ctx.in(1));
  const std::string how = ctx.node().string_or("reduction", "none");
  if (how == "none") {
    const Cells base(x);
    const Cells news(ctx.in(2));
    CellsOut out(x.dtype, x.shape);
    out.copy(0, base, 0, out.size());
    std::int64_t from = 0;
    for (const std::int64_t to : places) out.copy(to, news, from++);
    return ctx.set(0, out.finish());
  }
  with_domain(x.dtype, [&]<class T>(T) {
    const Elements<T> base(x);
    const Elements<T> news(ctx.in(2));
    Result<T> out(x.dtype, x.shape);
    std::copy(base.span().begin(), base.span().end(), out.data());
    std::int64_t from = 0;
    for (const std::int64_t to : places) {
      T& v = out[to];
      const T update = news[from++];
      if (how == "add") v = static_cast<T>(v + update);
      if (how == "mul") v = static_cast<T>(v * update);
      if (how == "max") v = std::max(v, update);
      if (how == "min") v = std::min(v, update);
    }
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
               .channels = [](ChannelContext& ctx) { ctx.freeze_all("is scattered element by element"); },
               .gradient = scatter_elements_gradient,
               .keep = {.inputs = 2}});
  }
}

}  // namespace compressor::ops
