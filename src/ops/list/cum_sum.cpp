// CumSum: running sums along an axis.
#include "compressor/ops/channels.h"
#include "ops/expect.h"

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

template <class T>
void accumulate(std::vector<T>& x, std::uint64_t n, std::uint64_t inner, bool exclusive, bool reverse) {
  const std::uint64_t outer = x.empty() ? 0 : x.size() / (n * inner);
  for (std::uint64_t o = 0; o < outer; ++o) {
    for (std::uint64_t i = 0; i < inner; ++i) {
      T sum = 0;
      for (std::uint64_t j = 0; j < n; ++j) {
        T& at = x[(o * n + (reverse ? n - 1 - j : j)) * inner + i];
        const T own = at;
        at = exclusive ? sum : static_cast<T>(sum + own);
        sum = static_cast<T>(sum + own);
      }
    }
  }
}

void compute(ComputeContext& ctx) {
  const Tensor& input = ctx.in(0);
  std::int64_t axis = to_ints(ctx.in(1)).at(0);
  if (axis < -input.rank() || axis >= input.rank())
    ctx.fail("axis {} is outside a tensor of rank {}", axis, input.rank());
  if (axis < 0) axis += input.rank();
  const auto n = static_cast<std::uint64_t>(input.shape[static_cast<std::size_t>(axis)]);
  std::uint64_t inner = 1;
  for (auto i = static_cast<std::size_t>(axis) + 1; i < input.shape.size(); ++i) {
    inner *= static_cast<std::uint64_t>(input.shape[i]);
  }
  const bool exclusive = ctx.node().int_or("exclusive", 0) != 0;
  const bool reverse = ctx.node().int_or("reverse", 0) != 0;
  if (input.dtype == DType::kInt64) {
    std::vector<std::int64_t> x = to_ints(input);
    accumulate(x, n, inner, exclusive, reverse);
    return ctx.set(0, Tensor::of(input.shape, std::span<const std::int64_t>(x)));
  }
  std::vector<double> x = to_doubles(input);
  accumulate(x, n, inner, exclusive, reverse);
  ctx.set(0, Tensor::of(input.dtype, input.shape, x));
}

}  // namespace

void register_cum_sum(OpTable& table) {
  table.add({.type = "CumSum", .infer = infer, .cost = cost, .compute = compute, .channels = channels});
}

}  // namespace compressor::ops
