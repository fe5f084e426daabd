// recurrence: the inputs' part of all steps as one product, then step by step the part of the hidden state.
#include "ops/recurrence.h"

#include <algorithm>
#include <memory>

#include "ops/product.h"
#include "ops/quantized.h"
#include "ops/real.h"
#include "ops/recurrence_direction.h"

namespace compressor::ops {
namespace {

/// Weights [D, rows, columns] of 8 bits as floats [D, columns, rows]; one scale and zero point a direction,
/// or one a column.
Tensor decoded(const ComputeContext& ctx, std::size_t i, std::size_t scale_at) {
  const Dims& shape = ctx.in(i).shape;
  if (shape.size() != 3) ctx.fail("input {} has rank {}, expected 3", i, shape.size());
  const std::vector<std::int16_t> codes = less_zero(ctx, i, 0);
  const std::vector<float> scale = to_floats(ctx.in(scale_at));
  const std::int64_t columns = shape[2];
  const bool per_column = static_cast<std::int64_t>(scale.size()) == shape[0] * columns;
  if (!per_column && static_cast<std::int64_t>(scale.size()) != shape[0]) {
    ctx.fail("input {} has {} scales, expected {} or {}", scale_at, scale.size(), shape[0],
             shape[0] * columns);
  }
  const std::vector<std::int32_t> zero =
      zero_points(ctx, scale_at + 1, static_cast<std::int64_t>(scale.size()));
  std::vector<float> y(codes.size());
  for (std::int64_t d = 0; d < shape[0]; ++d) {
    for (std::int64_t row = 0; row < shape[1]; ++row) {
      for (std::int64_t column = 0; column < columns; ++column) {
        const auto p = static_cast<std::size_t>(per_column ? d * columns + column : d);
        const std::int32_t code = codes[static_cast<std::size_t>((d * shape[1] + row) * columns + column)];
        y[static_cast<std::size_t>((d * columns + column) * shape[1] + row)] =
            static_cast<float>(code - zero[p]) * scale[p];
      }
    }
  }
  return tensor_of_floats({shape[0], columns, shape[1]}, y);
}

/// Transposed weights, and the portable product.
template <class T>
class PlainWeights final : public RecurrentWeights<T> {
 public:
  PlainWeights(const ComputeContext& ctx, const Recurrence& s, std::int64_t direction)
      : h_(s.hidden), inputs_(s.inputs), wide_(s.gates * s.hidden), gru_(s.cell == Cell::kGru) {
    const Elements<T> w(ctx.in(1));
    const Elements<T> r(ctx.in(2));
    const T* own = r.data() + direction * wide_ * h_;
    recurrent_ = transposed(own, wide_, h_, h_);
    if (gru_) candidate_ = transposed(own + 2 * h_ * h_, h_, h_, h_);
    input_ = transposed(w.data() + direction * wide_ * inputs_, wide_, inputs_, inputs_);
  }
  void project(const T* x, std::int64_t rows, const T* bias, T* y) const override {
    for (std::int64_t i = 0; i < rows; ++i) std::copy_n(bias, wide_, y + i * wide_);
    add_product(rows, wide_, inputs_, x, inputs_, input_.data(), wide_, y, wide_);
  }
  void add_gates(const T* hidden, std::int64_t rows, T* sums) const override {
    add_product(rows, gru_ ? 2 * h_ : wide_, h_, hidden, h_, recurrent_.data(), wide_, sums, wide_);
  }
  void add_candidate(const T* hidden, std::int64_t rows, T* y, std::int64_t stride) const override {
    add_product(rows, h_, h_, hidden, h_, candidate_.data(), h_, y, stride);
  }

 private:
  std::int64_t h_, inputs_, wide_;
  bool gru_;
  std::vector<T> recurrent_, candidate_, input_;
};

template <class T>
void compute_as(ComputeContext& ctx, const Recurrence& s) {
  run_directions<T>(ctx, s, [&](std::int64_t i) { return std::make_unique<PlainWeights<T>>(ctx, s, i); });
}

}  // namespace

std::vector<float> rounded_to_8_bits(std::span<const float> x) {
  const DynamicRange range = dynamic_range(x);
  const Rounder round(DType::kUint8, range.zero);
  std::vector<float> y;
  y.reserve(x.size());
  for (const float v : x) {
    y.push_back(static_cast<float>(round(v / range.divisor()) - range.zero) * range.scale);
  }
  return y;
}

void compute_recurrence(ComputeContext& ctx) {
  const Recurrence s = read_recurrence(ctx);
  with_real(ctx, ctx.in(0).dtype, [&]<class T>(T) { compute_as<T>(ctx, s); });
}

void compute_quantized_lstm(ComputeContext& ctx) {
  const Tensor x = tensor_of_floats(ctx.in(0).shape, rounded_to_8_bits(to_floats(ctx.in(0))));
  const Tensor w = decoded(ctx, 1, 8);
  const Tensor r = decoded(ctx, 2, 10);
  std::vector<const Tensor*> inputs{&x, &w, &r};
  for (std::size_t i = 3; i < 8; ++i) inputs.push_back(ctx.has(i) ? &ctx.in(i) : nullptr);
  ComputeContext plain(ctx.node(), ctx.opset(), std::move(inputs));
  Recurrence s = read_recurrence(plain);
  s.quantizes_state = true;
  compute_as<float>(plain, s);
  for (std::size_t i = 0; i < plain.outputs().size(); ++i) {
    if (plain.outputs()[i]) ctx.set(i, std::move(*plain.outputs()[i]));
  }
}

}  // namespace compressor::ops
