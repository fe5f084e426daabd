// Softmax, LogSoftmax, Hardmax: a distribution along one axis; before opset 13 along all axes from there on.
#include <algorithm>
#include <cmath>

#include "compressor/ops/channels.h"
#include "ops/expect.h"

namespace compressor::ops {
namespace {

/// First of the axes that one distribution runs over, and the one past the last.
std::pair<std::int64_t, std::int64_t> span_of(const Node& node, std::int64_t opset, std::int64_t rank) {
  const bool flattens = opset < 13;
  std::int64_t axis = node.int_or("axis", flattens ? 1 : -1);
  if (axis < -rank || axis > rank || (axis == rank && !flattens && rank > 0)) {
    throw Error::model("node '{}' ({}): axis {} is outside a tensor of rank {}", node.label(), node.op(),
                       axis, rank);
  }
  if (axis < 0) axis += rank;
  return {axis, flattens ? rank : std::min(axis + 1, rank)};
}

void infer(InferContext& ctx) {
  if (ctx.in(0).ranked) span_of(ctx.node(), ctx.opset(), ctx.in(0).rank());
  same_as(ctx, 0, 0);
}

// Maximum, difference, exponential, sum, quotient.
Cost cost(const CostContext& ctx) {
  return {.macs = 0, .flops = 5 * ctx.in_size(0)};
}

void channels(ChannelContext& ctx) {
  ctx.pass_all(0, 0);
  const auto [first, last] = span_of(ctx.node(), ctx.opset(), ctx.in(0).rank());
  for (std::int64_t axis = first; axis < last; ++axis) {
    ctx.approximate(ctx.in_list(0, axis), ctx.node().op() + " normalises over this axis");
  }
}

/// One distribution of n numbers, `step` apart.
void normalise(const std::string& op, double* x, std::uint64_t n, std::uint64_t step) {
  std::uint64_t at = 0;
  for (std::uint64_t i = 1; i < n; ++i) {
    if (x[i * step] > x[at * step]) at = i;
  }
  const double top = x[at * step];
  if (op == "Hardmax") {
    for (std::uint64_t i = 0; i < n; ++i) x[i * step] = i == at ? 1 : 0;
    return;
  }
  double sum = 0;
  for (std::uint64_t i = 0; i < n; ++i) sum += std::exp(x[i * step] - top);
  for (std::uint64_t i = 0; i < n; ++i) {
    const double d = x[i * step] - top;
    x[i * step] = op == "Softmax" ? std::exp(d) / sum : d - std::log(sum);
  }
}

void compute(ComputeContext& ctx) {
  const Tensor& input = ctx.in(0);
  std::vector<double> x = to_doubles(input);
  const auto [first, last] = span_of(ctx.node(), ctx.opset(), input.rank());
  std::uint64_t outer = 1;
  std::uint64_t n = 1;
  for (std::int64_t i = 0; i < first; ++i)
    outer *= static_cast<std::uint64_t>(input.shape[static_cast<std::size_t>(i)]);
  for (std::int64_t i = first; i < last; ++i)
    n *= static_cast<std::uint64_t>(input.shape[static_cast<std::size_t>(i)]);
  if (x.empty()) return ctx.set(0, input);
  const std::uint64_t inner = x.size() / (outer * n);
  for (std::uint64_t o = 0; o < outer; ++o) {
    for (std::uint64_t i = 0; i < inner; ++i)
      normalise(ctx.node().op(), x.data() + o * n * inner + i, n, inner);
  }
  ctx.set(0, Tensor::of(input.dtype, input.shape, x));
}

}  // namespace

void register_softmax(OpTable& table) {
  for (const char* type : {"Softmax", "LogSoftmax", "Hardmax"}) {
    table.add({.type = type, .infer = infer, .cost = cost, .compute = compute, .channels = channels});
  }
}

}  // namespace compressor::ops
