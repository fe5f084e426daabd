// variadic: Sum, Mean, Max and Min of any number of broadcast inputs.
#include <cmath>

#include "ops/elementwise.h"

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

}  // namespace

void register_variadic(OpTable& table) {
  const auto add = [&](const char* type, std::function<void(InferContext&)> infer,
                       std::function<void(ComputeContext&)> compute) {
    table.add({.type = type,
               .since = 6,
               .infer = std::move(infer),
               .cost = cost,
               .compute = std::move(compute),
               .channels = channels_broadcast});
  };
  add("Sum", infer_sum, sum);
  add("Mean", infer_sum, mean);
  add("Max", infer_extreme<1>,
      [](ComputeContext& ctx) { fold(ctx, [](auto a, auto b) { return larger(a, b); }); });
  add("Min", infer_extreme<-1>,
      [](ComputeContext& ctx) { fold(ctx, [](auto a, auto b) { return smaller(a, b); }); });
}

}  // namespace compressor::ops
