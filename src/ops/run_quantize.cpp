// run_quantize: the axis of the scales as it lies in memory.
#include "ops/run_quantize.h"

#include "compressor/kernels/quantize.h"

namespace compressor::ops {
namespace {

using kernels::QuantizeShape;

struct Plan {
  QuantizeShape shape;
  Layout layout = Layout::kPlain;
  std::vector<float> scale;
  std::vector<std::int32_t> zero;
};

/// Nullopt for blocks, and for what does not fit together, which the portable kernel says in words.
std::optional<Plan> plan(RunContext& ctx, DType codes) {
  const Node& node = ctx.node();
  if (ctx.portable() || node.int_or("block_size", 0) != 0) return std::nullopt;
  if ((codes != DType::kInt8 && codes != DType::kUint8) || ctx.dtype(1) != DType::kFloat) return std::nullopt;
  const Dims& x = ctx.shape(0);
  const Dims& scale = ctx.shape(1);
  const auto rank = static_cast<std::int64_t>(x.size());
  Plan p;
  p.layout = ctx.layout(0);
  p.shape.signed_code = codes == DType::kInt8;
  p.shape.n = static_cast<std::int64_t>(num_elements(x));
  if (p.shape.n == 0) return std::nullopt;
  if (num_elements(scale) != 1) {
    std::int64_t axis = node.int_or("axis", 1);
    if (axis < -rank || axis >= rank) return std::nullopt;
    axis += axis < 0 ? rank : 0;
    const auto at = static_cast<std::size_t>(axis);
    if (scale != Dims{x[at]}) return std::nullopt;
    if (axis != 1) p.layout = Layout::kPlain;
    const auto inner = static_cast<std::int64_t>(num_elements({x.begin() + axis + 1, x.end()}));
    p.shape.scales = x[at];
    p.shape.by_column = inner == 1 || p.layout == Layout::kChannelsLast;
    const std::int64_t row = p.shape.by_column ? x[at] : inner;
    p.shape.rows = p.shape.n / row;
    p.shape.n = row;
  }
  p.scale = to_floats(ctx.in(1));
  p.zero.assign(p.scale.size(), 0);
  if (ctx.has(2)) {
    const std::vector<std::int64_t> zero = to_ints(ctx.in(2));
    if (zero.size() != 1 && zero.size() != p.zero.size()) return std::nullopt;
    for (std::size_t i = 0; i < p.zero.size(); ++i) {
      p.zero[i] = static_cast<std::int32_t>(zero[zero.size() == 1 ? 0 : i]);
    }
  }
  return p;
}

}  // namespace

bool run_quantize(RunContext& ctx, DType type) {
  if (ctx.dtype(0) != DType::kFloat) return false;
  const auto p = plan(ctx, type);
  if (!p) return false;
  const Dims shape = ctx.shape(0);
  const float* x = ctx.floats(0, p->layout);
  kernels::quantize(p->shape, x, p->scale.data(), p->zero.data(), ctx.out(0, type, shape, p->layout));
  return true;
}

bool run_dequantize(RunContext& ctx) {
  const std::int64_t wanted = ctx.node().int_or("output_dtype", 0);
  if (wanted != 0 && static_cast<DType>(wanted) != DType::kFloat) return false;
  const auto p = plan(ctx, ctx.dtype(0));
  if (!p) return false;
  const Dims shape = ctx.shape(0);
  const std::byte* codes = ctx.in(0, p->layout).bytes.view().data();
  kernels::dequantize(p->shape, codes, p->scale.data(), p->zero.data(), ctx.out_floats(0, shape, p->layout));
  return true;
}

}  // namespace compressor::ops
