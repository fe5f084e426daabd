// recurrence_trace: LSTM, GRU and RNN in plain loops, every step written down.
#include "ops/recurrence_trace.h"

#include <algorithm>

#include "ops/product.h"

namespace compressor::ops {
namespace {

using Numbers = std::vector<float>;

/// Fills a trace step by step.
class Recorder {
 public:
  Recorder(GradientContext& ctx, RecurrenceTrace& trace)
      : ctx_(ctx),
        t_(trace),
        s_(*trace.setting),
        d_(trace.direction),
        h_(trace.hidden),
        wide_(trace.wide),
        w_(ctx.in_floats(1) + d_ * wide_ * s_.inputs),
        r_(ctx.in_floats(2) + d_ * wide_ * h_),
        p_(s_.cell == Cell::kLstm && ctx.has(7) ? ctx.in_floats(7) + d_ * 3 * h_ : nullptr) {
    const std::size_t each = s_.gate_list.size() / static_cast<std::size_t>(s_.directions);
    activations_ = s_.gate_list.data() + static_cast<std::size_t>(d_) * each;
  }

  void run() {
    const auto all = static_cast<std::size_t>(s_.steps * s_.batch);
    const auto wide = static_cast<std::size_t>(wide_);
    t_.gates.assign(all * wide, 0);
    t_.slopes.assign(all * wide, 0);
    for (Numbers* list : {&t_.before, &t_.memory, &t_.side, &t_.side_slopes, &t_.cell}) {
      list->assign(all * static_cast<std::size_t>(h_), 0);
    }
    read_input();
    Numbers hidden = state_of(5), memory = state_of(6);
    const bool gru = s_.cell == Cell::kGru;
    const Numbers recurrent = transposed(r_, wide_, h_, h_);
    const Numbers candidate = gru ? transposed(r_ + 2 * h_ * h_, h_, h_, h_) : Numbers();
    for (std::int64_t step = 0; step < s_.steps; ++step) {
      std::copy(hidden.begin(), hidden.end(), t_.row(t_.before, step, 0, h_));
      std::copy(memory.begin(), memory.end(), t_.row(t_.memory, step, 0, h_));
      add_product(s_.batch, gru ? 2 * h_ : wide_, h_, hidden.data(), h_, recurrent.data(), wide_,
                  t_.row(t_.gates, step, 0, wide_), wide_);
      if (gru) open_gates(step, candidate);
      for (std::int64_t n = 0; n < s_.batch; ++n) {
        if (t_.time_of(step, n) >= 0) finish(step, n, hidden.data() + n * h_, memory.data() + n * h_);
      }
    }
  }

 private:
  bool is_linear() const { return s_.linear_before_reset; }

  Numbers state_of(std::size_t i) {
    Numbers state(static_cast<std::size_t>(s_.batch * h_));
    if (!ctx_.has(i) || (i == 6 && s_.cell != Cell::kLstm)) return state;
    for (std::int64_t n = 0; n < s_.batch; ++n)
      std::copy_n(ctx_.in_floats(i) + s_.state(d_, n), h_, state.data() + n * h_);
    return state;
  }

  /// The inputs' part of every step, and the biases.
  void read_input() {
    const std::int64_t rows = s_.steps * s_.batch;
    Numbers projected(static_cast<std::size_t>(rows * wide_));
    const float* b = ctx_.has(3) ? ctx_.in_floats(3) + d_ * 2 * wide_ : nullptr;
    const bool apart = s_.cell == Cell::kGru && is_linear();
    for (std::int64_t i = 0; b && i < wide_; ++i) {
      const bool both = !apart || i < 2 * h_;
      const float bias = b[i] + (both ? b[wide_ + i] : 0.0F);
      for (std::int64_t k = 0; k < rows; ++k) projected[static_cast<std::size_t>(k * wide_ + i)] = bias;
    }
    if (b && apart) reset_bias_ = b + wide_ + 2 * h_;
    const Numbers weights = transposed(w_, wide_, s_.inputs, s_.inputs);
    add_product(rows, wide_, s_.inputs, ctx_.in_floats(0), s_.inputs, weights.data(), wide_, projected.data(),
                wide_);
    for (std::int64_t step = 0; step < s_.steps; ++step) {
      for (std::int64_t n = 0; n < s_.batch; ++n) {
        const std::int64_t at = t_.time_of(step, n);
        if (at >= 0)
          std::copy_n(projected.data() + s_.row(at, n) * wide_, wide_, t_.row(t_.gates, step, n, wide_));
      }
    }
  }

  /// x = a(clip(x)), and the slope of it.
  void activate(const Gate& gate, float* x, float* slopes, std::int64_t n, bool clips = true) const {
    gate.slopes(x, slopes, n);
    const auto limit = static_cast<float>(s_.clip);
    for (std::int64_t i = 0; clips && limit > 0 && i < n; ++i) {
      if (x[i] < -limit || x[i] > limit) slopes[i] = 0;
      x[i] = std::clamp(x[i], -limit, limit);
    }
    gate.apply(x, n);
  }

  /// Update and reset of a GRU, and what the state adds to its candidate.
  void open_gates(std::int64_t step, const Numbers& candidate) {
    float* side = t_.row(t_.side, step, 0, h_);
    if (is_linear()) {
      for (std::int64_t n = 0; reset_bias_ && n < s_.batch; ++n) std::copy_n(reset_bias_, h_, side + n * h_);
      add_product(s_.batch, h_, h_, t_.row(t_.before, step, 0, h_), h_, candidate.data(), h_, side, h_);
    }
    for (std::int64_t n = 0; n < s_.batch; ++n) {
      float* z = t_.row(t_.gates, step, n, wide_);
      activate(activations_[0], z, t_.row(t_.slopes, step, n, wide_), 2 * h_);
      const float* reset = z + h_;
      const float* hidden = t_.row(t_.before, step, n, h_);
      for (std::int64_t i = 0; i < h_; ++i) {
        if (is_linear()) {
          z[2 * h_ + i] += reset[i] * side[n * h_ + i];
        } else {
          side[n * h_ + i] = reset[i] * hidden[i];
        }
      }
    }
    if (is_linear()) return;
    add_product(s_.batch, h_, h_, side, h_, candidate.data(), h_, t_.row(t_.gates, step, 0, wide_) + 2 * h_,
                wide_);
  }

  void finish(std::int64_t step, std::int64_t n, float* hidden, float* memory) {
    float* g = t_.row(t_.gates, step, n, wide_);
    float* slopes = t_.row(t_.slopes, step, n, wide_);
    if (s_.cell == Cell::kLstm) return finish_lstm(step, n, hidden, memory);
    if (s_.cell == Cell::kRnn) {
      activate(activations_[0], g, slopes, h_);
      std::copy_n(g, h_, hidden);
      return;
    }
    activate(activations_[1], g + 2 * h_, slopes + 2 * h_, h_);
    for (std::int64_t i = 0; i < h_; ++i) hidden[i] = (1 - g[i]) * g[2 * h_ + i] + g[i] * hidden[i];
  }

  void finish_lstm(std::int64_t step, std::int64_t n, float* hidden, float* memory) {
    float* in = t_.row(t_.gates, step, n, wide_);
    float *out = in + h_, *forget = in + 2 * h_, *cell = in + 3 * h_;
    float* slopes = t_.row(t_.slopes, step, n, wide_);
    for (std::int64_t i = 0; p_ && i < h_; ++i) {
      in[i] += p_[i] * memory[i];
      forget[i] += p_[2 * h_ + i] * memory[i];
    }
    activate(activations_[0], in, slopes, h_);
    activate(activations_[0], forget, slopes + 2 * h_, h_);
    activate(activations_[1], cell, slopes + 3 * h_, h_);
    for (std::int64_t i = 0; s_.input_forget && i < h_; ++i) forget[i] = 1 - in[i];
    for (std::int64_t i = 0; i < h_; ++i) memory[i] = forget[i] * memory[i] + in[i] * cell[i];
    for (std::int64_t i = 0; p_ && i < h_; ++i) out[i] += p_[h_ + i] * memory[i];
    activate(activations_[0], out, slopes + h_, h_);
    std::copy_n(memory, h_, t_.row(t_.cell, step, n, h_));
    float* seen = t_.row(t_.side, step, n, h_);
    std::copy_n(memory, h_, seen);
    activate(activations_[2], seen, t_.row(t_.side_slopes, step, n, h_), h_, false);
    for (std::int64_t i = 0; i < h_; ++i) hidden[i] = out[i] * seen[i];
  }

  GradientContext& ctx_;
  RecurrenceTrace& t_;
  const Recurrence& s_;
  std::int64_t d_, h_, wide_;
  const float *w_, *r_, *p_, *reset_bias_ = nullptr;
  const Gate* activations_ = nullptr;
};

}  // namespace

RecurrenceTrace record_recurrence(GradientContext& ctx, const Recurrence& s, std::int64_t direction) {
  RecurrenceTrace trace;
  trace.setting = &s;
  trace.direction = direction;
  trace.hidden = s.hidden;
  trace.wide = s.gates * s.hidden;
  trace.reverse = s.reverse || direction == 1;
  Recorder(ctx, trace).run();
  return trace;
}

}  // namespace compressor::ops
