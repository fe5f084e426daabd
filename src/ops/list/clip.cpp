// clip: Clip, with its bounds as attributes (before 11) or inputs.
#include <limits>

#include "ops/elementwise.h"

namespace compressor::ops {
namespace {

template <class T>
T bound(const ComputeContext& ctx, std::size_t i, const char* attribute, T otherwise) {
  if (ctx.opset() < 11) {
    if (!ctx.node().attribute(attribute)) return otherwise;
    return static_cast<T>(ctx.node().float_or(attribute, 0));
  }
  if (!ctx.has(i)) return otherwise;
  const Elements<T> value(ctx.in(i));
  if (value.size() != 1) ctx.fail("bound '{}' has {} elements, expected 1", attribute, value.size());
  return value[0];
}

void compute(ComputeContext& ctx) {
  const DType type = ctx.in(0).dtype;
  with_domain(type, [&]<class T>(T) {
    using Limits = std::numeric_limits<T>;
    constexpr bool kReal = std::is_floating_point_v<T>;
    const T low = bound<T>(ctx, 1, "min", kReal ? -Limits::infinity() : Limits::lowest());
    const T high = bound<T>(ctx, 2, "max", kReal ? Limits::infinity() : Limits::max());
    // Where the bounds cross, the upper one wins; NaN stays.
    map_unary<T>(ctx, type, [&](T x) {
      const T raised = x < low ? low : x;
      return raised > high ? high : raised;
    });
  });
}

/// Bounds are scalars: they carry no channels.
void channels(ChannelContext& ctx) {
  channels_unary(ctx);
}

}  // namespace

void register_clip(OpTable& table) {
  table.add({.type = "Clip",
             .infer = [](InferContext& ctx) { infer_same(ctx); },
             .cost = cost_elementwise,
             .compute = compute,
             .channels = channels});
}

}  // namespace compressor::ops
