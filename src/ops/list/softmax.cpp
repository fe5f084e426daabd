// Softmax, LogSoftmax, Hardmax: a distribution along one axis; before opset 13 along all axes from there on.
#include <algorithm>
#include <cmath>
#include <vector>

#include "compressor/kernels/in_parallel.h"
#include "compressor/ops/channels.h"
#include "ops/expect.h"
#include "ops/real.h"
#include "ops/run_softmax.h"

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

enum class Kind : std::uint8_t { kSoftmax, kLogSoftmax, kHardmax };

/// x [n, inner] -> y, a distribution in every column; both may be one column wide.
template <class T>
void normalise(Kind kind, const T* x, T* y, std::int64_t n, std::int64_t inner) {
  std::vector<T> top(x, x + inner);
  std::vector<std::int64_t> at(kind == Kind::kHardmax ? static_cast<std::size_t>(inner) : 0);
  for (std::int64_t i = 1; i < n; ++i) {
    for (std::int64_t j = 0; j < inner; ++j) {
      const auto k = static_cast<std::size_t>(j);
      if (!(x[i * inner + j] > top[k])) continue;
      top[k] = x[i * inner + j];
      if (kind == Kind::kHardmax) at[k] = i;
    }
  }
  if (kind == Kind::kHardmax) {
    std::fill_n(y, n * inner, T{});
    for (std::int64_t j = 0; j < inner; ++j) y[at[static_cast<std::size_t>(j)] * inner + j] = 1;
    return;
  }
  std::vector<double> sum(static_cast<std::size_t>(inner));
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < inner; ++j) {
      const auto k = static_cast<std::size_t>(j);
      const T d = x[i * inner + j] - top[k];
      const T e = std::exp(d);
      sum[k] += static_cast<double>(e);
      y[i * inner + j] = kind == Kind::kSoftmax ? e : d;
    }
  }
  for (double& v : sum) v = kind == Kind::kSoftmax ? 1 / v : std::log(v);
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < inner; ++j) {
      T& v = y[i * inner + j];
      const auto total = static_cast<T>(sum[static_cast<std::size_t>(j)]);
      v = kind == Kind::kSoftmax ? v * total : v - total;
    }
  }
}

void compute(ComputeContext& ctx) {
  const Tensor& input = ctx.in(0);
  const auto [first, last] = span_of(ctx.node(), ctx.opset(), input.rank());
  const std::string& op = ctx.node().op();
  const Kind kind = op == "Softmax"      ? Kind::kSoftmax
                    : op == "LogSoftmax" ? Kind::kLogSoftmax
                                         : Kind::kHardmax;
  const Dims& shape = input.shape;
  const std::int64_t outer =
      static_cast<std::int64_t>(num_elements(Dims(shape.begin(), shape.begin() + first)));
  const std::int64_t n =
      static_cast<std::int64_t>(num_elements(Dims(shape.begin() + first, shape.begin() + last)));
  if (input.size() == 0) return ctx.set(0, input);
  with_real(ctx, input.dtype, [&]<class T>(T) {
    const Elements<T> x(input);
    Result<T> y(input.dtype, shape);
    const std::int64_t inner = y.size() / (outer * n);
    kernels::in_parallel(y.size() > kParallelWork, outer, [&](std::int64_t o) {
      normalise(kind, x.data() + o * n * inner, y.data() + o * n * inner, n, inner);
    });
    ctx.set(0, y.finish());
  });
}

bool run(RunContext& ctx) {
  const auto [first, last] = span_of(ctx.node(), ctx.opset(), static_cast<std::int64_t>(ctx.shape(0).size()));
  return run_softmax(ctx, first, last);
}

void gradient(GradientContext& ctx) {
  const auto [first, last] =
      span_of(ctx.node(), ctx.opset(), static_cast<std::int64_t>(ctx.in_shape(0).size()));
  softmax_gradient(ctx, first, last);
}

}  // namespace

void register_softmax(OpTable& table) {
  for (const char* type : {"Softmax", "LogSoftmax", "Hardmax"}) {
    Op op{.type = type, .infer = infer, .cost = cost, .compute = compute, .channels = channels};
    if (op.type != "Hardmax") {
      op.run = run;
      op.gradient = gradient;
      op.keep = {.inputs = 0, .outputs = 1};
    }
    table.add(std::move(op));
  }
}

}  // namespace compressor::ops
