// TopK: the K largest or smallest numbers along an axis, and where they were.
#include <algorithm>
#include <numeric>

#include "compressor/ops/channels.h"
#include "ops/expect.h"

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

}  // namespace

void register_top_k(OpTable& table) {
  table.add({.type = "TopK", .infer = infer, .compute = compute, .channels = channels});
}

}  // namespace compressor::ops
