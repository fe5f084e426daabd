// attend_setting: what ONNX's Attention says of its heads, and its way from scores to probabilities, shared
// by forward and backward.
#pragma once

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ops/real.h"

namespace compressor::ops {

/// A query, key or value of rank 4 [N, H, L, W] or 3 [N, L, H W].
struct HeadsLayout {
  std::int64_t batch = 0, heads = 0, length = 0, width = 0;
  std::int64_t row = 0;  ///< elements from one position to the next
  bool split = false;    ///< rank 3

  std::int64_t at(std::int64_t n, std::int64_t head) const {
    return split ? n * length * row + head * width : (n * heads + head) * length * width;
  }
};

template <class Context>
HeadsLayout heads_layout(Context& ctx, std::size_t i, std::string_view heads_name) {
  const Dims& x = ctx.in(i).shape;
  if (x.size() == 4) return {x[0], x[1], x[2], x[3], x[3], false};
  if (x.size() != 3) ctx.fail("input {} has rank {}, expected 3 or 4", i, x.size());
  const std::int64_t heads = ctx.node().int_or(heads_name, 0);
  if (heads < 1 || x[2] % heads != 0) ctx.fail("input {} is {} wide, {} is {}", i, x[2], heads_name, heads);
  return {x[0], heads, x[1], x[2] / heads, x[2], true};
}

struct AttendSetting {
  HeadsLayout q, k, v;
  std::int64_t past = 0, total = 0;
  float scale = 1, softcap = 0;
  bool causal = false;
  std::int64_t left = -1, right = -1;  ///< of a sliding window; -1: no end
  std::vector<std::int64_t> lengths;   ///< keys that are no padding; empty: all
  /// What output 3 holds: 0 products, 1 capped, 2 masked, 3 probabilities.
  std::int64_t mode = 0;
};

template <class Context>
AttendSetting read_attend_setting(Context& ctx) {
  const Node& node = ctx.node();
  AttendSetting s;
  s.q = heads_layout(ctx, 0, "q_num_heads");
  s.k = heads_layout(ctx, 1, "kv_num_heads");
  s.v = heads_layout(ctx, 2, "kv_num_heads");
  const bool fits = s.k.batch == s.q.batch && s.v.batch == s.q.batch && s.k.length == s.v.length &&
                    s.k.heads == s.v.heads && s.k.width == s.q.width && s.k.heads > 0 &&
                    s.q.heads % s.k.heads == 0;
  if (!fits) {
    ctx.fail("query {}, key {} and value {} do not fit", to_string(ctx.in(0).shape),
             to_string(ctx.in(1).shape), to_string(ctx.in(2).shape));
  }
  if (ctx.has(4) != ctx.has(5)) ctx.fail("has one of past key and value, expected both or none");
  if (ctx.has(4)) {
    const Dims& past = ctx.in(4).shape;
    s.past = past.size() == 4 ? past[2] : -1;
    if (past != Dims{s.k.batch, s.k.heads, s.past, s.k.width} ||
        ctx.in(5).shape != Dims{s.v.batch, s.v.heads, s.past, s.v.width}) {
      ctx.fail("past key {} and value {} do not fit", to_string(past), to_string(ctx.in(5).shape));
    }
  }
  s.total = s.past + s.k.length;
  const double width = static_cast<double>(std::max<std::int64_t>(1, s.q.width));
  s.scale = node.float_or("scale", static_cast<float>(1 / std::sqrt(width)));
  s.softcap = node.float_or("softcap", 0);
  s.causal = node.int_or("is_causal", 0) != 0;
  s.left = node.int_or("left_window_size", -1);
  s.right = node.int_or("right_window_size", -1);
  s.mode = node.int_or("qk_matmul_output_mode", 0);
  if (ctx.has(6)) {
    s.lengths = to_ints(ctx.in(6));
    if (static_cast<std::int64_t>(s.lengths.size()) != s.q.batch) {
      ctx.fail("nonpad_kv_seqlen has {} numbers, expected {}", s.lengths.size(), s.q.batch);
    }
  }
  return s;
}

/// Where heads lie in output 0.
inline HeadsLayout output_layout(const AttendSetting& s) {
  const std::int64_t row = s.q.split ? s.q.heads * s.v.width : s.v.width;
  return {s.q.batch, s.q.heads, s.q.length, s.v.width, row, s.q.split};
}

/// What is added to the scores before the softmax.
template <class T>
class ScoreBias {
 public:
  template <class Context>
  ScoreBias(Context& ctx, const AttendSetting& s) : s_(s) {
    if (!ctx.has(3)) return;
    const Tensor& mask = ctx.in(3);
    if (mask.rank() < 1 || mask.rank() > 4) ctx.fail("mask has rank {}, expected 1 to 4", mask.rank());
    length_ = mask.shape.back();
    const Dims all{s.q.batch, s.q.heads, s.q.length, length_};
    if (length_ > s.total || broadcast_shape(all, mask.shape) != all) {
      ctx.fail("mask is {}, expected to broadcast to {}x{}x{}x{}", to_string(mask.shape), all[0], all[1],
               all[2], s.total);
    }
    strides_ = broadcast_strides(mask.shape, all);
    step_ = length_ == 1 ? 0 : 1;
    mask_.emplace(mask);
    is_bool_ = mask.dtype == DType::kBool;
  }

  /// The row of one query; false when no key is left to it.
  bool row(std::int64_t n, std::int64_t head, std::int64_t query, T* to) const {
    constexpr T kNever = -std::numeric_limits<T>::infinity();
    std::fill_n(to, s_.total, T{});
    if (mask_) {
      const T* from = mask_->data() + n * strides_[0] + head * strides_[1] + query * strides_[2];
      for (std::int64_t j = 0; j < length_; ++j) {
        const T m = from[j * step_];
        to[j] = !is_bool_ ? m : m != 0 ? T{} : kNever;
      }
      std::fill(to + length_, to + s_.total, kNever);
    }
    const std::int64_t length = s_.lengths.empty() ? s_.total : s_.lengths[static_cast<std::size_t>(n)];
    const std::int64_t position = query + (s_.lengths.empty() ? s_.past : length - s_.q.length);
    std::int64_t first = s_.left >= 0 ? position - s_.left : 0;
    std::int64_t last = std::min(length, s_.total);
    if (s_.causal) last = std::min(last, position + 1);
    if (s_.right >= 0) last = std::min(last, position + s_.right + 1);
    last = std::max<std::int64_t>(last, 0);
    first = std::clamp<std::int64_t>(first, 0, last);
    std::fill_n(to, first, kNever);
    std::fill(to + last, to + s_.total, kNever);
    return std::any_of(to + first, to + last, [](T v) { return v != kNever; });
  }
  /// Of a row of the mask; keys behind it are never seen.
  std::int64_t length() const { return length_; }

 private:
  const AttendSetting& s_;
  std::optional<Elements<T>> mask_;
  Strides strides_;
  std::int64_t length_ = 0, step_ = 1;
  bool is_bool_ = false;
};

/// Keys or values with those of the past before them: [N, H, total, W].
template <class T, class Context>
Result<T> with_past(Context& ctx, std::size_t i, std::size_t past, const HeadsLayout& layout,
                    const AttendSetting& s) {
  const Elements<T> x(ctx.in(i));
  Result<T> all(ctx.in(i).dtype, {layout.batch, layout.heads, s.total, layout.width});
  std::optional<Elements<T>> before;
  if (ctx.has(past)) before.emplace(ctx.in(past));
  const std::int64_t held = s.past * layout.width;
  for (std::int64_t n = 0; n < layout.batch; ++n) {
    for (std::int64_t h = 0; h < layout.heads; ++h) {
      const std::int64_t head = n * layout.heads + h;
      T* to = all.data() + head * s.total * layout.width;
      if (before) std::copy_n(before->data() + head * held, held, to);
      to += held;
      const T* from = x.data() + layout.at(n, h);
      for (std::int64_t t = 0; t < layout.length; ++t) {
        std::copy_n(from + t * layout.row, layout.width, to + t * layout.width);
      }
    }
  }
  return all;
}

template <class T>
void softmax_in_place(T* x, std::int64_t n) {
  const T top = *std::max_element(x, x + n);
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    x[i] = std::exp(x[i] - top);
    sum += static_cast<double>(x[i]);
  }
  const auto factor = static_cast<T>(1 / sum);
  for (std::int64_t i = 0; i < n; ++i) x[i] *= factor;
}

/// Scores of one head, from products to probabilities; `shown` gets them at the stage that is asked for.
template <class T>
void weigh(const AttendSetting& s, const ScoreBias<T>& bias, std::int64_t n, std::int64_t head,
           std::vector<T>& scores, T* shown) {
  std::vector<T> row(static_cast<std::size_t>(s.total));
  const auto show = [&](std::int64_t stage, std::int64_t query, const T* from) {
    if (shown && s.mode == stage) std::copy_n(from, s.total, shown + query * s.total);
  };
  for (std::int64_t query = 0; query < s.q.length; ++query) {
    T* x = scores.data() + query * s.total;
    for (std::int64_t j = 0; j < s.total; ++j) x[j] *= s.scale;
    show(0, query, x);
    if (s.softcap > 0) {
      for (std::int64_t j = 0; j < s.total; ++j) x[j] = s.softcap * std::tanh(x[j] / s.softcap);
    }
    show(1, query, x);
    const bool any = bias.row(n, head, query, row.data());
    for (std::int64_t j = 0; j < s.total; ++j) x[j] += row[static_cast<std::size_t>(j)];
    show(2, query, x);
    if (any) {
      softmax_in_place(x, s.total);
    } else {
      std::fill_n(x, s.total, T{});
    }
    show(3, query, x);
  }
}

}  // namespace compressor::ops
