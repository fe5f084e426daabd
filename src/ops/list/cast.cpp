// cast: Cast and CastLike, between all numeric types; integers wrap, floats are rounded or truncated.
#include <charconv>

#include "compressor/kernels/convert.h"
#include "ops/movement.h"
#include "ops/run_movement.h"

namespace compressor::ops {
namespace {

DType target_of(const Node& node) {
  return static_cast<DType>(node.int_or("to", 0));
}

void infer(InferContext& ctx, DType type) {
  infer_same(ctx, type);
  const DType from = ctx.in(0).dtype;
  const bool to_bool = type == DType::kBool;
  if (from == DType::kString || type == DType::kString) return;
  contents_elementwise(ctx, [&](std::span<const SymDim> in) -> SymDim {
    if (!to_bool) return in[0];
    const auto sign = sign_of(in[0]);
    return sign ? SymDim(*sign != 0 ? 1 : 0) : SymDim();
  });
}

bool is_float8(DType type) {
  return type >= DType::kFloat8E4M3FN && type <= DType::kFloat8E5M2FNUZ;
}

double parse(const std::string& text) {
  std::size_t used = 0;
  try {
    const double value = std::stod(text, &used);
    if (used == text.size()) return value;
  } catch (const std::exception&) {  // not a number, or too large for one: reported below
    used = 0;
  }
  throw Error::model("'{}' is not a number", text);
}

Tensor from_strings(const Tensor& in, DType type) {
  if (!in.strings) throw Error::model("a tensor of strings has no elements");
  Result<double> out(type, in.shape);
  for (std::int64_t i = 0; i < out.size(); ++i) out[i] = parse((*in.strings)[static_cast<std::size_t>(i)]);
  return out.finish();
}

Tensor convert(const Tensor& in, DType type) {
  if (in.dtype == type) {
    Tensor copy = in;
    copy.name.clear();
    return copy;
  }
  if (in.dtype == DType::kString) return from_strings(in, type);
  return with_domain(in.dtype, [&]<class T>(T) {
    const Elements<T> from(in);
    if (type == DType::kBool) {
      Result<std::int64_t> out(type, in.shape);
      for (std::int64_t i = 0; i < out.size(); ++i) out[i] = from[i] != T{} ? 1 : 0;
      return out.finish();
    }
    Result<T> out(type, in.shape);
    std::copy(from.span().begin(), from.span().end(), out.data());
    return out.finish();
  });
}

void compute(ComputeContext& ctx, DType type) {
  if (type == DType::kString) ctx.fail("numbers as strings are not computed");
  if (is_float8(type) && ctx.node().int_or("saturate", 1) == 0)
    ctx.fail("float8 without saturation is not computed");
  ctx.set(0, convert(ctx.in(0), type));
}

void channels(ChannelContext& ctx) {
  if (!ctx.wants(0) || !carries_channels(ctx.in(0))) return;
  if (!carries_channels(ctx.out(0))) return ctx.freeze_all("becomes integers that may be counts");
  ctx.pass_all(0, 0);
}

/// The same type: the same value; the types met most: one loop. Both in whatever order the elements lie.
bool run(RunContext& ctx, DType type) {
  if (ctx.value(0).kind != RunValue::Kind::kTensor) return false;
  if (ctx.dtype(0) == type) {
    ctx.set(0, ctx.value(0));
    return true;
  }
  if (ctx.portable() || ctx.dtype(0) == DType::kString) return false;
  const Layout layout = ctx.layout(0);
  const Tensor& x = ctx.in(0, layout);
  const auto n = static_cast<std::int64_t>(x.size());
  if (!kernels::convert(x.dtype, nullptr, type, nullptr, 0)) return false;
  const Dims shape = x.shape;
  const BytesView from = x.bytes.view();
  return kernels::convert(x.dtype, from.data(), type, ctx.out(0, type, shape, layout), n);
}

/// Gradients are float32, whatever the type of their value; whole numbers have none.
void gradient(GradientContext& ctx, DType type) {
  if (ctx.wants(0) && is_float(ctx.in_dtype(0)) && is_float(type)) reshape_gradient(ctx);
}

}  // namespace

void register_cast(OpTable& table) {
  table.add({.type = "Cast",
             .since = 6,
             .infer = [](InferContext& ctx) { infer(ctx, target_of(ctx.node())); },
             .cost = cost_elementwise,
             .compute = [](ComputeContext& ctx) { compute(ctx, target_of(ctx.node())); },
             .channels = channels,
             .run = [](RunContext& ctx) { return run(ctx, target_of(ctx.node())); },
             .gradient = [](GradientContext& ctx) { gradient(ctx, target_of(ctx.node())); }});
  table.add({.type = "CastLike",
             .since = 15,
             .infer = [](InferContext& ctx) { infer_same(ctx, ctx.in(1).dtype); },
             .cost = cost_elementwise,
             .compute = [](ComputeContext& ctx) { compute(ctx, ctx.in(1).dtype); },
             .channels = channels,
             .run = [](RunContext& ctx) { return run(ctx, ctx.dtype(1)); },
             .gradient = [](GradientContext& ctx) { gradient(ctx, ctx.in_dtype(1)); }});
}

}  // namespace compressor::ops
