// DFT, STFT, MelWeightMatrix and the windows: from signals to spectra.
#include <cmath>
#include <numbers>

#include "ops/expect.h"

namespace compressor::ops {
namespace {

SymDim half_plus_one(const SymDim& n) {
  return n.is_number() ? SymDim(n.number() / 2 + 1) : SymDim();
}

/// The one number at input i, a symbol or unknown.
SymDim number_at(const InferContext& ctx, std::size_t i) {
  const SymDims* c = ctx.contents(i);
  return c && c->size() == 1 ? c->front() : SymDim();
}

// x [N, s.., 1 or 2], the axis an attribute up to opset 19 and an input from 20 on -> [N, s.., 2]
void infer_dft(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  expect_rank(ctx, x, "input", 2);
  if (!x.ranked) return ctx.set_unranked(0, x.dtype);
  SymDims y = x.dims;
  const bool onesided = ctx.node().int_or("onesided", 0) != 0;
  const bool inverse = ctx.node().int_or("inverse", 0) != 0;
  SymDim axis = ctx.opset() < 20 ? SymDim(ctx.node().int_or("axis", 1)) : SymDim(-2);
  if (ctx.has(2)) axis = number_at(ctx, 2);
  y.back() = inverse && onesided ? 1 : 2;
  if (!axis.is_number()) {
    for (std::size_t i = 1; i + 1 < y.size(); ++i) y[i] = {};
    return ctx.set(0, x.dtype, std::move(y));
  }
  SymDim& d = y[static_cast<std::size_t>(normalize_axis(ctx, axis.number(), x.rank()))];
  if (ctx.has(1)) d = number_at(ctx, 1);
  if (onesided && !inverse) d = half_plus_one(d);
  if (onesided && inverse && !ctx.has(1)) d = d.is_number() ? SymDim(2 * (d.number() - 1)) : SymDim();
  ctx.set(0, x.dtype, std::move(y));
}

Cost cost_dft(const CostContext& ctx) {
  const double n = ctx.in_size(0);
  return {.macs = 0, .flops = n > 1 ? 5 * n * std::log2(n) : 0};
}

// signal [N, L] or [N, L, 1 or 2], step, window [W], frame length -> [N, frames, bins, 2]
void infer_stft(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  expect_rank(ctx, x, "signal", 2, 3);
  const SymDim step = number_at(ctx, 1);
  SymDim frame;
  if (ctx.has(3)) frame = number_at(ctx, 3);
  if (!ctx.has(3) && ctx.has(2) && ctx.in(2).ranked && ctx.in(2).rank() == 1) frame = ctx.in(2).dims[0];
  SymDims y{x.ranked ? x.dims[0] : SymDim(), {}, {}, 2};
  y[2] = ctx.node().int_or("onesided", 1) != 0 ? half_plus_one(frame) : frame;
  if (x.ranked && x.dims[1].is_number() && step.is_number() && frame.is_number()) {
    if (step.number() < 1) ctx.fail("frame step is {}, expected at least 1", step.number());
    if (x.dims[1].number() < frame.number()) {
      ctx.fail("signal of {} is shorter than a frame of {}", x.dims[1].number(), frame.number());
    }
    y[1] = (x.dims[1].number() - frame.number()) / step.number() + 1;
  }
  ctx.set(0, x.dtype, std::move(y));
}

Cost cost_stft(const CostContext& ctx) {
  const std::vector<double> y = ctx.out(0);
  if (y.size() != 4 || y[2] < 2) return {};
  return {.macs = 0, .flops = 5 * y[0] * y[1] * 2 * y[2] * std::log2(2 * y[2])};
}

void infer_mel(InferContext& ctx) {
  ctx.set(0, dtype_attribute(ctx.node(), "output_datatype", DType::kFloat),
          {half_plus_one(number_at(ctx, 1)), number_at(ctx, 0)});
}

void infer_window(InferContext& ctx) {
  ctx.set(0, dtype_attribute(ctx.node(), "output_datatype", DType::kFloat), {number_at(ctx, 0)});
}

/// a0 - a1 cos(2 pi i / N) + a2 cos(4 pi i / N), N the size, or one less for a window that is symmetric.
void compute_window(ComputeContext& ctx) {
  const std::int64_t size = to_ints(ctx.in(0)).at(0);
  if (size < 0 || size > (1 << 24)) ctx.fail("size is {}, expected 0 to 16777216", size);
  const std::string& op = ctx.node().op();
  const double a0 = op == "HannWindow" ? 0.5 : op == "HammingWindow" ? 25.0 / 46 : 0.42;
  const double a1 = op == "BlackmanWindow" ? 0.5 : 1 - a0;
  const double a2 = op == "BlackmanWindow" ? 0.08 : 0;
  const auto period = static_cast<double>(ctx.node().int_or("periodic", 1) != 0 ? size : size - 1);
  std::vector<double> y;
  for (std::int64_t i = 0; i < size; ++i) {
    const double t = period > 0 ? 2 * std::numbers::pi * static_cast<double>(i) / period : 0;
    y.push_back(a0 - a1 * std::cos(t) + a2 * std::cos(2 * t));
  }
  ctx.set(0, Tensor::of(dtype_attribute(ctx.node(), "output_datatype", DType::kFloat), {size}, y));
}

}  // namespace

void register_spectrum(OpTable& table) {
  table.add({.type = "DFT", .infer = infer_dft, .cost = cost_dft});
  table.add({.type = "STFT", .infer = infer_stft, .cost = cost_stft});
  table.add({.type = "MelWeightMatrix", .infer = infer_mel});
  for (const char* type : {"HannWindow", "HammingWindow", "BlackmanWindow"}) {
    table.add({.type = type, .infer = infer_window, .compute = compute_window});
  }
}

}  // namespace compressor::ops
