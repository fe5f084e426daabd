// Conv: convolution; com.microsoft's FusedConv is one with a sum and an activation behind it.
#include <algorithm>

#include "ops/convolve.h"
#include "ops/gate.h"
#include "ops/real.h"
#include "ops/run_convolution.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  auto shape = convolution_shape(ctx, {});
  if (!shape) return ctx.set_unranked(0, ctx.in(0).dtype);
  ctx.set(0, ctx.in(0).dtype, std::move(*shape));
}

Cost cost(const CostContext& ctx) {
  return convolution_cost(ctx, {});
}

void channels(ChannelContext& ctx) {
  convolution_channels(ctx, {});
}

void shrink(ShrinkContext& ctx) {
  convolution_shrink(ctx, {});
}

// The sum that is added before the activation.
void fused_channels(ChannelContext& ctx) {
  channels(ctx);
  if (!ctx.has(3)) return;
  ctx.join(ctx.in_list(1, 0), ctx.in_list(3, 1));
  ctx.set_out(0, 1, ctx.in_list(1, 0));
}

void compute(ComputeContext& ctx) {
  ctx.set(0, convolve(ctx, {}));
}

template <class Context>
std::optional<Gate> fused_gate(const Context& ctx) {
  const std::string name = ctx.node().string_or("activation", "");
  if (name.empty()) return std::nullopt;
  auto gate = Gate::named(name);
  if (!gate) ctx.fail("activation is '{}', which is not known", name);
  const std::vector<float> parameters = ctx.node().floats_or("activation_params", {});
  if (!parameters.empty()) gate->alpha = parameters[0];
  if (parameters.size() > 1) gate->beta = parameters[1];
  return gate;
}

// gate(conv(x, w, b) + z)
void fused_compute(ComputeContext& ctx) {
  Tensor y = convolve(ctx, {});
  const auto gate = fused_gate(ctx);
  if (!gate && !ctx.has(3)) return ctx.set(0, std::move(y));
  if (ctx.has(3) && ctx.in(3).shape != y.shape) {
    ctx.fail("what is added is {}, expected {}", to_string(ctx.in(3).shape), to_string(y.shape));
  }
  with_real(ctx, y.dtype, [&]<class T>(T) {
    const Elements<T> sums(y);
    Result<T> out(y.dtype, y.shape);
    std::copy_n(sums.data(), out.size(), out.data());
    if (ctx.has(3)) {
      const Elements<T> z(ctx.in(3));
      for (std::int64_t i = 0; i < out.size(); ++i) out[i] += z[i];
    }
    if (gate) gate->apply(out.data(), out.size());
    ctx.set(0, out.finish());
  });
}

/// The kernels' name of a gate; nullopt where they have none.
std::optional<Activation> as_activation(const Gate& gate) {
  using Kind = Activation::Kind;
  switch (gate.kind) {
    case Gate::Kind::kRelu:
      return Activation{Kind::kRelu};
    case Gate::Kind::kTanh:
      return Activation{Kind::kTanh};
    case Gate::Kind::kSigmoid:
      return Activation{Kind::kSigmoid};
    case Gate::Kind::kLeakyRelu:
      return Activation{Kind::kLeakyRelu, gate.alpha};
    case Gate::Kind::kHardSigmoid:
      return Activation{Kind::kHardSigmoid, gate.alpha, gate.beta};
    case Gate::Kind::kElu:
      return Activation{Kind::kElu, gate.alpha};
    case Gate::Kind::kClip:
      return Activation{Kind::kClip, gate.alpha, gate.beta};
    default:
      return std::nullopt;
  }
}

bool fused_run(RunContext& ctx) {
  Epilogue epilogue;
  epilogue.add = ctx.has(3) ? 3 : 0;
  if (const auto gate = fused_gate(ctx)) {
    const auto f = as_activation(*gate);
    if (!f) return false;
    epilogue.activation = *f;
  }
  return run_convolution_with(ctx, epilogue);
}

}  // namespace

void register_conv(OpTable& table) {
  table.add({.type = "Conv",
             .infer = infer,
             .cost = cost,
             .compute = compute,
             .channels = channels,
             .shrink = shrink,
             .run = run_convolution,
             .fuses = true,
             .gradient = convolution_gradient,
             .keep = {.inputs = 3}});
  table.add({.type = "FusedConv",
             .domain = "com.microsoft",
             .infer = infer,
             .cost = cost,
             .compute = fused_compute,
             .channels = fused_channels,
             .shrink = shrink,
             .run = fused_run});
}

}  // namespace compressor::ops
