// CumSum: running sums along an axis.
#include <algorithm>

#include "compressor/ops/run.h"
#include "ops/expect.h"
#include "ops/movement.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  same_as(ctx, 0, 0);
}

Cost cost(const CostContext& ctx) {
  return {.macs = 0, .flops = ctx.in_size(0)};
}

void channels(ChannelContext& ctx) {
  const Tensor* constant = ctx.in(1).constant.get();
  if (!constant || constant->size() != 1) return ctx.freeze_all("sums along an axis that is computed");
  ctx.freeze(0, to_ints(*constant)[0], "running sum along this axis");
  ctx.pass_all(0, 0);
}

/// [outer, n, inner], summed along n.
struct Sums {
  std::int64_t n = 0, inner = 1;
  bool exclusive = false, reverse = false;
};

Sums sums_of(const Node& node, const Dims& x, const Tensor& axis) {
  const auto at = x.begin() + axis_in(node, to_ints(axis).at(0), static_cast<std::int64_t>(x.size()));
  return {*at, static_cast<std::int64_t>(num_elements({at + 1, x.end()})), node.int_or("exclusive", 0) != 0,
          node.int_or("reverse", 0) != 0};
}

template <class T>
void accumulate(std::vector<T>& x, const Sums& s) {
  const auto size = static_cast<std::int64_t>(x.size());
  for (std::int64_t o = 0; o < size; o += s.n * s.inner) {
    for (std::int64_t i = 0; i < s.inner; ++i) {
      T sum = 0;
      for (std::int64_t j = 0; j < s.n; ++j) {
        T& at = x[static_cast<std::size_t>(o + (s.reverse ? s.n - 1 - j : j) * s.inner + i)];
        const T own = at;
        at = s.exclusive ? sum : static_cast<T>(sum + own);
        sum = static_cast<T>(sum + own);
      }
    }
  }
}

void compute(ComputeContext& ctx) {
  const Tensor& input = ctx.in(0);
  const Sums s = sums_of(ctx.node(), input.shape, ctx.in(1));
  if (input.dtype == DType::kInt64) {
    std::vector<std::int64_t> x = to_ints(input);
    accumulate(x, s);
    return ctx.set(0, Tensor::of(input.shape, std::span<const std::int64_t>(x)));
  }
  std::vector<double> x = to_doubles(input);
  accumulate(x, s);
  ctx.set(0, Tensor::of(input.dtype, input.shape, x));
}

/// Every number is in the sums behind it: the same sums from the other end.
void gradient(GradientContext& ctx) {
  if (!ctx.wants(0)) return;
  Sums s = sums_of(ctx.node(), ctx.in_shape(0), ctx.in(1));
  s.reverse = !s.reverse;
  std::vector<double> d = to_doubles(ctx.grad_tensor(0));
  accumulate(d, s);
  std::transform(d.begin(), d.end(), ctx.grad_in(0), [](double v) { return static_cast<float>(v); });
}

}  // namespace

void register_cum_sum(OpTable& table) {
  table.add({.type = "CumSum",
             .infer = infer,
             .cost = cost,
             .compute = compute,
             .channels = channels,
             .gradient = gradient,
             .keep = {.inputs = 2}});
}

}  // namespace compressor::ops
