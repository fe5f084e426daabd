// PRelu: x where positive, slope * x otherwise; the slope broadcasts to the input. Up to opset 6 it is one
// number, or one for each channel.
#include <algorithm>

#include "compressor/ops/channels.h"
#include "ops/elementwise.h"
#include "ops/expect.h"
#include "ops/run_elementwise.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  const Facts& slope = ctx.in(1);
  if (ctx.opset() >= 7 && x.ranked && slope.ranked) {
    if (slope.rank() > x.rank()) ctx.fail("slope has rank {}, expected at most {}", slope.rank(), x.rank());
    for (std::int64_t i = 1; i <= slope.rank(); ++i) {
      const SymDim& s = slope.dim(-i);
      const SymDim& d = x.dim(-i);
      if (s.is_number() && s.number() != 1 && d.is_number() && !(s == d)) {
        ctx.fail("slope is {}, expected to broadcast to {}", to_string(slope.dims), to_string(x.dims));
      }
    }
  }
  same_as(ctx, 0, 0);
}

Cost cost(const CostContext& ctx) {
  return {.macs = 0, .flops = 2 * ctx.in_size(0)};
}

void channels(ChannelContext& ctx) {
  if (ctx.opset() < 7) {
    if (ctx.in_dim(1, 0) != 1) ctx.join(ctx.in_list(0, 1), ctx.in_list(1, 0));
    return ctx.pass_all(0, 0);
  }
  static constexpr std::size_t kInputs[] = {0, 1};
  join_elementwise(ctx, kInputs);
}

// Before opset 7 a slope for each channel stands alone: [C] as [C, 1..].
void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  Tensor slope = ctx.in(1);
  if (ctx.opset() < 7 && slope.size() > 1 && slope.rank() == 1 && x.rank() > 2) {
    Dims shape(x.shape.size() - 1, 1);
    shape[0] = slope.shape[0];
    slope = slope.reshaped(std::move(shape));
  }
  if (broadcast_shape(x.shape, slope.shape) != x.shape) {
    ctx.fail("slope is {}, expected to broadcast to {}", to_string(slope.shape), to_string(x.shape));
  }
  // Signs are as good as random: no branch.
  with_domain(x.dtype, [&]<class T>(T) {
    ctx.set(0, map_binary<T>(x, slope, x.dtype,
                             [](T v, T s) { return std::max(v, T{}) + s * std::min(v, T{}); }));
  });
}

/// Before opset 7 a slope for each channel stands alone.
Dims slope_shape(std::int64_t opset, const Dims& x, const Dims& slope) {
  if (opset >= 7 || slope.size() != 1 || slope[0] == 1 || x.size() < 3) return slope;
  Dims shape(x.size() - 1, 1);
  shape[0] = slope[0];
  return shape;
}

/// One slope, or one a channel.
bool run(RunContext& ctx) {
  if (ctx.portable() || ctx.dtype(0) != DType::kFloat || ctx.dtype(1) != DType::kFloat) return false;
  const Dims shape = ctx.shape(0);
  const Dims slope = slope_shape(ctx.opset(), shape, ctx.shape(1));
  const auto numbers = static_cast<std::int64_t>(num_elements(slope));
  const bool by_channel =
      shape.size() > 2 && slope.size() + 1 == shape.size() && slope[0] == shape[1] && numbers == shape[1];
  if (num_elements(shape) == 0 || (numbers != 1 && !by_channel)) return false;
  // Rows that each have one slope, or that all have a row of them.
  const Layout layout = ctx.layout(0);
  const bool row = numbers != 1 && layout == Layout::kChannelsLast;
  const auto size = static_cast<std::int64_t>(num_elements(shape));
  const std::int64_t n = row ? numbers : numbers == 1 ? shape.back() : size / (shape[0] * shape[1]);
  const float* x = ctx.floats(0, layout);
  const float* s = ctx.floats(1);
  auto* y = reinterpret_cast<float*>(ctx.out_over(0, 0, DType::kFloat, shape, layout));
  kernels::parametric_relu(x, size / n, n, s, row, numbers, y);
  return true;
}

// dx = dy where x > 0, slope dy elsewhere; dslope = min(x, 0) dy, summed to the slope's shape.
void gradient(GradientContext& ctx) {
  if (!ctx.has_grad(0)) return;
  const Dims& shape = ctx.in_shape(0);
  const Dims own = slope_shape(ctx.opset(), shape, ctx.in_shape(1));
  const Tensor slopes = take_strided(ctx.in(1).reshaped(own), shape, broadcast_strides(own, shape));
  const Elements<float> slope(slopes);
  const float* x = ctx.in_floats(0);
  const float* dy = ctx.grad(0);
  const auto size = static_cast<std::int64_t>(num_elements(shape));
  if (ctx.wants(0)) {
    float* dx = ctx.grad_in(0);
    for (std::int64_t i = 0; i < size; ++i) dx[i] = x[i] > 0 ? dy[i] : slope[i] * dy[i];
  }
  if (!ctx.wants(1)) return;
  Result<float> products(DType::kFloat, shape);
  for (std::int64_t i = 0; i < size; ++i) products[i] = std::min(x[i], 0.0F) * dy[i];
  ctx.set(1, sum_to(products.finish(), own).reshaped(ctx.in_shape(1)));
}

}  // namespace

void register_prelu(OpTable& table) {
  table.add({.type = "PRelu",
             .infer = infer,
             .cost = cost,
             .compute = compute,
             .channels = channels,
             .run = run,
             .gradient = gradient,
             .keep = {.inputs = 3}});
}

}  // namespace compressor::ops
