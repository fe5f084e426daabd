// variadic: Sum, Mean, Max and Min of any number of broadcast inputs.
#include <cmath>
#include <cstring>

#include "ops/binary_loops.h"
#include "ops/elementwise.h"
#include "ops/run_elementwise.h"

namespace compressor::ops {
namespace {

/// NaN wins, as in numpy.
template <class T>
bool is_nan(T v) {
  return v != v;  // NOLINT(misc-redundant-expression): only NaN differs from itself
}

template <class T>
T larger(T a, T b) {
  return is_nan(a) || a > b ? a : b;
}

template <class T>
T smaller(T a, T b) {
  return is_nan(a) || a < b ? a : b;
}

/// a where it is known to be the larger (factor 1) or smaller (factor -1), b where that is.
SymDim extreme(const SymDim& a, const SymDim& b, int factor) {
  if (a == b) return a;
  const auto difference = sign_of(a - b);
  if (difference) return *difference * factor >= 0 ? a : b;
  // A monomial with a positive coefficient c is at least c: symbols are at least 1.
  for (const auto& [one, other] : {std::pair(a, b), std::pair(b, a)}) {
    if (one.is_unknown() || !other.is_number() || one.coefficient() < other.number()) continue;
    if (one.coefficient() > 0) return factor > 0 ? one : other;
  }
  return {};
}

template <class Fn>
void fold(ComputeContext& ctx, Fn&& fn) {
  Tensor result = ctx.in(0);
  result.name.clear();
  const DType type = result.dtype;
  with_domain(type, [&]<class T>(T) {
    for (std::size_t i = 1; i < ctx.num_inputs(); ++i) {
      result = map_binary<T>(result, ctx.in(i), type, [&](T a, T b) { return fn(a, b); });
    }
  });
  ctx.set(0, std::move(result));
}

void sum(ComputeContext& ctx) {
  fold(ctx, [](auto a, auto b) { return static_cast<decltype(a)>(a + b); });
}

void mean(ComputeContext& ctx) {
  sum(ctx);
  const Tensor total = *ctx.outputs()[0];
  const auto n = static_cast<double>(ctx.num_inputs());
  with_domain(total.dtype, [&]<class T>(T) {
    const Elements<T> in(total);
    Result<T> out(total.dtype, total.shape);
    for (std::int64_t i = 0; i < out.size(); ++i) out[i] = static_cast<T>(static_cast<double>(in[i]) / n);
    ctx.set(0, out.finish());
  });
}

template <int kFactor>
void infer_extreme(InferContext& ctx) {
  infer_broadcast(ctx);
  contents_elementwise(ctx, [](std::span<const SymDim> in) {
    SymDim result = in[0];
    for (const SymDim& d : in.subspan(1)) result = extreme(result, d, kFactor);
    return result;
  });
}

void infer_sum(InferContext& ctx) {
  infer_broadcast(ctx);
}

/// One addition or comparison per element and input after the first.
Cost cost(const CostContext& ctx) {
  const auto n = static_cast<double>(ctx.node().inputs().size());
  return {0, ctx.out_size(0) * std::max(1.0, n - 1)};
}

/// y = f(f(a, b), c) ..., float32; of more than two inputs only where all are of one shape.
bool run_fold(RunContext& ctx, Arithmetic f) {
  const std::size_t n = ctx.num_inputs();
  for (std::size_t i = 0; i < n; ++i) {
    if (ctx.dtype(i) != DType::kFloat) return false;
    if (n > 2 && ctx.shape(i) != ctx.shape(0)) return false;
  }
  if (n == 1) {
    ctx.set(0, ctx.value(0));
    return true;
  }
  if (n == 2) return run_binary(ctx, f);
  const Layout layout = ctx.layout(0);
  const Loops l = plan(ctx.shape(0), layout, ctx.shape(0), layout, ctx.shape(0), layout);
  std::vector<const float*> inputs;
  for (std::size_t i = 0; i < n; ++i) inputs.push_back(ctx.floats(i, layout));
  float* y = ctx.out_floats(0, Dims(ctx.shape(0)), layout);
  loops(l, inputs[0], inputs[1], y, f);
  for (std::size_t i = 2; i < n; ++i) loops(l, y, inputs[i], y, f);
  return true;
}

bool run_sum(RunContext& ctx) {
  return run_fold(ctx, Arithmetic::kAdd);
}

/// Every input has its share of dy.
void sum_gradient(GradientContext& ctx, float share) {
  const Layout layout = ctx.grad_layout(0);
  Tensor d = ctx.grad_tensor(0, layout);
  if (share != 1) {
    const Dims shape = d.shape;
    const auto n = static_cast<std::int64_t>(d.size());
    d = binary(d.reshaped({n}), Tensor::scalar(share), Arithmetic::kMul).reshaped(shape);
  }
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    if (ctx.wants(i)) set_summed(ctx, i, d, layout);
  }
}

/// dy goes to the first of the inputs that is the output.
void extreme_gradient(GradientContext& ctx) {
  const Dims& shape = ctx.out_shape(0);
  const float* dy = ctx.grad(0);
  const float* y = ctx.out_floats(0);
  const std::size_t size = num_elements(shape);
  std::vector<bool> taken(size);
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    const float* x = ctx.in_floats(i);
    const kernels::Buffer buffer(size * sizeof(float));
    auto* d = buffer.as<float>();
    std::memset(d, 0, buffer.size());
    walk<1>(shape, {broadcast_strides(ctx.in_shape(i), shape)}, {0}, [&](const Run<1>& run) {
      for (std::int64_t k = 0; k < run.count; ++k) {
        const auto at = static_cast<std::size_t>(run.out + k);
        if (taken[at] || x[run.at[0] + k * run.step[0]] != y[at]) continue;
        taken[at] = true;
        d[at] = dy[at];
      }
    });
    if (!ctx.wants(i)) continue;
    Tensor t = ctx.grad_tensor(0);
    t.bytes = buffer.bytes();
    set_summed(ctx, i, t, Layout::kPlain);
  }
}

}  // namespace

void register_variadic(OpTable& table) {
  const auto add = [&](const char* type, std::function<void(InferContext&)> infer,
                       std::function<void(ComputeContext&)> compute, std::function<bool(RunContext&)> run,
                       std::function<void(GradientContext&)> gradient, Keep keep = {}) {
    table.add({.type = type,
               .since = 6,
               .infer = std::move(infer),
               .cost = cost,
               .compute = std::move(compute),
               .channels = channels_broadcast,
               .run = std::move(run),
               .gradient = std::move(gradient),
               .keep = keep});
  };
  add("Sum", infer_sum, sum, run_sum, [](GradientContext& ctx) { sum_gradient(ctx, 1); });
  add("Mean", infer_sum, mean, nullptr,
      [](GradientContext& ctx) { sum_gradient(ctx, 1 / static_cast<float>(ctx.num_inputs())); });
  const Keep all{.inputs = kAll, .outputs = 1};
  add(
      "Max", infer_extreme<1>,
      [](ComputeContext& ctx) { fold(ctx, [](auto a, auto b) { return larger(a, b); }); },
      [](RunContext& ctx) { return run_fold(ctx, Arithmetic::kMax); }, extreme_gradient, all);
  add(
      "Min", infer_extreme<-1>,
      [](ComputeContext& ctx) { fold(ctx, [](auto a, auto b) { return smaller(a, b); }); },
      [](RunContext& ctx) { return run_fold(ctx, Arithmetic::kMin); }, extreme_gradient, all);
}

}  // namespace compressor::ops
