// TopK: the K largest or smallest numbers along an axis, and where they were.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "compressor/ops/channels.h"
#include "compressor/ops/run.h"
#include "ops/expect.h"
#include "ops/movement.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  if (!x.ranked) {
    ctx.set_unranked(0, x.dtype);
    return ctx.set_unranked(1, DType::kInt64);
  }
  expect_rank(ctx, x, "input", 1);
  const auto axis = static_cast<std::size_t>(normalize_axis(ctx, ctx.node().int_or("axis", -1), x.rank()));
  SymDims y = x.dims;
  y[axis] = {};
  if (ctx.opset() < 10) y[axis] = ctx.node().int_or("k", 0);
  if (ctx.opset() >= 10) {
    const SymDims* k = ctx.contents(1);
    if (k && k->size() == 1) y[axis] = k->front();
  }
  if (y[axis].is_number() && x.dims[axis].is_number() && y[axis].number() > x.dims[axis].number()) {
    ctx.fail("K is {}, but axis {} has {} elements", y[axis].number(), axis, x.dims[axis].number());
  }
  ctx.set(0, x.dtype, y);
  ctx.set(1, DType::kInt64, std::move(y));
}

void channels(ChannelContext& ctx) {
  const std::int64_t rank = ctx.in(0).rank();
  const std::int64_t chosen = ctx.node().int_or("axis", -1);
  for (std::int64_t axis = 0; axis < rank; ++axis) {
    if (axis == (chosen < 0 ? chosen + rank : chosen)) {
      ctx.freeze(0, axis, "TopK chooses along this axis");
      continue;
    }
    ctx.pass(0, axis, 0, axis);
    ctx.pass(0, axis, 1, axis);
  }
}

void compute(ComputeContext& ctx) {
  const Tensor& input = ctx.in(0);
  const std::int64_t rank = input.rank();
  std::int64_t axis = ctx.node().int_or("axis", -1);
  if (axis < -rank || axis >= rank) ctx.fail("axis {} is outside a tensor of rank {}", axis, rank);
  if (axis < 0) axis += rank;
  const std::int64_t k = ctx.opset() < 10 ? ctx.node().int_or("k", 0) : to_ints(ctx.in(1)).at(0);
  const auto n = static_cast<std::uint64_t>(input.shape[static_cast<std::size_t>(axis)]);
  if (k < 0 || static_cast<std::uint64_t>(k) > n)
    ctx.fail("K is {}, but axis {} has {} elements", k, axis, n);
  const bool largest = ctx.node().int_or("largest", 1) != 0;
  const std::vector<double> x = to_doubles(input);
  Dims shape = input.shape;
  shape[static_cast<std::size_t>(axis)] = k;
  std::vector<double> values(num_elements(shape));
  std::vector<std::int64_t> places(values.size());
  std::uint64_t inner = 1;
  for (auto i = static_cast<std::size_t>(axis) + 1; i < shape.size(); ++i)
    inner *= static_cast<std::uint64_t>(shape[i]);
  const std::uint64_t outer = x.empty() ? 0 : x.size() / (n * inner);
  std::vector<std::uint64_t> order(n);
  for (std::uint64_t o = 0; o < outer; ++o) {
    for (std::uint64_t i = 0; i < inner; ++i) {
      const auto at = [&](std::uint64_t j) { return x[(o * n + j) * inner + i]; };
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](std::uint64_t a, std::uint64_t b) {
        return largest ? at(a) > at(b) : at(a) < at(b);
      });
      for (std::uint64_t j = 0; j < static_cast<std::uint64_t>(k); ++j) {
        const std::uint64_t to = (o * static_cast<std::uint64_t>(k) + j) * inner + i;
        values[to] = at(order[j]);
        places[to] = static_cast<std::int64_t>(order[j]);
      }
    }
  }
  ctx.set(0, Tensor::of(input.dtype, shape, values));
  ctx.set(1, Tensor::of(shape, std::span<const std::int64_t>(places)));
}

/// The numbers that were taken get what their copies get.
void gradient(GradientContext& ctx) {
  if (!ctx.wants(0) || !ctx.has_grad(0)) return;
  const Dims& x = ctx.in_shape(0);
  const Dims& y = ctx.out_shape(0);
  if (ctx.node().outputs().size() < 2) ctx.fail("the gradient needs output 1, the places");
  const Ints places = to_ints(ctx.out(1));
  const auto axis = static_cast<std::size_t>(
      axis_in(ctx.node(), ctx.node().int_or("axis", -1), static_cast<std::int64_t>(x.size())));
  const float* dy = ctx.grad(0);
  float* dx = ctx.grad_in(0);
  std::memset(dx, 0, num_elements(x) * sizeof(float));
  Strides strides = row_major(x);
  const std::int64_t along = strides[axis];
  strides[axis] = 0;
  walk<1>(y, {strides}, {0}, [&](const Run<1>& run) {
    for (std::int64_t i = 0; i < run.count; ++i) {
      const std::int64_t from = places[static_cast<std::size_t>(run.out + i)] * along;
      dx[run.at[0] + i * run.step[0] + from] = dy[run.out + i];
    }
  });
}

}  // namespace

void register_top_k(OpTable& table) {
  table.add({.type = "TopK",
             .infer = infer,
             .compute = compute,
             .channels = channels,
             .gradient = gradient,
             .keep = {.outputs = 2}});
}

}  // namespace compressor::ops
