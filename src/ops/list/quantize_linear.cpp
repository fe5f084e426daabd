// quantize_linear: QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear, per tensor, axis or block.
#include <algorithm>
#include <type_traits>

#include "compressor/ops/run.h"
#include "ops/movement.h"
#include "ops/quantize_gradient.h"
#include "ops/quantized.h"
#include "ops/run_quantize.h"
#include "ops/scale_runs.h"

namespace compressor::ops {
namespace {

/// Zero points as many as there are scales, zeros where there are none.
std::vector<std::int32_t> zeros_for(const ComputeContext& ctx, const std::vector<float>& scale) {
  return zero_points(ctx, 2, static_cast<std::int64_t>(scale.size()));
}

/// round(x / scale) + zero in 8, 16 or fewer bits.
template <class Code>
std::vector<Code> codes(const ComputeContext& ctx, DType type) {
  const std::vector<float> scale = to_floats(ctx.in(1));
  const std::vector<std::int32_t> zero = zeros_for(ctx, scale);
  const Elements<float> x(ctx.in(0));
  std::vector<Code> out(x.size());
  each_run(ctx.node(), ctx.in(0).shape, ctx.in(1).shape,
           [&](std::int64_t at, std::int64_t count, std::int64_t s, std::int64_t step) {
             const float* from = x.data() + at;
             Code* to = out.data() + at;
             if (step == 0) {
               const float by = scale[static_cast<std::size_t>(s)];
               const Rounder round(type, zero[static_cast<std::size_t>(s)]);
               for (std::int64_t i = 0; i < count; ++i) to[i] = static_cast<Code>(round(from[i] / by));
               return;
             }
             for (std::int64_t i = 0; i < count; ++i) {
               const auto k = static_cast<std::size_t>(s + i);
               to[i] = static_cast<Code>(Rounder(type, zero[k])(from[i] / scale[k]));
             }
           });
  return out;
}

/// x / scale as a narrow float.
void quantize_to_float(ComputeContext& ctx, DType type) {
  const std::vector<float> scale = to_floats(ctx.in(1));
  const Elements<float> x(ctx.in(0));
  std::vector<double> out(x.size());
  // What float8 cannot hold is its largest number, or NaN (infinity where it has one) if the node says so.
  const bool saturates = ctx.node().int_or("saturate", 1) != 0;
  each_run(ctx.node(), ctx.in(0).shape, ctx.in(1).shape,
           [&](std::int64_t at, std::int64_t count, std::int64_t s, std::int64_t step) {
             for (std::int64_t i = 0; i < count; ++i) {
               out[static_cast<std::size_t>(at + i)] =
                   static_cast<double>(x[at + i] / scale[static_cast<std::size_t>(s + i * step)]);
             }
           });
  if (!saturates) ctx.fail("saturate is 0, expected 1 for {}", name(type));
  ctx.set(0, Tensor::of(type, ctx.in(0).shape, out));
}

void quantize(ComputeContext& ctx) {
  const DType zero_type = ctx.has(2) ? ctx.in(2).dtype : DType::kUndefined;
  const DType type = quantized_type(ctx.node(), ctx.has(2) ? &zero_type : nullptr);
  if (!is_integer(type)) return quantize_to_float(ctx, type);
  const Dims& shape = ctx.in(0).shape;
  if (bits(type) == 8) {
    const std::vector<std::uint8_t> out = codes<std::uint8_t>(ctx, type);
    const auto bytes = std::as_bytes(std::span(out));
    return ctx.set(0, tensor_of_bytes(type, shape, {bytes.begin(), bytes.end()}));
  }
  if (bits(type) > 16) ctx.fail("the output is {}, expected at most 16 bits", name(type));
  const std::vector<std::int32_t> out = codes<std::int32_t>(ctx, type);
  Result<std::int64_t> result(type, shape);
  std::copy(out.begin(), out.end(), result.data());
  ctx.set(0, result.finish());
}

DType dequantized_type(const Node& node, DType scale) {
  const std::int64_t given = node.int_or("output_dtype", 0);
  return given != 0 ? static_cast<DType>(given) : scale;
}

/// (x - zero) * scale, the difference exact.
template <class Code>
void dequantize_codes(ComputeContext& ctx, const Code* x) {
  const std::vector<float> scale = to_floats(ctx.in(1));
  const std::vector<std::int32_t> zero = zeros_for(ctx, scale);
  Result<float> out(dequantized_type(ctx.node(), ctx.in(1).dtype), ctx.in(0).shape);
  float* to = out.data();
  using Wide = std::conditional_t<sizeof(Code) < 4, std::int32_t, std::int64_t>;
  each_run(ctx.node(), ctx.in(0).shape, ctx.in(1).shape,
           [&](std::int64_t at, std::int64_t count, std::int64_t s, std::int64_t step) {
             if (step == 0) {
               const float by = scale[static_cast<std::size_t>(s)];
               const Wide less = zero[static_cast<std::size_t>(s)];
               for (std::int64_t i = at; i < at + count; ++i) {
                 to[i] = static_cast<float>(static_cast<Wide>(x[i]) - less) * by;
               }
               return;
             }
             for (std::int64_t i = 0; i < count; ++i) {
               const auto k = static_cast<std::size_t>(s + i);
               to[at + i] = static_cast<float>(static_cast<Wide>(x[at + i]) - zero[k]) * scale[k];
             }
           });
  ctx.set(0, out.finish());
}

/// Of float8 and float4, which have no zero point but 0.
void dequantize_floats(ComputeContext& ctx) {
  const Elements<float> x(ctx.in(0));
  const std::vector<float> scale = to_floats(ctx.in(1));
  Result<float> out(dequantized_type(ctx.node(), ctx.in(1).dtype), ctx.in(0).shape);
  each_run(ctx.node(), ctx.in(0).shape, ctx.in(1).shape,
           [&](std::int64_t at, std::int64_t count, std::int64_t s, std::int64_t step) {
             for (std::int64_t i = 0; i < count; ++i) {
               out[at + i] = x[at + i] * scale[static_cast<std::size_t>(s + i * step)];
             }
           });
  ctx.set(0, out.finish());
}

void dequantize(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  if (is_float(x.dtype)) return dequantize_floats(ctx);
  const bool complete = x.bytes.size() == x.byte_size();
  if (complete && (x.dtype == DType::kInt8 || x.dtype == DType::kUint8)) {
    const BytesView view = x.bytes.view();
    if (x.dtype == DType::kInt8)
      return dequantize_codes(ctx, reinterpret_cast<const std::int8_t*>(view.data()));
    return dequantize_codes(ctx, reinterpret_cast<const std::uint8_t*>(view.data()));
  }
  const Elements<std::int64_t> wide(x);
  dequantize_codes(ctx, wide.data());
}

/// Scale and zero point from the range of x, which always has 0 in it.
void dynamic_quantize(ComputeContext& ctx) {
  const Elements<float> x(ctx.in(0));
  const DynamicRange range = dynamic_range(x.span());
  std::vector<std::byte> y(x.size());
  const Rounder round(DType::kUint8, range.zero);
  for (std::size_t i = 0; i < y.size(); ++i) {
    y[i] = static_cast<std::byte>(round(x.data()[i] / range.divisor()));
  }
  const double zero = range.zero;
  ctx.set(0, tensor_of_bytes(DType::kUint8, ctx.in(0).shape, std::move(y)));
  ctx.set(1, Tensor::scalar(range.scale));
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

bool run(RunContext& ctx) {
  const DType zero_type = ctx.has(2) ? ctx.dtype(2) : DType::kUndefined;
  return run_quantize(ctx, quantized_type(ctx.node(), ctx.has(2) ? &zero_type : nullptr));
}

}  // namespace

void register_quantize_linear(OpTable& table) {
  table.add({.type = "QuantizeLinear",
             .since = 10,
             .infer = infer_quantize,
             .cost = cost_elementwise,
             .compute = quantize,
             .channels = channels,
             .run = run,
             .gradient = quantize_gradient,
             .keep = {.inputs = 7}});
  table.add({.type = "DequantizeLinear",
             .since = 10,
             .infer = infer_dequantize,
             .cost = cost_elementwise,
             .compute = dequantize,
             .channels = channels,
             .run = run_dequantize,
             .gradient = dequantize_gradient,
             .keep = {.inputs = 7}});
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
