// quantize_linear: QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear, per tensor, axis or block.
#include <algorithm>
#include <cmath>

#include "ops/movement.h"

namespace compressor::ops {
namespace {

/// How the scale is read when x is walked: strides of 0 where one scale serves all.
Strides scale_strides(const Node& node, const Dims& x, const Dims& scale) {
  Strides strides(x.size(), 0);
  if (num_elements(scale) == 1) return strides;
  const auto rank = static_cast<std::int64_t>(x.size());
  const auto axis = static_cast<std::size_t>(axis_in(node, node.int_or("axis", 1), rank));
  if (scale.size() != 1 || scale[0] != x[axis]) {
    throw Error::model("node '{}' ({}): scale has shape {}, expected {} for axis {}", node.label(), node.op(),
                       to_string(scale), x[axis], axis);
  }
  strides[axis] = 1;
  return strides;
}

/// Calls fn(position in x, position in scale) for every element.
template <class Fn>
void each(const Node& node, const Dims& x, const Dims& scale, Fn&& fn) {
  const std::int64_t block = node.int_or("block_size", 0);
  if (block > 0 && scale.size() == x.size()) {
    const auto axis =
        static_cast<std::size_t>(axis_in(node, node.int_or("axis", 1), static_cast<std::int64_t>(x.size())));
    const auto inner =
        static_cast<std::int64_t>(num_elements({x.begin() + static_cast<std::ptrdiff_t>(axis) + 1, x.end()}));
    Dims expected = x;
    expected[axis] = (x[axis] + block - 1) / block;
    if (expected != scale) {
      throw Error::model("node '{}' ({}): scale has shape {}, expected {}", node.label(), node.op(),
                         to_string(scale), to_string(expected));
    }
    const auto n = static_cast<std::int64_t>(num_elements(x));
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t along = i / inner % x[axis];
      const std::int64_t outer = i / (inner * x[axis]);
      fn(i, (outer * scale[axis] + along / block) * inner + i % inner);
    }
    return;
  }
  walk<1>(x, {scale_strides(node, x, scale)}, {0}, [&](const Run<1>& run) {
    for (std::int64_t i = 0; i < run.count; ++i) fn(run.out + i, run.at[0] + i * run.step[0]);
  });
}

DType quantized_type(const Node& node, const DType* zero_point) {
  if (zero_point) return *zero_point;
  const std::int64_t given = node.int_or("output_dtype", 0);
  return given != 0 ? static_cast<DType>(given) : DType::kUint8;
}

/// Rounds to nearest even and saturates to the type.
double saturated(double v, DType type) {
  const int width = bits(type);
  const bool is_signed = type == DType::kInt8 || type == DType::kInt16 || type == DType::kInt32 ||
                         type == DType::kInt4 || type == DType::kInt2;
  const double low = is_signed ? -std::ldexp(1.0, width - 1) : 0.0;
  const double high = std::ldexp(1.0, is_signed ? width - 1 : width) - 1;
  return std::clamp(v, low, high);
}

void quantize(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const DType zero_type = ctx.has(2) ? ctx.in(2).dtype : DType::kUndefined;
  const DType type = quantized_type(ctx.node(), ctx.has(2) ? &zero_type : nullptr);
  const bool whole = is_integer(type);
  const std::vector<float> scale = to_floats(ctx.in(1));
  const std::vector<double> zero =
      ctx.has(2) && whole ? to_doubles(ctx.in(2)) : std::vector<double>(scale.size(), 0.0);
  if (zero.size() != scale.size()) ctx.fail("{} zero points for {} scales", zero.size(), scale.size());
  const Elements<float> in(x);
  std::vector<double> out(in.size());
  each(ctx.node(), x.shape, ctx.in(1).shape, [&](std::int64_t i, std::int64_t s) {
    const auto k = static_cast<std::size_t>(s);
    const float ratio = in[i] / scale[k];
    out[static_cast<std::size_t>(i)] =
        whole ? saturated(std::nearbyint(static_cast<double>(ratio)) + zero[k], type)
              : static_cast<double>(ratio);
  });
  ctx.set(0, Tensor::of(type, x.shape, out));
}

DType dequantized_type(const Node& node, DType scale) {
  const std::int64_t given = node.int_or("output_dtype", 0);
  return given != 0 ? static_cast<DType>(given) : scale;
}

void dequantize(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const std::vector<float> scale = to_floats(ctx.in(1));
  const std::vector<double> zero =
      ctx.has(2) ? to_doubles(ctx.in(2)) : std::vector<double>(scale.size(), 0.0);
  if (zero.size() != scale.size()) ctx.fail("{} zero points for {} scales", zero.size(), scale.size());
  const Elements<double> in(x);
  Result<float> out(dequantized_type(ctx.node(), ctx.in(1).dtype), x.shape);
  each(ctx.node(), x.shape, ctx.in(1).shape, [&](std::int64_t i, std::int64_t s) {
    const auto k = static_cast<std::size_t>(s);
    out[i] = static_cast<float>(in[i] - zero[k]) * scale[k];
  });
  ctx.set(0, out.finish());
}

/// Scale and zero point from the range of x, which always has 0 in it.
void dynamic_quantize(ComputeContext& ctx) {
  const Elements<float> x(ctx.in(0));
  float low = 0, high = 0;
  for (const float v : x.span()) {
    low = std::min(low, v);
    high = std::max(high, v);
  }
  const float scale = (high - low) / 255.0F;
  const float safe = scale == 0 ? 1.0F : scale;
  const double zero = std::clamp(std::nearbyint(static_cast<double>(-low / safe)), 0.0, 255.0);
  std::vector<double> out;
  for (const float v : x.span())
    out.push_back(saturated(std::nearbyint(static_cast<double>(v / safe)) + zero, DType::kUint8));
  ctx.set(0, Tensor::of(DType::kUint8, ctx.in(0).shape, out));
  ctx.set(1, Tensor::scalar(scale));
  ctx.set(2, Tensor::of(DType::kUint8, {}, std::span(&zero, 1)));
}

void infer_quantize(InferContext& ctx) {
  infer_same(ctx, quantized_type(ctx.node(), ctx.has(2) ? &ctx.in(2).dtype : nullptr));
}

void infer_dequantize(InferContext& ctx) {
  infer_same(ctx, dequantized_type(ctx.node(), ctx.in(1).dtype));
}

void infer_dynamic(InferContext& ctx) {
  infer_same(ctx, DType::kUint8);
  ctx.set(1, DType::kFloat, {});
  ctx.set(2, DType::kUint8, {});
}

/// x passes; scales and zero points per axis go with the channels of that axis.
void channels(ChannelContext& ctx) {
  const Facts& x = ctx.in(0);
  if (!x.ranked || !ctx.wants(0)) return ctx.freeze_all("is of unknown rank");
  if (ctx.node().int_or("block_size", 0) > 0) return ctx.freeze_all("is quantized in blocks");
  const Facts& scale = ctx.in(1);
  const bool one = scale.ranked && product(scale.dims) == SymDim(1);
  if (!one) {
    if (!scale.ranked || scale.rank() != 1) return ctx.freeze_all("has scales of a shape that is not known");
    const std::int64_t axis = axis_in(ctx.node(), ctx.node().int_or("axis", 1), x.rank());
    ctx.join(ctx.in_list(0, axis), ctx.in_list(1, 0));
    if (ctx.has(2) && ctx.in(2).rank() == 1) ctx.join(ctx.in_list(0, axis), ctx.in_list(2, 0));
  }
  ctx.pass_all(0, 0);
}

}  // namespace

void register_quantize_linear(OpTable& table) {
  table.add({.type = "QuantizeLinear",
             .since = 10,
             .infer = infer_quantize,
             .cost = cost_elementwise,
             .compute = quantize,
             .channels = channels});
  table.add({.type = "DequantizeLinear",
             .since = 10,
             .infer = infer_dequantize,
             .cost = cost_elementwise,
             .compute = dequantize,
             .channels = channels});
  table.add({.type = "DynamicQuantizeLinear",
             .since = 11,
             .infer = infer_dynamic,
             .cost = cost_elementwise,
             .compute = dynamic_quantize,
             .channels = [](ChannelContext& ctx) {
               // The range of the whole tensor, 0 in it: zeros do not change it.
               ctx.pass_all(0, 0);
             }});
}

}  // namespace compressor::ops
