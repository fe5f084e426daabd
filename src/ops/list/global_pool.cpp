// GlobalAveragePool, GlobalMaxPool, GlobalLpPool: one number a channel.
#include <algorithm>

#include "compressor/kernels/in_parallel.h"
#include "compressor/ops/channels.h"
#include "ops/expect.h"
#include "ops/real.h"
#include "ops/run_pooling.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  expect_rank(ctx, x, "input", 2);
  if (!x.ranked) return ctx.set_unranked(0, x.dtype);
  SymDims y(x.dims.size(), SymDim(1));
  y[0] = x.dims[0];
  y[1] = x.dims[1];
  ctx.set(0, x.dtype, std::move(y));
}

Cost cost(const CostContext& ctx) {
  return {.macs = 0, .flops = ctx.in_size(0)};
}

void channels(ChannelContext& ctx) {
  ctx.pass(0, 0, 0, 0);
  ctx.pass(0, 1, 0, 1);
  for (std::int64_t axis = 2; axis < ctx.in(0).rank(); ++axis) {
    ctx.approximate(ctx.in_list(0, axis), ctx.node().op() + " pools over this axis");
  }
}

/// One number of each plane of n > 0 elements.
template <class T>
T pooled(const std::string& op, double p, const T* x, std::int64_t n) {
  if (op == "GlobalAveragePool") return static_cast<T>(sum_of(x, n) / static_cast<double>(n));
  if (op == "GlobalMaxPool") return *std::max_element(x, x + n);
  const double sum = sum_of(x, n, [p](double v) { return std::pow(std::fabs(v), p); });
  return static_cast<T>(std::pow(sum, 1 / p));
}

void compute(ComputeContext& ctx) {
  const Tensor& input = ctx.in(0);
  if (input.rank() < 2) ctx.fail("input has rank {}, expected at least 2", input.rank());
  Dims shape(input.shape.size(), 1);
  std::copy_n(input.shape.begin(), 2, shape.begin());
  const std::string& op = ctx.node().op();
  const double p =
      ctx.opset() < 2 ? ctx.node().float_or("p", 2) : static_cast<double>(ctx.node().int_or("p", 2));
  with_real(ctx, input.dtype, [&]<class T>(T) {
    const Elements<T> x(input);
    Result<T> y(input.dtype, shape);
    const std::int64_t planes = y.size();
    const std::int64_t n = planes > 0 ? static_cast<std::int64_t>(x.size()) / planes : 0;
    if (n == 0 && planes > 0) ctx.fail("input {} has nothing to pool", to_string(input.shape));
    kernels::in_parallel(planes * n > kParallelWork, planes,
                         [&](std::int64_t i) { y[i] = pooled(op, p, x.data() + i * n, n); });
    ctx.set(0, y.finish());
  });
}

}  // namespace

void register_global_pool(OpTable& table) {
  for (const char* type : {"GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"}) {
    const bool keeps = std::string_view(type) == "GlobalMaxPool";
    table.add({.type = type,
               .infer = infer,
               .cost = cost,
               .compute = compute,
               .channels = channels,
               .run = run_global_pool,
               .gradient = global_pool_gradient,
               .keep = {.inputs = keeps ? 1U : 0U}});
  }
}

}  // namespace compressor::ops
