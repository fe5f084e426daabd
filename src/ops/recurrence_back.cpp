// recurrence_back: from the last step to the first.
//
// With a' the slope of a gate's activation at what it was given (0 where `clip` cut it), h and c what a step
// read:
//
//   RNN   H = a(s)                             ds = dH a'
//   LSTM  C = f c + i g, H = o a(C)            do = dH a(C) o', dC += dH o a'(C) (+ Po do), di = dC g i', df
//   = dC c f',
//                                              dg = dC i g', dc = dC f (+ Pi di + Pf df)
//   GRU   H = (1 - z) g + z h                  dz = dH (h - g) z', dg = dH (1 - z) g', dh += dH z
//         g of r (h R + b): dr = dg (h R + b) r', and dg r goes back through R
//         g of (r h) R:     d(rh) = dg R, dr = d(rh) h r', dh += d(rh) r
//
// and in all of them dh += ds R, dX = ds W, dW = ds' X, dR = ds' h, dB = sum of ds.
#include "ops/recurrence_back.h"

#include <algorithm>

#include "ops/product.h"
#include "ops/recurrence_trace.h"

namespace compressor::ops {
namespace {

using Numbers = std::vector<float>;

/// What the inputs' gradients are added up in, all directions; null where they are not asked for.
struct Wanted {
  float *x = nullptr, *w = nullptr, *r = nullptr, *b = nullptr, *h = nullptr, *c = nullptr, *p = nullptr;
};

class ThroughTime {
 public:
  ThroughTime(GradientContext& ctx, const Recurrence& s, std::int64_t direction)
      : ctx_(ctx),
        s_(s),
        t_(record_recurrence(ctx, s, direction)),
        d_(direction),
        h_(s.hidden),
        wide_(t_.wide),
        w_(ctx.in_floats(1) + d_ * wide_ * s.inputs),
        r_(ctx.in_floats(2) + d_ * wide_ * h_),
        p_(s.cell == Cell::kLstm && ctx.has(7) ? ctx.in_floats(7) + d_ * 3 * h_ : nullptr) {}

  void backward(const Wanted& wanted) {
    const auto all = static_cast<std::size_t>(s_.steps * s_.batch);
    sums_.assign(all * static_cast<std::size_t>(wide_), 0);
    apart_.assign(s_.cell == Cell::kGru ? all * static_cast<std::size_t>(h_) : 0, 0);
    Numbers dh = last_state(1), dc = last_state(2);
    for (std::int64_t step = s_.steps; step-- > 0;) {
      Numbers earlier = dh;
      for (std::int64_t n = 0; n < s_.batch; ++n) {
        const std::int64_t at = t_.time_of(step, n);
        if (at < 0) continue;
        float* g = dh.data() + n * h_;
        if (ctx_.has_grad(0)) {
          const float* dy = ctx_.grad(0) + s_.output(at, d_, n);
          for (std::int64_t i = 0; i < h_; ++i) g[i] += dy[i];
        }
        float* less = earlier.data() + n * h_;
        std::fill_n(less, h_, 0.0F);
        if (s_.cell == Cell::kLstm) back_lstm(step, n, g, dc.data() + n * h_, wanted);
        if (s_.cell == Cell::kGru) back_gru(step, n, g, less);
        if (s_.cell == Cell::kRnn) back_rnn(step, n, g);
      }
      if (s_.cell == Cell::kGru) back_candidate(step, earlier);
      add_product(s_.batch, h_, s_.cell == Cell::kGru ? 2 * h_ : wide_, t_.row(sums_, step, 0, wide_), wide_,
                  r_, h_, earlier.data(), h_);
      dh = std::move(earlier);
    }
    for (std::int64_t n = 0; n < s_.batch; ++n) {
      if (wanted.h) std::copy_n(dh.data() + n * h_, h_, wanted.h + s_.state(d_, n));
      if (wanted.c) std::copy_n(dc.data() + n * h_, h_, wanted.c + s_.state(d_, n));
    }
    add_weights(wanted);
  }

 private:
  bool is_linear() const { return s_.linear_before_reset; }

  /// What came back for a last state; of a sample of no steps it is zero whatever it read.
  Numbers last_state(std::size_t o) {
    Numbers state(static_cast<std::size_t>(s_.batch * h_));
    if (!ctx_.has_grad(o)) return state;
    for (std::int64_t n = 0; n < s_.batch; ++n) {
      if (s_.lengths[static_cast<std::size_t>(n)] == 0) continue;
      std::copy_n(ctx_.grad(o) + s_.state(d_, n), h_, state.data() + n * h_);
    }
    return state;
  }

  void back_rnn(std::int64_t step, std::int64_t n, const float* dh) {
    const float* slopes = t_.row(t_.slopes, step, n, wide_);
    float* ds = t_.row(sums_, step, n, wide_);
    for (std::int64_t i = 0; i < h_; ++i) ds[i] = dh[i] * slopes[i];
  }

  /// `dc`: of the memory that the step made, then of the one that it read.
  void back_lstm(std::int64_t step, std::int64_t n, const float* dh, float* dc, const Wanted& wanted) {
    const float* in = t_.row(t_.gates, step, n, wide_);
    const float *out = in + h_, *forget = in + 2 * h_, *cell = in + 3 * h_;
    const float* slopes = t_.row(t_.slopes, step, n, wide_);
    const float *seen = t_.row(t_.side, step, n, h_), *seen_slopes = t_.row(t_.side_slopes, step, n, h_);
    const float *read = t_.row(t_.memory, step, n, h_), *made = t_.row(t_.cell, step, n, h_);
    float* ds = t_.row(sums_, step, n, wide_);
    float* dp = wanted.p ? wanted.p + d_ * 3 * h_ : nullptr;
    for (std::int64_t i = 0; i < h_; ++i) {
      const float d_out = dh[i] * seen[i] * slopes[h_ + i];
      const float d_made = dc[i] + dh[i] * out[i] * seen_slopes[i] + (p_ ? p_[h_ + i] * d_out : 0.0F);
      const float d_forget = d_made * read[i];
      const float by_input = d_made * cell[i] - (s_.input_forget ? d_forget : 0.0F);
      const float d_in = by_input * slopes[i];
      const float d_kept = s_.input_forget ? 0.0F : d_forget * slopes[2 * h_ + i];
      ds[i] = d_in;
      ds[h_ + i] = d_out;
      ds[2 * h_ + i] = d_kept;
      ds[3 * h_ + i] = d_made * in[i] * slopes[3 * h_ + i];
      dc[i] = d_made * forget[i] + (p_ ? p_[i] * d_in + p_[2 * h_ + i] * d_kept : 0.0F);
      if (!dp) continue;
      dp[i] += d_in * read[i];
      dp[h_ + i] += d_out * made[i];
      dp[2 * h_ + i] += d_kept * read[i];
    }
  }

  /// All but what comes back through the candidate's product with R; `less`: of the state that was read.
  void back_gru(std::int64_t step, std::int64_t n, const float* dh, float* less) {
    const float* z = t_.row(t_.gates, step, n, wide_);
    const float *reset = z + h_, *candidate = z + 2 * h_;
    const float* slopes = t_.row(t_.slopes, step, n, wide_);
    const float *hidden = t_.row(t_.before, step, n, h_), *side = t_.row(t_.side, step, n, h_);
    float* ds = t_.row(sums_, step, n, wide_);
    float* apart = t_.row(apart_, step, n, h_);
    for (std::int64_t i = 0; i < h_; ++i) {
      ds[i] = dh[i] * (hidden[i] - candidate[i]) * slopes[i];
      ds[2 * h_ + i] = dh[i] * (1 - z[i]) * slopes[2 * h_ + i];
      less[i] = dh[i] * z[i];
      apart[i] = ds[2 * h_ + i];
      if (!is_linear()) continue;
      ds[h_ + i] = apart[i] * side[i] * slopes[h_ + i];
      apart[i] *= reset[i];
    }
  }

  void back_candidate(std::int64_t step, Numbers& earlier) {
    const float* apart = t_.row(apart_, step, 0, h_);
    const float* r = r_ + 2 * h_ * h_;
    if (is_linear()) return add_product(s_.batch, h_, h_, apart, h_, r, h_, earlier.data(), h_);
    Numbers back(static_cast<std::size_t>(s_.batch * h_));
    add_product(s_.batch, h_, h_, apart, h_, r, h_, back.data(), h_);
    for (std::int64_t n = 0; n < s_.batch; ++n) {
      if (t_.time_of(step, n) < 0) continue;
      const float *reset = t_.row(t_.gates, step, n, wide_) + h_, *hidden = t_.row(t_.before, step, n, h_);
      const float *slopes = t_.row(t_.slopes, step, n, wide_) + h_, *d = back.data() + n * h_;
      float *ds = t_.row(sums_, step, n, wide_) + h_, *less = earlier.data() + n * h_;
      for (std::int64_t i = 0; i < h_; ++i) {
        ds[i] = d[i] * hidden[i] * slopes[i];
        less[i] += d[i] * reset[i];
      }
    }
  }

  /// y [columns of a, columns of b] += a' b, both with all steps as rows.
  void add_outer(const float* a, std::int64_t wide, std::int64_t lda, const float* b, std::int64_t columns,
                 float* y) const {
    const std::int64_t rows = s_.steps * s_.batch;
    const Numbers turned = transposed(a, rows, wide, lda);
    add_product(wide, columns, rows, turned.data(), rows, b, columns, y, columns);
  }

  void add_weights(const Wanted& wanted) {
    const bool gru = s_.cell == Cell::kGru;
    const std::int64_t all = s_.steps * s_.batch;
    if (wanted.r) {
      float* dr = wanted.r + d_ * wide_ * h_;
      add_outer(sums_.data(), gru ? 2 * h_ : wide_, wide_, t_.before.data(), h_, dr);
      const Numbers& read = is_linear() ? t_.before : t_.side;
      if (gru) add_outer(apart_.data(), h_, h_, read.data(), h_, dr + 2 * h_ * h_);
    }
    if (wanted.b) {
      float* db = wanted.b + d_ * 2 * wide_;
      for (std::int64_t k = 0; k < all; ++k) {
        for (std::int64_t i = 0; i < wide_; ++i) {
          const float ds = sums_[static_cast<std::size_t>(k * wide_ + i)];
          const bool other = gru && i >= 2 * h_;
          db[i] += ds;
          db[wide_ + i] += other ? apart_[static_cast<std::size_t>(k * h_ + i - 2 * h_)] : ds;
        }
      }
    }
    if (!wanted.x && !wanted.w) return;
    Numbers by_time(static_cast<std::size_t>(all * wide_));
    for (std::int64_t step = 0; step < s_.steps; ++step) {
      for (std::int64_t n = 0; n < s_.batch; ++n) {
        const std::int64_t at = t_.time_of(step, n);
        if (at >= 0)
          std::copy_n(t_.row(sums_, step, n, wide_), wide_, by_time.data() + s_.row(at, n) * wide_);
      }
    }
    if (wanted.x)
      add_product(all, s_.inputs, wide_, by_time.data(), wide_, w_, s_.inputs, wanted.x, s_.inputs);
    if (wanted.w)
      add_outer(by_time.data(), wide_, wide_, ctx_.in_floats(0), s_.inputs,
                wanted.w + d_ * wide_ * s_.inputs);
  }

  GradientContext& ctx_;
  const Recurrence& s_;
  const RecurrenceTrace t_;
  std::int64_t d_, h_, wide_;
  const float *w_, *r_, *p_;
  Numbers sums_;   ///< [steps, N, gates H]: dL/d of what the gates' activations were given
  Numbers apart_;  ///< GRU, [steps, N, H]: dL/d of the candidate's product with R
};

float* zeros_in(GradientContext& ctx, std::size_t i) {
  if (!ctx.has(i) || !ctx.wants(i)) return nullptr;
  float* to = ctx.grad_in(i);
  std::fill_n(to, num_elements(ctx.in_shape(i)), 0.0F);
  return to;
}

}  // namespace

void recurrence_gradient(GradientContext& ctx) {
  std::vector<const Tensor*> inputs;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) inputs.push_back(ctx.has(i) ? &ctx.in(i) : nullptr);
  const Recurrence s = read_recurrence(ComputeContext(ctx.node(), ctx.opset(), std::move(inputs)));
  const bool lstm = s.cell == Cell::kLstm;
  Wanted wanted{zeros_in(ctx, 0), zeros_in(ctx, 1), zeros_in(ctx, 2), zeros_in(ctx, 3), zeros_in(ctx, 5)};
  if (lstm) wanted.c = zeros_in(ctx, 6);
  if (lstm) wanted.p = zeros_in(ctx, 7);
  if (s.steps * s.batch < 1 || s.hidden < 1) return;
  for (std::int64_t d = 0; d < s.directions; ++d) {
    ThroughTime(ctx, s, d).backward(wanted);
  }
}

}  // namespace compressor::ops
