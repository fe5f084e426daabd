// DFT, STFT, MelWeightMatrix and the windows: from signals to spectra.
#include <cmath>
#include <numbers>

#include "compressor/base/fourier.h"
#include "ops/expect.h"
#include "ops/movement.h"

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

/// Both parts of every number of x [.., 1 or 2].
std::vector<std::complex<double>> complex_numbers(const ComputeContext& ctx, const Tensor& x) {
  const std::int64_t parts = x.rank() > 0 ? x.shape.back() : 0;
  if (parts != 1 && parts != 2)
    ctx.fail("the last axis of {} is no real or complex number", to_string(x.shape));
  const Elements<double> v(x);
  std::vector<std::complex<double>> out;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(v.size()); i += parts) {
    out.emplace_back(v[i], parts == 2 ? v[i + 1] : 0.0);
  }
  return out;
}

std::int64_t whole_number(const ComputeContext& ctx, std::size_t i) {
  const std::vector<std::int64_t> values = to_ints(ctx.in(i));
  if (values.size() != 1) ctx.fail("input {} has {} numbers, expected 1", i, values.size());
  return values[0];
}

// x, length, axis
void compute_dft(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  if (x.rank() < 2) ctx.fail("input has rank {}, expected at least 2", x.rank());
  const bool onesided = ctx.node().int_or("onesided", 0) != 0;
  const bool inverse = ctx.node().int_or("inverse", 0) != 0;
  std::int64_t given = ctx.opset() < 20 ? ctx.node().int_or("axis", 1) : -2;
  if (ctx.has(2)) given = whole_number(ctx, 2);
  const auto axis = static_cast<std::size_t>(axis_in(ctx.node(), given, x.rank()));
  if (axis + 1 == x.shape.size()) ctx.fail("axis {} holds the parts of a number", axis);
  const std::vector<std::complex<double>> numbers = complex_numbers(ctx, x);
  const std::int64_t held = x.shape[axis];
  const bool mirrored = onesided && inverse;
  std::int64_t n = mirrored ? 2 * (held - 1) : held;
  if (ctx.has(1)) n = whole_number(ctx, 1);
  if (n < 1) ctx.fail("length is {}, expected at least 1", n);
  const std::int64_t kept = onesided && !inverse ? n / 2 + 1 : n;
  Dims shape = x.shape;
  shape[axis] = kept;
  shape.back() = mirrored ? 1 : 2;
  const auto at = static_cast<std::ptrdiff_t>(axis);
  const auto inner = static_cast<std::int64_t>(num_elements({x.shape.begin() + at + 1, x.shape.end() - 1}));
  const auto outer = static_cast<std::int64_t>(num_elements({x.shape.begin(), x.shape.begin() + at}));
  Result<double> y(x.dtype, shape);
  std::vector<std::complex<double>> line(static_cast<std::size_t>(n));
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::int64_t i = 0; i < inner; ++i) {
      for (std::int64_t k = 0; k < n; ++k) {
        // The half that is not there is the mirror of the other, conjugate.
        const bool mirror = mirrored && k >= held && n - k < held;
        const std::int64_t from = mirror ? n - k : k;
        std::complex<double> v =
            from < held ? numbers[static_cast<std::size_t>((o * held + from) * inner + i)] : 0;
        if (mirror) v = std::conj(v);
        line[static_cast<std::size_t>(k)] = v;
      }
      const std::vector<std::complex<double>> f = fourier(line, inverse);
      for (std::int64_t k = 0; k < kept; ++k) {
        const std::complex<double> v = f[static_cast<std::size_t>(k)];
        const std::int64_t to = (o * kept + k) * inner + i;
        y[to * shape.back()] = v.real();
        if (!mirrored) y[to * 2 + 1] = v.imag();
      }
    }
  }
  ctx.set(0, y.finish());
}

// signal, step, window, frame length
void compute_stft(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  if (x.rank() != 2 && x.rank() != 3) ctx.fail("signal has rank {}, expected 2 or 3", x.rank());
  const Tensor signal = x.rank() == 3 ? x : x.reshaped({x.shape[0], x.shape[1], 1});
  const std::vector<std::complex<double>> numbers = complex_numbers(ctx, signal);
  const std::int64_t step = whole_number(ctx, 1);
  const std::vector<double> window = ctx.has(2) ? to_doubles(ctx.in(2)) : std::vector<double>();
  if (!ctx.has(2) && !ctx.has(3)) ctx.fail("has neither a window nor a frame length");
  const std::int64_t frame = ctx.has(3) ? whole_number(ctx, 3) : static_cast<std::int64_t>(window.size());
  const std::int64_t length = signal.shape[1];
  if (step < 1 || frame < 1 || frame > length)
    ctx.fail("frames of {} at steps of {} in {}", frame, step, length);
  if (!window.empty() && static_cast<std::int64_t>(window.size()) != frame) {
    ctx.fail("window is {} long, expected {}", window.size(), frame);
  }
  const bool onesided = ctx.node().int_or("onesided", 1) != 0;
  const std::int64_t bins = onesided ? frame / 2 + 1 : frame;
  const std::int64_t frames = (length - frame) / step + 1;
  Result<double> y(x.dtype, {x.shape[0], frames, bins, 2});
  std::vector<std::complex<double>> line(static_cast<std::size_t>(frame));
  std::int64_t to = 0;
  for (std::int64_t n = 0; n < x.shape[0]; ++n) {
    for (std::int64_t f = 0; f < frames; ++f) {
      for (std::int64_t k = 0; k < frame; ++k) {
        const double weight = window.empty() ? 1 : window[static_cast<std::size_t>(k)];
        line[static_cast<std::size_t>(k)] =
            weight * numbers[static_cast<std::size_t>(n * length + f * step + k)];
      }
      const std::vector<std::complex<double>> spectrum = fourier(line, false);
      for (std::int64_t k = 0; k < bins; ++k) {
        y[to++] = spectrum[static_cast<std::size_t>(k)].real();
        y[to++] = spectrum[static_cast<std::size_t>(k)].imag();
      }
    }
  }
  ctx.set(0, y.finish());
}

double to_mel(double hertz) {
  return 2595 * std::log10(1 + hertz / 700);
}

// bins of mel, length of the transform, sample rate, lowest and highest frequency: triangles between bins of
// the spectrum, as whole numbers
void compute_mel(ComputeContext& ctx) {
  const std::int64_t bins = whole_number(ctx, 0);
  const std::int64_t length = whole_number(ctx, 1);
  const std::int64_t rate = whole_number(ctx, 2);
  if (bins < 1 || length < 1 || rate < 1) ctx.fail("{} bins, {} long, at {} Hz", bins, length, rate);
  const double low = to_mel(to_doubles(ctx.in(3)).at(0));
  const double high = to_mel(to_doubles(ctx.in(4)).at(0));
  const std::int64_t rows = length / 2 + 1;
  std::vector<std::int64_t> at;
  for (std::int64_t i = 0; i < bins + 2; ++i) {
    const double mel = low + static_cast<double>(i) * (high - low) / static_cast<double>(bins + 2);
    const double hertz = 700 * (std::pow(10, mel / 2595) - 1);
    at.push_back(static_cast<std::int64_t>(
        std::floor(static_cast<double>(length + 1) * hertz / static_cast<double>(rate))));
  }
  std::vector<double> y(static_cast<std::size_t>(rows * bins), 0);
  const auto put = [&](std::int64_t row, std::int64_t bin, double value) {
    if (row >= 0 && row < rows) y[static_cast<std::size_t>(row * bins + bin)] = value;
  };
  for (std::int64_t i = 0; i < bins; ++i) {
    const auto k = static_cast<std::size_t>(i);
    const std::int64_t rise = at[k + 1] - at[k];
    const std::int64_t fall = at[k + 2] - at[k + 1];
    if (rise == 0) put(at[k + 1], i, 1);
    for (std::int64_t j = at[k]; rise > 0 && j <= at[k + 1]; ++j) {
      put(j, i, static_cast<double>(j - at[k]) / static_cast<double>(rise));
    }
    for (std::int64_t j = at[k + 1]; fall > 0 && j < at[k + 2]; ++j) {
      put(j, i, static_cast<double>(at[k + 2] - j) / static_cast<double>(fall));
    }
  }
  ctx.set(0, Tensor::of(dtype_attribute(ctx.node(), "output_datatype", DType::kFloat), {rows, bins}, y));
}

}  // namespace

void register_spectrum(OpTable& table) {
  table.add({.type = "DFT", .infer = infer_dft, .cost = cost_dft, .compute = compute_dft});
  table.add({.type = "STFT", .infer = infer_stft, .cost = cost_stft, .compute = compute_stft});
  table.add({.type = "MelWeightMatrix", .infer = infer_mel, .compute = compute_mel});
  for (const char* type : {"HannWindow", "HammingWindow", "BlackmanWindow"}) {
    table.add({.type = type, .infer = infer_window, .compute = compute_window});
  }
}

}  // namespace compressor::ops
