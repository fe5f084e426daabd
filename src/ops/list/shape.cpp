// shape: Shape and Size, the lengths of a tensor as integers.
#include <algorithm>

#include "ops/movement.h"

namespace compressor::ops {
namespace {

/// The half-open range of axes that Shape gives (start and end since opset 15).
std::pair<std::int64_t, std::int64_t> range(const Node& node, std::int64_t rank) {
  const auto clamp = [rank](std::int64_t v) {
    return std::clamp<std::int64_t>(v < 0 ? v + rank : v, 0, rank);
  };
  const std::int64_t from = clamp(node.int_or("start", 0));
  return {from, std::max(from, clamp(node.int_or("end", rank)))};
}

void infer_shape(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  if (!x.ranked) return ctx.set(0, DType::kInt64, {SymDim()});
  const auto [from, to] = range(ctx.node(), x.rank());
  ctx.set(0, DType::kInt64, {to - from});
  ctx.set_contents(0, SymDims(x.dims.begin() + from, x.dims.begin() + to));
}

void compute_shape(ComputeContext& ctx) {
  const Dims& shape = ctx.in(0).shape;
  const auto [from, to] = range(ctx.node(), ctx.in(0).rank());
  const Dims part(shape.begin() + from, shape.begin() + to);
  ctx.set(0, Tensor::of({to - from}, std::span<const std::int64_t>(part)));
}

void infer_size(InferContext& ctx) {
  ctx.set(0, DType::kInt64, {});
  if (ctx.in(0).ranked) ctx.set_contents(0, {product(ctx.in(0).dims)});
}

void compute_size(ComputeContext& ctx) {
  ctx.set(0, Tensor::scalar(static_cast<std::int64_t>(ctx.in(0).size())));
}

}  // namespace

void register_shape(OpTable& table) {
  // Channels that are only counted stay free: the count adapts by itself.
  table.add({.type = "Shape", .infer = infer_shape, .compute = compute_shape, .channels = no_channels});
  table.add({.type = "Size", .infer = infer_size, .compute = compute_size, .channels = no_channels});
}

}  // namespace compressor::ops
