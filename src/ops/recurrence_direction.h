// recurrence_direction: one direction of a recurrent operator: its state, and what a step does to it.
#pragma once

#include <algorithm>
#include <type_traits>
#include <vector>

#include "compressor/kernels/in_parallel.h"
#include "ops/elements.h"
#include "ops/recurrence_setting.h"

namespace compressor::ops {

/// The products of one direction; hidden [rows, H].
template <class T>
class RecurrentWeights {
 public:
  virtual ~RecurrentWeights() = default;
  /// y [rows, gates H] = x [rows, I] W' + bias
  virtual void project(const T* x, std::int64_t rows, const T* bias, T* y) const = 0;
  /// sums [rows, gates H] += hidden R', of a GRU only its first two gates: it resets the state before its
  /// last gate's product, or after it.
  virtual void add_gates(const T* hidden, std::int64_t rows, T* sums) const = 0;
  /// The last gate of a GRU: y, with rows `stride` apart, += hidden R'.
  virtual void add_candidate(const T* hidden, std::int64_t rows, T* y, std::int64_t stride) const = 0;
};

/// What 8 bits keep of numbers by their own range.
std::vector<float> rounded_to_8_bits(std::span<const float> x);

/// One direction: its weights, and the state that runs through the steps.
template <class T>
class Direction {
 public:
  Direction(const ComputeContext& ctx, const Recurrence& setting, std::int64_t direction,
            const RecurrentWeights<T>& weights)
      : s_(setting), d_(direction), wide_(setting.gates * setting.hidden), weights_(weights) {
    const std::int64_t h = s_.hidden;
    read_bias(ctx);
    read_state(ctx, 5, hidden_);
    if (s_.cell == Cell::kLstm) {
      read_state(ctx, 6, memory_);
      if (ctx.has(7)) peephole_ = part(ctx.in(7), d_ * 3 * h, 3 * h);
    }
    const std::size_t each = s_.gate_list.size() / static_cast<std::size_t>(s_.directions);
    gates_ = s_.gate_list.data() + static_cast<std::size_t>(d_) * each;
    project(ctx);
  }

  /// y (all directions; may be null) is written where steps are done.
  void run(T* y) {
    const bool reverse = s_.reverse || d_ == 1;
    std::vector<T> sums(static_cast<std::size_t>(s_.batch * wide_));
    for (std::int64_t step = 0; step < s_.steps; ++step) {
      for (std::int64_t n = 0; n < s_.batch; ++n) {
        const std::int64_t at = time_of(step, n, reverse);
        if (at >= 0) std::copy_n(projected_.data() + s_.row(at, n) * wide_, wide_, sums.data() + n * wide_);
      }
      advance(sums);
      for (std::int64_t n = 0; n < s_.batch; ++n) {
        const std::int64_t at = time_of(step, n, reverse);
        if (at < 0) continue;
        finish(sums.data() + n * wide_, n);
        if (y) std::copy_n(hidden_.data() + n * s_.hidden, s_.hidden, y + s_.output(at, d_, n));
      }
    }
  }

  void store(const std::vector<T>& state, T* to) const {
    for (std::int64_t n = 0; n < s_.batch; ++n) {
      if (s_.lengths[static_cast<std::size_t>(n)] == 0) continue;  // nothing was read: zeros
      std::copy_n(state.data() + n * s_.hidden, s_.hidden, to + s_.state(d_, n));
    }
  }
  const std::vector<T>& hidden() const { return hidden_; }
  const std::vector<T>& memory() const { return memory_; }

 private:
  /// Which time a sample reads at a step; -1: it is done.
  std::int64_t time_of(std::int64_t step, std::int64_t n, bool reverse) const {
    const std::int64_t length = s_.lengths[static_cast<std::size_t>(n)];
    if (step >= length) return -1;
    return reverse ? length - 1 - step : step;
  }

  static std::vector<T> part(const Tensor& tensor, std::int64_t first, std::int64_t count) {
    const Elements<T> all(tensor);
    return std::vector<T>(all.data() + first, all.data() + first + count);
  }

  void read_bias(const ComputeContext& ctx) {
    bias_.assign(static_cast<std::size_t>(wide_), T{});
    if (!ctx.has(3)) return;
    bias_ = part(ctx.in(3), d_ * 2 * wide_, wide_);
    const std::vector<T> recurrent = part(ctx.in(3), d_ * 2 * wide_ + wide_, wide_);
    const std::int64_t h = s_.hidden;
    const bool apart = s_.cell == Cell::kGru && s_.linear_before_reset;
    const std::int64_t together = apart ? 2 * h : wide_;
    for (std::int64_t i = 0; i < together; ++i)
      bias_[static_cast<std::size_t>(i)] += recurrent[static_cast<std::size_t>(i)];
    if (apart) reset_bias_.assign(recurrent.begin() + 2 * h, recurrent.end());
  }

  void read_state(const ComputeContext& ctx, std::size_t i, std::vector<T>& state) {
    state.assign(static_cast<std::size_t>(s_.batch * s_.hidden), T{});
    if (!ctx.has(i)) return;
    const Elements<T> all(ctx.in(i));
    for (std::int64_t n = 0; n < s_.batch; ++n) {
      std::copy_n(all.data() + s_.state(d_, n), s_.hidden, state.data() + n * s_.hidden);
    }
  }

  /// X W' + bias for every step.
  void project(const ComputeContext& ctx) {
    const Elements<T> x(ctx.in(0));
    const std::int64_t rows = s_.steps * s_.batch;
    projected_.resize(static_cast<std::size_t>(rows * wide_));
    weights_.project(x.data(), rows, bias_.data(), projected_.data());
  }

  /// What the hidden state adds to the sums of all samples.
  void advance(std::vector<T>& sums) {
    const std::int64_t h = s_.hidden;
    if constexpr (std::is_same_v<T, float>) {
      if (s_.quantizes_state) {
        const std::vector<float> rounded = rounded_to_8_bits(hidden_);
        return weights_.add_gates(rounded.data(), s_.batch, sums.data());
      }
    }
    weights_.add_gates(hidden_.data(), s_.batch, sums.data());
    if (s_.cell != Cell::kGru) return;
    reset_.assign(static_cast<std::size_t>(s_.batch * h), T{});
    if (s_.linear_before_reset) {
      for (std::int64_t n = 0; n < s_.batch && !reset_bias_.empty(); ++n) {
        std::copy(reset_bias_.begin(), reset_bias_.end(), reset_.begin() + n * h);
      }
      weights_.add_candidate(hidden_.data(), s_.batch, reset_.data(), h);
    }
    std::vector<T> kept(s_.linear_before_reset ? 0 : static_cast<std::size_t>(s_.batch * h));
    for (std::int64_t n = 0; n < s_.batch; ++n) {
      T* z = sums.data() + n * wide_;
      T* r = z + h;
      clip(z, 2 * h);
      gates_[0].apply(z, 2 * h);
      if (s_.linear_before_reset) {
        for (std::int64_t i = 0; i < h; ++i) r[h + i] += r[i] * reset_[static_cast<std::size_t>(n * h + i)];
      } else {
        for (std::int64_t i = 0; i < h; ++i) {
          kept[static_cast<std::size_t>(n * h + i)] = r[i] * hidden_[static_cast<std::size_t>(n * h + i)];
        }
      }
    }
    if (!s_.linear_before_reset) {
      weights_.add_candidate(kept.data(), s_.batch, sums.data() + 2 * h, wide_);
    }
  }

  void clip(T* x, std::int64_t n) const {
    if (s_.clip <= 0) return;
    const auto limit = static_cast<T>(s_.clip);
    for (std::int64_t i = 0; i < n; ++i) x[i] = std::clamp(x[i], -limit, limit);
  }

  /// The new state of one sample from its sums.
  void finish(T* sums, std::int64_t n) {
    T* state = hidden_.data() + n * s_.hidden;
    const std::int64_t h = s_.hidden;
    if (s_.cell == Cell::kLstm) return finish_lstm(sums, state, memory_.data() + n * h);
    if (s_.cell == Cell::kRnn) {
      clip(sums, h);
      gates_[0].apply(sums, h);
      std::copy_n(sums, h, state);
      return;
    }
    T* candidate = sums + 2 * h;
    clip(candidate, h);
    gates_[1].apply(candidate, h);
    for (std::int64_t i = 0; i < h; ++i) state[i] = (1 - sums[i]) * candidate[i] + sums[i] * state[i];
  }

  /// Gates input, output, forget, cell; C = f C + i g(c), H = o h(C).
  void finish_lstm(T* sums, T* state, T* memory) {
    const std::int64_t h = s_.hidden;
    T* input = sums;
    T* output = sums + h;
    T* forget = sums + 2 * h;
    T* cell = sums + 3 * h;
    if (!peephole_.empty()) {
      const T* p = peephole_.data();
      for (std::int64_t i = 0; i < h; ++i) input[i] += p[i] * memory[i];
      for (std::int64_t i = 0; i < h; ++i) forget[i] += p[2 * h + i] * memory[i];
    }
    clip(input, h);
    clip(forget, 2 * h);
    gates_[0].apply(input, h);
    gates_[0].apply(forget, h);
    if (s_.input_forget) {
      for (std::int64_t i = 0; i < h; ++i) forget[i] = 1 - input[i];
    }
    gates_[1].apply(cell, h);
    for (std::int64_t i = 0; i < h; ++i) memory[i] = forget[i] * memory[i] + input[i] * cell[i];
    if (!peephole_.empty()) {
      const T* p = peephole_.data() + h;
      for (std::int64_t i = 0; i < h; ++i) output[i] += p[i] * memory[i];
    }
    clip(output, h);
    gates_[0].apply(output, h);
    std::copy_n(memory, h, cell);
    gates_[2].apply(cell, h);
    for (std::int64_t i = 0; i < h; ++i) state[i] = output[i] * cell[i];
  }

  const Recurrence& s_;
  std::int64_t d_;
  std::int64_t wide_;  ///< gates times hidden
  const RecurrentWeights<T>& weights_;
  const Gate* gates_ = nullptr;
  std::vector<T> bias_, reset_bias_, peephole_, projected_, hidden_, memory_, reset_;
};

/// All directions; make(i) gives the weights of one.
template <class T, class Make>
void run_directions(ComputeContext& ctx, const Recurrence& s, const Make& make) {
  const DType type = ctx.in(0).dtype;
  const std::int64_t d = s.directions;
  Result<T> y(type,
              s.batch_first ? Dims{s.batch, s.steps, d, s.hidden} : Dims{s.steps, d, s.batch, s.hidden});
  const Dims state = s.batch_first ? Dims{s.batch, d, s.hidden} : Dims{d, s.batch, s.hidden};
  Result<T> hidden(type, state);
  Result<T> memory(type, state);
  const bool wanted = ctx.node().output(0) != nullptr;
  kernels::in_parallel(d > 1 && y.size() * s.hidden > (std::int64_t{1} << 16), d, [&](std::int64_t i) {
    const auto weights = make(i);
    Direction<T> direction(ctx, s, i, *weights);
    direction.run(wanted ? y.data() : nullptr);
    direction.store(direction.hidden(), hidden.data());
    if (s.cell == Cell::kLstm) direction.store(direction.memory(), memory.data());
  });
  if (wanted) ctx.set(0, y.finish());
  if (ctx.node().output(1) != nullptr) ctx.set(1, hidden.finish());
  if (s.cell == Cell::kLstm && ctx.node().output(2) != nullptr) ctx.set(2, memory.finish());
}

}  // namespace compressor::ops
