// com.microsoft FastGelu, BiasGelu: activations with a bias before.
#include <cmath>
#include <numbers>

#include "compressor/ops/channels.h"
#include "ops/binary_loops.h"
#include "ops/elementwise.h"
#include "ops/expect.h"
#include "ops/run_elementwise.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  same_as(ctx, 0, 0);
  if (!ctx.has(1) || !ctx.in(0).ranked || ctx.in(0).rank() == 0) return;
  expect_vector(ctx, 1, ctx.in(0).dims.back(), "bias");
}

Cost cost(const CostContext& ctx) {
  return {.macs = 0, .flops = (ctx.has(1) ? 6 : 5) * ctx.in_size(0)};
}

void channels(ChannelContext& ctx) {
  static constexpr std::size_t kInputs[] = {0, 1};
  join_elementwise(ctx, std::span(kInputs, ctx.has(1) ? 2 : 1));
  if (ctx.has(1)) ctx.role(1, 0, AxisRole::kShift);
}

double gelu(double x) {
  return 0.5 * x * (1 + std::erf(x / std::numbers::sqrt2));
}

/// By tanh, as FastGelu.
double fast_gelu(double x) {
  return 0.5 * x * (1 + std::tanh(0.7978845608028654 * x + 0.035677408136300125 * x * x * x));
}

void compute(ComputeContext& ctx) {
  const auto f = ctx.node().op() == "FastGelu" ? fast_gelu : gelu;
  const Tensor& x = ctx.in(0);
  const Tensor bias = ctx.has(1) ? ctx.in(1) : Tensor::scalar(0.0F);
  if (broadcast_shape(x.shape, bias.shape) != x.shape) {
    ctx.fail("bias {} does not go with {}", to_string(bias.shape), to_string(x.shape));
  }
  const auto sum = [&]<class T>(T) {
    ctx.set(0, map_binary<T>(x, bias, x.dtype,
                             [f](T a, T b) { return static_cast<T>(f(static_cast<double>(a + b))); }));
  };
  if (x.dtype == DType::kDouble) return sum(double{});
  if (!is_float(x.dtype)) ctx.fail("elements are {}, expected floating point numbers", name(x.dtype));
  sum(float{});
}

/// Through the sum to both of its terms.
void gradient(GradientContext& ctx) {
  const Tensor& x = ctx.in(0);
  const Tensor sum = ctx.has(1) ? binary(x, ctx.in(1), Arithmetic::kAdd) : x;
  const bool fast = ctx.node().op() == "FastGelu";
  const kernels::Buffer buffer(sum.bytes.size());
  const BytesView view = sum.bytes.view();
  kernels::activate_backward({fast ? Activation::Kind::kGeluTanh : Activation::Kind::kGelu},
                             reinterpret_cast<const float*>(view.data()), ctx.grad(0), buffer.as<float>(),
                             static_cast<std::int64_t>(sum.size()));
  Tensor d = sum;
  d.bytes = buffer.bytes();
  for (const std::size_t i : {0, 1}) {
    if (ctx.wants(i)) set_summed(ctx, i, d, Layout::kPlain);
  }
}

}  // namespace

void register_microsoft_gelu(OpTable& table) {
  for (const char* type : {"FastGelu", "BiasGelu"}) {
    table.add({.type = type,
               .domain = "com.microsoft",
               .infer = infer,
               .cost = cost,
               .compute = compute,
               .channels = channels,
               .gradient = gradient,
               .keep = {.inputs = 3}});
  }
}

}  // namespace compressor::ops
