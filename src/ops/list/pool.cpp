// MaxPool, AveragePool, LpPool: one number for every place of a sliding window.
#include <algorithm>

#include "ops/expect.h"
#include "ops/pooling.h"
#include "ops/run_pooling.h"
#include "ops/window.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  expect_rank(ctx, x, "input", 3);
  const std::size_t rank = x.ranked ? x.dims.size() : ctx.node().ints_or("kernel_shape", {}).size() + 2;
  if (rank < 3) ctx.fail("kernel_shape is missing");
  const Window window = read_window(ctx.node(), rank - 2, {});
  SymDims y{x.ranked ? x.dims[0] : SymDim(), x.ranked ? x.dims[1] : SymDim()};
  for (std::size_t i = 0; i < window.size(); ++i) {
    const SymDim in = x.ranked ? x.dims[i + 2] : SymDim();
    y.push_back(window.places(i, in));
    if (y.back().is_number() && y.back().number() < 1 && !(in == SymDim(0))) {
      ctx.fail("window reaches over {} positions of axis {}, but the input has {} and {} of padding",
               window.extent(i).number(), i + 2, in.to_string(), window.pad_begin[i] + window.pad_end[i]);
    }
  }
  ctx.set(0, x.dtype, y);
  if (ctx.wants(1)) ctx.set(1, DType::kInt64, std::move(y));
}

Cost cost(const CostContext& ctx) {
  double taps = 1;
  for (const std::int64_t k : ctx.node().ints_or("kernel_shape", {})) taps *= static_cast<double>(k);
  return {.macs = 0, .flops = ctx.out_size(0) * taps};
}

// Positions as MaxPool counts them run over the channels too: only MaxUnpool may read them.
bool only_unpooled(const Value& indices) {
  return std::all_of(indices.uses().begin(), indices.uses().end(), [](const Use& use) {
    return use.node != nullptr && use.node->is("MaxUnpool") && use.index == 1;
  });
}

void channels(ChannelContext& ctx) {
  const std::vector<std::int64_t> kernel = ctx.node().ints_or("kernel_shape", {});
  pass_around_window(ctx, read_window(ctx.node(), kernel.size(), {}));
  ctx.pass(0, 1, 0, 1);
  if (!ctx.wants(1)) return;
  ctx.pass(0, 1, 1, 1);
  ctx.pass(0, 0, 1, 0);
  if (only_unpooled(*ctx.node().output(1))) return;
  ctx.freeze(0, 1, "the indices that it gives count over all channels");
  ctx.freeze(0, 0, "the indices that it gives count over all channels");
}

}  // namespace

void register_pool(OpTable& table) {
  table.add({.type = "MaxPool",
             .infer = infer,
             .cost = cost,
             .compute = compute_max_pool,
             .channels = channels,
             .run = run_pool,
             .gradient = pool_gradient,
             .keep = {.inputs = 1}});
  table.add({.type = "AveragePool",
             .infer = infer,
             .cost = cost,
             .compute = compute_average_pool,
             .channels = channels,
             .run = run_pool,
             .gradient = pool_gradient});
  table.add(
      {.type = "LpPool", .infer = infer, .cost = cost, .compute = compute_lp_pool, .channels = channels});
}

}  // namespace compressor::ops
