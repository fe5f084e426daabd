// clip: Clip, with its bounds as attributes (before 11) or inputs.
#include <limits>

#include "ops/elementwise.h"
#include "ops/run_elementwise.h"

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

template <class Context>
std::optional<Activation> settings(Context& ctx) {
  Activation f{Activation::Kind::kClip, -std::numeric_limits<float>::infinity(),
               std::numeric_limits<float>::infinity()};
  if (ctx.opset() < 11) {
    f.a = ctx.node().float_or("min", f.a);
    f.b = ctx.node().float_or("max", f.b);
    return f;
  }
  for (const std::size_t i : {1U, 2U}) {
    if (!ctx.has(i)) continue;
    const Tensor& bound = ctx.in(i);
    if (bound.dtype != DType::kFloat || bound.size() != 1) return std::nullopt;
    (i == 1 ? f.a : f.b) = to_floats(bound)[0];
  }
  return f;
}

bool run(RunContext& ctx) {
  const auto f = settings(ctx);
  return f && run_activation(ctx, *f);
}

void gradient(GradientContext& ctx) {
  const auto f = settings(ctx);
  if (!f) ctx.fail("the gradient is not available for these bounds");
  activation_gradient(ctx, *f);
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
             .channels = channels,
             .run = run,
             .gradient = gradient,
             .keep = {.inputs = 7}});
}

}  // namespace compressor::ops
