// microsoft_attention: Attention and MultiHeadAttention of com.microsoft: projections, masks, past keys.
#include "ops/microsoft_attention.h"

#include <cmath>
#include <limits>
#include <optional>

#include "ops/attend_heads.h"
#include "ops/elements.h"
#include "ops/multiply.h"

namespace compressor::ops {
namespace {

/// What an attention operator adds to its scores: a mask of 0 and 1 in one of several forms, a bias,
/// causality.
class Masks {
 public:
  Masks(const ComputeContext& ctx, std::size_t mask_at, std::size_t bias_at, const Attend& a)
      : past_(a.keys - a.length),
        keys_(a.keys),
        length_(a.length),
        batch_(a.batch),
        filter_(ctx.node().float_or("mask_filter_value", -10000.0F)),
        causal_(ctx.node().int_or("unidirectional", 0) != 0) {
    if (ctx.has(mask_at)) read_mask(ctx, ctx.in(mask_at));
    if (ctx.has(bias_at)) read_bias(ctx, ctx.in(bias_at), a.heads);
  }

  void operator()(std::int64_t b, std::int64_t h, std::int64_t t, std::span<float> scores) const {
    const auto n = static_cast<std::int64_t>(scores.size());
    for (std::int64_t s = 0; s < n; ++s) {
      float& v = scores[static_cast<std::size_t>(s)];
      if (bias_) v += (*bias_)[b * bias_batch_ + h * bias_head_ + t * keys_ + s];
      if (!mask_.empty() && !seen(b, t, s)) v += filter_;
      if (causal_ && s > past_ + t) v = -std::numeric_limits<float>::infinity();
    }
  }

 private:
  bool seen(std::int64_t b, std::int64_t t, std::int64_t s) const {
    const auto at = [&](std::int64_t i) { return mask_[static_cast<std::size_t>(i)]; };
    switch (rank_) {
      case 1:
        return s < at(b) && (!has_start_ || s >= at(batch_ + b));
      case 2:
        return at(b * keys_ + s) != 0;
      case 3:
        return at((b * length_ + t) * keys_ + s) != 0;
      default:
        return at((b * most_ + past_ + t) * most_ + s) != 0;
    }
  }

  void read_mask(const ComputeContext& ctx, const Tensor& mask) {
    mask_ = to_ints(mask);
    rank_ = mask.rank();
    const Dims& d = mask.shape;
    has_start_ = rank_ == 1 && d[0] == 2 * batch_;
    if (rank_ == 4) most_ = d[3];
    const bool fits = (rank_ == 1 && (d[0] == batch_ || has_start_)) || d == Dims{batch_, keys_} ||
                      d == Dims{batch_, length_, keys_} ||
                      (d == Dims{batch_, 1, most_, most_} && most_ >= keys_);
    if (!fits) {
      ctx.fail("mask is {}, expected {} or lengths of {} samples", to_string(d),
               to_string(Dims{batch_, length_, keys_}), batch_);
    }
  }

  void read_bias(const ComputeContext& ctx, const Tensor& bias, std::int64_t heads) {
    const Dims& d = bias.shape;
    if (d.size() != 4 || (d[0] != 1 && d[0] != batch_) || (d[1] != 1 && d[1] != heads) || d[2] != length_ ||
        d[3] != keys_) {
      ctx.fail("bias of the scores is {}, expected to broadcast to {}", to_string(d),
               to_string(Dims{batch_, heads, length_, keys_}));
    }
    bias_.emplace(bias);
    bias_head_ = d[1] == 1 ? 0 : length_ * keys_;
    bias_batch_ = d[0] == 1 ? 0 : d[1] * length_ * keys_;
  }

  std::int64_t past_, keys_, length_, batch_;
  float filter_;
  bool causal_;
  std::vector<std::int64_t> mask_;
  std::int64_t rank_ = 0, most_ = 0;
  bool has_start_ = false;
  std::optional<Elements<float>> bias_;
  std::int64_t bias_batch_ = 0, bias_head_ = 0;
};

float scale_of(const Node& node, std::int64_t width) {
  const float given = node.float_or("scale", 0.0F);
  return given != 0 ? given : 1 / std::sqrt(static_cast<float>(width));
}

Tensor tensor_of(DType type, Dims shape, const std::vector<float>& values) {
  Result<float> out(type, std::move(shape));
  std::copy(values.begin(), values.end(), out.data());
  return out.finish();
}

void refuse(const ComputeContext& ctx, std::initializer_list<std::size_t> inputs) {
  for (const std::size_t i : inputs) {
    if (ctx.has(i)) ctx.fail("input {} shares a buffer with the past, which is not computed", i);
  }
}

std::int64_t heads_of(const ComputeContext& ctx) {
  const std::int64_t heads = ctx.node().int_or("num_heads", 0);
  if (heads < 1) ctx.fail("num_heads is {}, expected at least 1", heads);
  return heads;
}

/// Columns [first, first + heads width) of rows [N T, all], as [N, heads, T, width], plus a bias per column.
std::vector<float> head_columns(const float* x, std::int64_t all, std::int64_t first, const Attend& a,
                                std::int64_t length, std::int64_t width, const float* bias) {
  std::vector<float> y(static_cast<std::size_t>(a.batch * a.heads * length * width));
  for (std::int64_t n = 0; n < a.batch; ++n) {
    for (std::int64_t h = 0; h < a.heads; ++h) {
      for (std::int64_t t = 0; t < length; ++t) {
        const float* from = x + (n * length + t) * all + first + h * width;
        float* to = y.data() + ((n * a.heads + h) * length + t) * width;
        for (std::int64_t i = 0; i < width; ++i) to[i] = from[i] + (bias ? bias[h * width + i] : 0.0F);
      }
    }
  }
  return y;
}

/// A head's numbers for every position, [N, S, H width] or [N, H, S, width] -> [N, H, S, width]; `part` of
/// `parts` when several are packed as [N, S, H, parts, width].
std::vector<float> unpacked(const Tensor& x, std::int64_t part, std::int64_t parts, const Attend& a,
                            std::int64_t length, std::int64_t width, const float* bias) {
  const Elements<float> from(x);
  if (x.rank() == 4) return {from.span().begin(), from.span().end()};
  if (x.rank() == 3) return head_columns(from.data(), a.heads * width, 0, a, length, width, bias);
  std::vector<float> rows(static_cast<std::size_t>(a.batch * length * a.heads * width));
  for (std::int64_t i = 0; i < a.batch * length * a.heads; ++i) {
    std::copy_n(from.data() + (i * parts + part) * width, width, rows.data() + i * width);
  }
  return head_columns(rows.data(), a.heads * width, 0, a, length, width, bias);
}

}  // namespace

// x [N, T, I], weights [I, 3 H], bias [3 H], mask, past [2, N, heads, P, D], bias of the scores
void compute_microsoft_attention(ComputeContext& ctx) {
  refuse(ctx, {6});
  if (ctx.node().int_or("do_rotary", 0) != 0) ctx.fail("do_rotary is not computed");
  const Tensor& x = ctx.in(0);
  if (x.rank() != 3 || ctx.in(1).rank() != 2) ctx.fail("input has rank {}, expected 3", x.rank());
  Attend a;
  a.heads = a.kv_heads = heads_of(ctx);
  a.batch = x.shape[0];
  a.length = x.shape[1];
  const std::int64_t all = ctx.in(1).shape[1];
  const std::vector<std::int64_t> sizes = ctx.node().ints_or("qkv_hidden_sizes", {all / 3, all / 3, all / 3});
  if (sizes.size() != 3 || sizes[0] != sizes[1] || sizes[0] + sizes[1] + sizes[2] != all ||
      sizes[0] % a.heads != 0 || sizes[2] % a.heads != 0) {
    ctx.fail("weights have {} columns, which are not queries, keys and values of {} heads", all, a.heads);
  }
  a.width = sizes[0] / a.heads;
  a.value_width = sizes[2] / a.heads;
  const Tensor projected = multiply(ctx, x, ctx.in(1));
  const Elements<float> rows(projected);
  std::vector<float> bias(static_cast<std::size_t>(all), 0.0F);
  if (ctx.has(2)) bias = to_floats(ctx.in(2));
  if (static_cast<std::int64_t>(bias.size()) != all)
    ctx.fail("bias has {} numbers, expected {}", bias.size(), all);
  const std::vector<float> q = head_columns(rows.data(), all, 0, a, a.length, a.width, bias.data());
  std::vector<float> k =
      head_columns(rows.data(), all, sizes[0], a, a.length, a.width, bias.data() + sizes[0]);
  std::vector<float> v =
      head_columns(rows.data(), all, 2 * sizes[0], a, a.length, a.value_width, bias.data() + 2 * sizes[0]);
  a.keys = a.length;
  if (ctx.has(4)) {
    const Dims& d = ctx.in(4).shape;
    if (d.size() != 5 || d != Dims{2, a.batch, a.heads, d[3], a.width} || a.width != a.value_width) {
      ctx.fail("past is {}, expected {} with any length", to_string(d),
               to_string(Dims{2, a.batch, a.heads, 0, a.width}));
    }
    const Elements<float> past(ctx.in(4));
    const std::int64_t rows_of_past = a.batch * a.heads;
    k = append(past.data(), d[3], k.data(), a.length, rows_of_past, a.width);
    v = append(past.data() + rows_of_past * d[3] * a.width, d[3], v.data(), a.length, rows_of_past, a.width);
    a.keys += d[3];
  }
  a.q = q.data();
  a.k = k.data();
  a.v = v.data();
  a.scale = scale_of(ctx.node(), a.width);
  const Masks masks(ctx, 3, 5, a);
  a.adjust = std::cref(masks);
  ctx.set(0, tensor_of(x.dtype, {a.batch, a.length, a.heads * a.value_width}, attend(a)));
  if (!ctx.node().output(1)) return;
  if (a.width != a.value_width) ctx.fail("keys and values of other widths are not kept together");
  k.insert(k.end(), v.begin(), v.end());
  ctx.set(1, tensor_of(x.dtype, {2, a.batch, a.heads, a.keys, a.width}, k));
}

// query, key, value, bias, key mask, bias of the scores, past key, past value
void compute_multi_head_attention(ComputeContext& ctx) {
  refuse(ctx, {8, 9});
  if (ctx.node().output(3)) ctx.fail("the scores as an output are not computed");
  const Tensor& query = ctx.in(0);
  Attend a;
  a.heads = a.kv_heads = heads_of(ctx);
  const bool packed = query.rank() == 5;
  const bool packed_kv = !packed && ctx.has(1) && ctx.in(1).rank() == 5;
  if (query.rank() != 3 && !packed) ctx.fail("query has rank {}, expected 3 or 5", query.rank());
  a.batch = query.shape[0];
  a.length = query.shape[1];
  a.width = packed ? query.shape[4] : query.shape[2] / a.heads;
  const Tensor& key = packed ? query : ctx.in(1);
  const Tensor& value = packed || packed_kv ? key : ctx.in(2);
  const bool heads_first = key.rank() == 4;
  const std::int64_t now = key.shape[heads_first ? 2 : 1];
  a.value_width = value.rank() == 3 ? value.shape[2] / a.heads : value.shape.back();
  const auto expect = [&](const Tensor& t, std::int64_t length, std::int64_t width, std::int64_t parts) {
    const Dims d = t.rank() == 5   ? Dims{a.batch, length, a.heads, parts, width}
                   : t.rank() == 4 ? Dims{a.batch, a.heads, length, width}
                                   : Dims{a.batch, length, a.heads * width};
    if (t.shape != d) ctx.fail("an input is {}, expected {}", to_string(t.shape), to_string(d));
  };
  expect(query, a.length, a.width, 3);
  expect(key, now, a.width, packed ? 3 : 2);
  expect(value, now, a.value_width, packed ? 3 : 2);
  std::vector<float> bias;
  const std::int64_t hidden = a.heads * a.width;
  if (ctx.has(3)) {
    bias = to_floats(ctx.in(3));
    const std::int64_t wanted = 2 * hidden + a.heads * a.value_width;
    if (static_cast<std::int64_t>(bias.size()) != wanted)
      ctx.fail("bias has {} numbers, expected {}", bias.size(), wanted);
  }
  const auto bias_at = [&](std::int64_t at) { return bias.empty() ? nullptr : bias.data() + at; };
  const std::int64_t parts = packed ? 3 : 2;
  const std::vector<float> q = unpacked(query, 0, parts, a, a.length, a.width, bias_at(0));
  std::vector<float> k = unpacked(key, packed ? 1 : 0, parts, a, now, a.width, bias_at(hidden));
  std::vector<float> v = unpacked(value, packed ? 2 : 1, parts, a, now, a.value_width, bias_at(2 * hidden));
  a.keys = now;
  if (ctx.has(6) && ctx.has(7)) {
    const std::int64_t past = ctx.in(6).rank() == 4 ? ctx.in(6).shape[2] : -1;
    if (ctx.in(6).shape != Dims{a.batch, a.heads, past, a.width} ||
        ctx.in(7).shape != Dims{a.batch, a.heads, past, a.value_width}) {
      ctx.fail("past is {} and {}, expected {} with any length", to_string(ctx.in(6).shape),
               to_string(ctx.in(7).shape), to_string(Dims{a.batch, a.heads, 0, a.width}));
    }
    k = append(Elements<float>(ctx.in(6)).data(), past, k.data(), now, a.batch * a.heads, a.width);
    v = append(Elements<float>(ctx.in(7)).data(), past, v.data(), now, a.batch * a.heads, a.value_width);
    a.keys += past;
  }
  a.q = q.data();
  a.k = k.data();
  a.v = v.data();
  a.scale = scale_of(ctx.node(), a.width);
  const Masks masks(ctx, 4, 5, a);
  a.adjust = std::cref(masks);
  ctx.set(0, tensor_of(query.dtype, {a.batch, a.length, a.heads * a.value_width}, attend(a)));
  if (ctx.node().output(1)) ctx.set(1, tensor_of(query.dtype, {a.batch, a.heads, a.keys, a.width}, k));
  if (ctx.node().output(2)) ctx.set(2, tensor_of(query.dtype, {a.batch, a.heads, a.keys, a.value_width}, v));
}

}  // namespace compressor::ops
