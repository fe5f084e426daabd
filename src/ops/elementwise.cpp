// elementwise: shapes, contents, cost and channels of element-wise operators.
#include "ops/elementwise.h"

#include <cmath>
#include <numeric>

namespace compressor::ops {
namespace {

constexpr std::uint64_t kMaxContents = 4096;

}  // namespace

void infer_same(InferContext& ctx, DType type) {
  const Facts& x = ctx.in(0);
  if (type == DType::kUndefined) type = x.dtype;
  if (!x.ranked) return ctx.set_unranked(0, type);
  ctx.set(0, type, x.dims);
}

void infer_broadcast(InferContext& ctx, DType type) {
  if (type == DType::kUndefined) type = ctx.in(0).dtype;
  SymDims dims = ctx.in(0).dims;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    if (!ctx.in(i).ranked) return ctx.set_unranked(0, type);
    if (i > 0) dims = broadcast(ctx, dims, ctx.in(i).dims);
  }
  ctx.set(0, type, std::move(dims));
}

std::optional<SymDims> partly_known(const InferContext& ctx, std::size_t i) {
  if (!ctx.has(i)) return std::nullopt;
  if (const SymDims* known = ctx.contents(i)) return *known;
  const Tensor* constant = ctx.constant(i);
  if (!constant || !is_float(constant->dtype) || constant->size() > kMaxContents) return std::nullopt;
  SymDims result;
  for (const double v : to_doubles(*constant)) {
    const bool whole = std::fabs(v) < 9e15 && v == std::nearbyint(v);
    result.push_back(whole ? SymDim(static_cast<std::int64_t>(v)) : SymDim());
  }
  return result;
}

void contents_elementwise(InferContext& ctx, const ContentsFn& fn) {
  const auto out = ctx.outputs().empty() ? std::nullopt : ctx.outputs()[0].shape();
  if (!out || num_elements(*out) > kMaxContents) return;
  const std::size_t n = ctx.num_inputs();
  std::vector<SymDims> inputs;
  std::vector<Strides> strides;
  for (std::size_t i = 0; i < n; ++i) {
    auto known = partly_known(ctx, i);
    const auto shape = ctx.in(i).shape();
    if (!known || !shape || known->size() != num_elements(*shape)) return;
    inputs.push_back(std::move(*known));
    strides.push_back(broadcast_strides(*shape, *out));
  }
  const Strides own = row_major(*out);
  SymDims result;
  SymDims args(n);
  for (std::int64_t at = 0; at < static_cast<std::int64_t>(num_elements(*out)); ++at) {
    for (std::size_t i = 0; i < n; ++i) {
      std::int64_t from = 0;
      for (std::size_t k = 0; k < out->size(); ++k) from += at / own[k] % (*out)[k] * strides[i][k];
      args[i] = inputs[i][static_cast<std::size_t>(from)];
    }
    result.push_back(fn(args));
  }
  ctx.set_contents(0, std::move(result));
}

std::optional<int> sign_of(const SymDim& d) {
  if (d.is_unknown()) return std::nullopt;
  return d.coefficient() > 0 ? 1 : d.coefficient() < 0 ? -1 : 0;
}

Cost cost_elementwise(const CostContext& ctx) {
  return {0, ctx.out_size(0)};
}

bool carries_channels(const Facts& facts) {
  const bool counts = facts.dtype == DType::kInt64 || facts.dtype == DType::kInt32;
  return facts.ranked && !(counts && facts.rank() <= 1) && facts.dtype != DType::kString;
}

void channels_unary(ChannelContext& ctx) {
  if (!carries_channels(ctx.in(0))) return;
  ctx.pass_all(0, 0);
}

void channels_broadcast(ChannelContext& ctx) {
  if (!ctx.wants(0) || !carries_channels(ctx.out(0))) return;
  std::vector<std::size_t> inputs(ctx.node().inputs().size());
  std::iota(inputs.begin(), inputs.end(), std::size_t{0});
  join_elementwise(ctx, inputs);
}

}  // namespace compressor::ops
