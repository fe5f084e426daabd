// run_recurrence: the inputs' part of all steps is one product; steps read the recurrent weights in panels.
#include "ops/run_recurrence.h"

#include <memory>

#include "compressor/kernels/panels.h"
#include "compressor/kernels/product.h"
#include "ops/recurrence_direction.h"

namespace compressor::ops {
namespace {

/// Fewer rows than this are not worth a product prepared for their number.
constexpr std::int64_t kFewRows = 16;

class PackedWeights final : public RecurrentWeights<float> {
 public:
  PackedWeights(const float* w, const float* r, const Recurrence& s, std::int64_t direction)
      : inputs_(s.inputs), wide_(s.gates * s.hidden) {
    const std::int64_t h = s.hidden;
    const float* own = r + direction * wide_ * h;
    const bool gru = s.cell == Cell::kGru;
    gates_ = kernels::Panels(own, gru ? 2 * h : wide_, h, h);
    if (gru) candidate_ = kernels::Panels(own + 2 * h * h, h, h, h);
    w_ = w + direction * wide_ * inputs_;
    const std::int64_t rows = s.steps * s.batch;
    if (rows < kFewRows) {
      few_ = kernels::Panels(w_, wide_, inputs_, inputs_);
    } else {
      product_ = kernels::product({.m = rows, .n = wide_, .k = inputs_, .trans_b = true}, {}, true);
      if (product_) packed_ = product_->pack(reinterpret_cast<const std::byte*>(w_));
    }
  }
  bool usable() const { return !few_.empty() || product_; }

  void project(const float* x, std::int64_t rows, const float* bias, float* y) const override {
    if (!few_.empty()) {
      for (std::int64_t i = 0; i < rows; ++i) std::copy_n(bias, wide_, y + i * wide_);
      return few_.add(x, rows, y, wide_);
    }
    if (packed_.empty()) return product_->run(x, w_, bias, y);
    product_->run(x, packed_, bias, y);
  }
  void add_gates(const float* hidden, std::int64_t rows, float* sums) const override {
    gates_.add(hidden, rows, sums, wide_);
  }
  void add_candidate(const float* hidden, std::int64_t rows, float* y, std::int64_t stride) const override {
    candidate_.add(hidden, rows, y, stride);
  }

 private:
  std::int64_t inputs_, wide_;
  const float* w_ = nullptr;  ///< where the product could not be packed
  kernels::Panels gates_, candidate_, few_;
  std::shared_ptr<const kernels::Product> product_;
  std::vector<kernels::Buffer> packed_;
};

struct State {
  std::int64_t rows = -1;
  std::vector<std::shared_ptr<const PackedWeights>> weights;
};

}  // namespace

bool run_recurrence(RunContext& ctx) {
  if (ctx.portable()) return false;
  std::vector<const Tensor*> inputs;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    if (ctx.has(i) && i != 4 && ctx.dtype(i) != DType::kFloat) return false;
    inputs.push_back(ctx.has(i) ? &ctx.in(i) : nullptr);
  }
  ComputeContext plain(ctx.node(), ctx.opset(), std::move(inputs));
  const Recurrence s = read_recurrence(plain);
  const std::int64_t rows = s.steps * s.batch;
  if (rows < 1 || s.hidden < 1 || s.inputs < 1) return false;
  auto& state = ctx.state().get<State>();
  if (state.rows != rows || !ctx.is_constant(1) || !ctx.is_constant(2)) {
    state = {rows, {}};
    for (std::int64_t i = 0; i < s.directions; ++i) {
      state.weights.push_back(std::make_shared<PackedWeights>(ctx.floats(1), ctx.floats(2), s, i));
      if (!state.weights.back()->usable()) return false;
    }
  }
  run_directions<float>(plain, s, [&](std::int64_t i) { return state.weights[static_cast<std::size_t>(i)]; });
  for (std::size_t i = 0; i < plain.outputs().size(); ++i) {
    if (plain.outputs()[i]) ctx.set(i, RunValue(std::move(*plain.outputs()[i])));
  }
  return true;
}

}  // namespace compressor::ops
