// quantize_gradient: what of dy passes, and what comes to the scales.
#include "ops/quantize_gradient.h"

#include <cmath>

#include "compressor/kernels/in_parallel.h"
#include "ops/quantized.h"
#include "ops/scale_runs.h"

namespace compressor::ops {
namespace {

/// As many zero points as scales.
std::vector<std::int64_t> zeros_for(GradientContext& ctx, std::size_t scales) {
  std::vector<std::int64_t> zero = ctx.has(2) ? to_ints(ctx.in(2)) : std::vector<std::int64_t>{0};
  if (zero.size() == 1) zero.resize(scales, zero[0]);
  if (zero.size() != scales) ctx.fail("{} zero points, expected {}", zero.size(), scales);
  return zero;
}

void set_scale_gradient(GradientContext& ctx, const std::vector<double>& sums) {
  ctx.set(1, Tensor::of(DType::kFloat, ctx.in_shape(1), sums));
}

/// One scale: its gradient is a sum of pieces that are cut by the size alone. piece(begin, end) gives one's.
template <class Piece>
double sum_of_pieces(std::int64_t begin, std::int64_t count, Piece&& piece) {
  constexpr std::int64_t kPiece = 1 << 14;
  const std::int64_t pieces = (count + kPiece - 1) / kPiece;
  std::vector<double> sums(static_cast<std::size_t>(pieces));
  kernels::in_parallel(pieces > 1, pieces, [&](std::int64_t p) {
    const std::int64_t end = begin + std::min(count, (p + 1) * kPiece);
    sums[static_cast<std::size_t>(p)] = piece(begin + p * kPiece, end);
  });
  double sum = 0;
  for (const double s : sums) sum += s;
  return sum;
}

}  // namespace

void quantize_gradient(GradientContext& ctx) {
  const DType zero_type = ctx.has(2) ? ctx.in(2).dtype : DType::kUndefined;
  const DType type = quantized_type(ctx.node(), ctx.has(2) ? &zero_type : nullptr);
  if (!is_integer(type)) ctx.fail("the gradient is not available for codes of type {}", name(type));
  const std::vector<float> scale = to_floats(ctx.in(1));
  const std::vector<std::int64_t> zero = zeros_for(ctx, scale.size());
  const Range range = range_of(type);
  const Layout layout = scale.size() == 1 ? ctx.in_layout(0) : Layout::kPlain;
  const float* x = ctx.in_floats(0, layout);
  const float* dq = ctx.grad(0, layout);
  kernels::Buffer unused;
  if (!ctx.wants(0)) unused = kernels::Buffer(num_elements(ctx.in_shape(0)) * sizeof(float));
  float* dx = ctx.wants(0) ? ctx.grad_in(0, layout) : unused.as<float>();
  std::vector<double> sums(scale.size());
  each_run(ctx.node(), ctx.in_shape(0), ctx.in_shape(1),
           [&](std::int64_t at, std::int64_t count, std::int64_t first, std::int64_t step) {
             const auto one = [&](std::int64_t i, std::size_t k) {
               const float v = x[i] / scale[k];
               const float low = static_cast<float>(range.low - zero[k]);
               const float high = static_cast<float>(range.high - zero[k]);
               const float code = std::nearbyint(v);
               dx[i] = code >= low && code <= high ? dq[i] / scale[k] : 0.0F;
               return -static_cast<double>(dx[i]) * static_cast<double>(v);
             };
             if (step == 0) {
               const auto k = static_cast<std::size_t>(first);
               sums[k] += sum_of_pieces(at, count, [&](std::int64_t begin, std::int64_t end) {
                 double sum = 0;
                 for (std::int64_t i = begin; i < end; ++i) sum += one(i, k);
                 return sum;
               });
               return;
             }
             for (std::int64_t i = 0; i < count; ++i) {
               const auto k = static_cast<std::size_t>(first + i);
               sums[k] += one(at + i, k);
             }
           });
  if (ctx.wants(1)) set_scale_gradient(ctx, sums);
}

void dequantize_gradient(GradientContext& ctx) {
  const std::vector<float> scale = to_floats(ctx.in(1));
  const std::vector<std::int64_t> zero = zeros_for(ctx, scale.size());
  const Layout layout = scale.size() == 1 ? ctx.grad_layout(0) : Layout::kPlain;
  const float* dy = ctx.grad(0, layout);
  float* dq = ctx.wants(0) ? ctx.grad_in(0, layout) : nullptr;
  const std::vector<float> q = ctx.wants(1) ? to_floats(ctx.in(0, layout)) : std::vector<float>();
  std::vector<double> sums(scale.size());
  each_run(ctx.node(), ctx.in_shape(0), ctx.in_shape(1),
           [&](std::int64_t at, std::int64_t count, std::int64_t first, std::int64_t step) {
             const auto place = [&](std::int64_t i) {
               return static_cast<std::size_t>(first + (i - at) * step);
             };
             if (dq) {
#pragma omp parallel for schedule(static) if (count > (1 << 14))
               for (std::int64_t i = at; i < at + count; ++i) dq[i] = dy[i] * scale[place(i)];
             }
             if (q.empty()) return;
             const auto part = [&](std::int64_t i) {
               const double less =
                   static_cast<double>(q[static_cast<std::size_t>(i)]) - static_cast<double>(zero[place(i)]);
               return static_cast<double>(dy[i]) * less;
             };
             if (step == 0) {
               sums[place(at)] += sum_of_pieces(at, count, [&](std::int64_t begin, std::int64_t end) {
                 double sum = 0;
                 for (std::int64_t i = begin; i < end; ++i) sum += part(i);
                 return sum;
               });
               return;
             }
             for (std::int64_t i = at; i < at + count; ++i) sums[place(i)] += part(i);
           });
  if (ctx.wants(1)) set_scale_gradient(ctx, sums);
}

}  // namespace compressor::ops
