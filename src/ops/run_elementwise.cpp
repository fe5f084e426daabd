// run_elementwise: strides over both operands in the order of the output's memory, rows in parallel.
#include "ops/run_elementwise.h"

#include <cmath>
#include <cstring>

#include "compressor/kernels/strided.h"
#include "compressor/ops/activation.h"
#include "ops/binary_loops.h"

namespace compressor::ops {
namespace {

/// f(d, input i), d being of the shape of output 0 and in `layout`.
template <class F>
Tensor with_operand(GradientContext& ctx, const Tensor& d, Layout layout, std::size_t i, F f) {
  const Dims& shape = ctx.out_shape(0);
  const Layout other = ctx.in_shape(i) == shape ? layout : Layout::kPlain;
  const kernels::Buffer buffer(num_elements(shape) * sizeof(float));
  const BytesView view = d.bytes.view();
  loops(plan(shape, layout, shape, layout, ctx.in_shape(i), other),
        reinterpret_cast<const float*>(view.data()), ctx.in_floats(i, other), buffer.as<float>(), f);
  Tensor y = d;
  y.bytes = buffer.bytes();
  return y;
}

Tensor product_of(const Tensor& a, const Tensor& b) {
  const kernels::Buffer buffer(a.bytes.size());
  const BytesView va = a.bytes.view();
  const BytesView vb = b.bytes.view();
  const auto n = static_cast<std::int64_t>(a.size());
  loops(plan({n}, Layout::kPlain, {n}, Layout::kPlain, {n}, Layout::kPlain),
        reinterpret_cast<const float*>(va.data()), reinterpret_cast<const float*>(vb.data()),
        buffer.as<float>(), Arithmetic::kMul);
  Tensor y = a;
  y.bytes = buffer.bytes();
  return y;
}

float power(float a, float b) {
  if (b == 2) return a * a;
  if (b == 3) return a * a * a;
  if (b == 0.5F) return std::sqrt(a);
  return std::pow(a, b);
}

}  // namespace

bool run_activation(RunContext& ctx, const Activation& f) {
  if (ctx.dtype(0) != DType::kFloat) return false;
  const Layout layout = ctx.layout(0);
  const float* x = ctx.floats(0, layout);
  const Dims shape = ctx.shape(0);
  auto* y = reinterpret_cast<float*>(ctx.out_over(0, 0, DType::kFloat, shape, layout));
  kernels::activate(f, x, y, static_cast<std::int64_t>(num_elements(shape)));
  return true;
}

void add_activation_rules(Op& op) {
  const bool from_output = op.type == "Relu" || op.type == "Sigmoid" || op.type == "Tanh";
  op.run = [](RunContext& ctx) {
    const auto f = activation_of(ctx.node());
    return f && run_activation(ctx, *f);
  };
  op.gradient = [](GradientContext& ctx) {
    const auto f = activation_of(ctx.node());
    if (!f) ctx.fail("the gradient is not available");
    activation_gradient(ctx, *f);
  };
  op.keep = from_output ? Keep{.inputs = 0, .outputs = 1} : Keep{.inputs = 1, .outputs = 0};
}

void activation_gradient(GradientContext& ctx, const Activation& f) {
  if (!ctx.wants(0)) return;
  const Layout layout = ctx.grad_layout(0);
  const bool from_output = kernels::derivative_from_output(f);
  const float* x = from_output ? ctx.out_floats(0, layout) : ctx.in_floats(0, layout);
  const float* dy = ctx.grad(0, layout);
  kernels::activate_backward(f, x, dy, ctx.grad_in(0, layout),
                             static_cast<std::int64_t>(num_elements(ctx.in_shape(0))));
}

bool run_arithmetic(RunContext& ctx, Arithmetic op) {
  return run_binary(ctx, op);
}

bool run_power(RunContext& ctx) {
  if (ctx.dtype(0) != DType::kFloat || ctx.dtype(1) != DType::kFloat) return false;
  const Dims shape = ctx.shape(0);
  if (num_elements(ctx.shape(1)) == 1 && ctx.shape(1).size() <= shape.size() && *ctx.floats(1) == 2) {
    const Layout layout = ctx.layout(0);
    const float* x = ctx.floats(0, layout);
    auto* y = reinterpret_cast<float*>(ctx.out_over(0, 0, DType::kFloat, shape, layout));
    loops(plan(shape, layout, shape, layout, shape, layout), x, x, y, Arithmetic::kMul);
    return true;
  }
  return run_binary(ctx, [](float p, float q) { return power(p, q); });
}

Keep arithmetic_keep(Arithmetic op) {
  return op == Arithmetic::kAdd || op == Arithmetic::kSub ? Keep{} : Keep{.inputs = 3, .outputs = 0};
}

Tensor sum_to(const Tensor& from, const Dims& shape, Layout layout) {
  if (from.shape == shape) return from;
  const std::size_t lead = from.shape.size() - shape.size();
  const Strides own = kernels::strides_of(from.shape, layout);
  const Strides to = broadcast_strides(shape, from.shape);
  kernels::StridedAxes axes;
  for (std::size_t k = 0; k < own.size(); ++k) {
    const bool gone = k < lead || shape[k - lead] != from.shape[k];
    axes.push_back({from.shape[k], own[k], gone ? 0 : to[k]});
  }
  const kernels::Buffer buffer(num_elements(shape) * sizeof(float));
  std::memset(buffer.data(), 0, buffer.size());
  const BytesView view = from.bytes.view();
  kernels::add_strided(std::move(axes), reinterpret_cast<const float*>(view.data()), buffer.as<float>());
  Tensor y = from;
  y.shape = shape;
  y.bytes = buffer.bytes();
  return y;
}

void set_summed(GradientContext& ctx, std::size_t i, const Tensor& d, Layout layout) {
  const bool same = d.shape == ctx.in_shape(i);
  ctx.set(i, {sum_to(d, ctx.in_shape(i), layout), same ? layout : Layout::kPlain});
}

void arithmetic_gradient(GradientContext& ctx, Arithmetic op) {
  const Layout layout = ctx.grad_layout(0);
  const Tensor dy = ctx.grad_tensor(0, layout);
  const bool product = op == Arithmetic::kMul;
  if (ctx.wants(0)) {
    Tensor da = dy;
    if (product) da = with_operand(ctx, dy, layout, 1, Arithmetic::kMul);
    if (op == Arithmetic::kDiv) da = with_operand(ctx, dy, layout, 1, Arithmetic::kDiv);
    set_summed(ctx, 0, da, layout);
  }
  if (!ctx.wants(1)) return;
  Tensor db = dy;
  if (product) db = with_operand(ctx, dy, layout, 0, Arithmetic::kMul);
  if (op == Arithmetic::kDiv) {  // -dy a / b^2
    db = with_operand(ctx, dy, layout, 0, [](float p, float q) { return -(p * q); });
    db = with_operand(ctx, db, layout, 1, [](float p, float q) { return p / (q * q); });
  }
  if (op != Arithmetic::kSub) return set_summed(ctx, 1, db, layout);
  db = sum_to(db, ctx.in_shape(1), layout);
  const Tensor minus =
      binary(db.reshaped({static_cast<std::int64_t>(db.size())}), Tensor::scalar(-1.0F), Arithmetic::kMul);
  const bool same = dy.shape == ctx.in_shape(1);
  ctx.set(1, {minus.reshaped(ctx.in_shape(1)), same ? layout : Layout::kPlain});
}

// da = dy b a^(b - 1), db = dy a^b ln a
void power_gradient(GradientContext& ctx) {
  if (ctx.in_dtype(1) != DType::kFloat)
    ctx.fail("the gradient is not available for an exponent of this type");
  const Layout layout = ctx.grad_layout(0);
  const Tensor dy = ctx.grad_tensor(0, layout);
  const Tensor base = with_operand(ctx, dy, layout, 0, [](float, float a) { return a; });
  if (ctx.wants(0)) {
    const Tensor slope = with_operand(ctx, base, layout, 1, [](float a, float b) {
      return b == 0 ? 0 : b == 2 ? 2 * a : b * power(a, b - 1);
    });
    set_summed(ctx, 0, product_of(dy, slope), layout);
  }
  if (ctx.wants(1)) {
    const Tensor slope = with_operand(
        ctx, base, layout, 1, [](float a, float b) { return a == 0 ? 0.0F : power(a, b) * std::log(a); });
    set_summed(ctx, 1, product_of(dy, slope), layout);
  }
}

}  // namespace compressor::ops
