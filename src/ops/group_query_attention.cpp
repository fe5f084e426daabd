// group_query_attention: com.microsoft's attention of decoders: a cache of keys and values, and few of them.
//
// query [N, T, H D], key and value [N, T, Hkv D] (or all in query), past [N, Hkv, P, D], lengths less one
// [N], the longest length; cosines and sines, positions, bias of the scores, sinks.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "ops/attend_heads.h"
#include "ops/elements.h"
#include "ops/microsoft_attention.h"

namespace compressor::ops {
namespace {

void refuse(const ComputeContext& ctx) {
  for (const std::size_t i : {12, 13, 14, 15, 16}) {
    if (ctx.has(i)) ctx.fail("input {} is there, which is not computed", i);
  }
  if (ctx.node().output(3)) ctx.fail("the scores as an output are not computed");
  for (const char* name : {"sliding_window_cache", "qk_output"}) {
    if (ctx.node().int_or(name, 0) != 0) ctx.fail("{} is not computed", name);
  }
}

/// Everything of a node that its kernel asks for more than once.
struct Group {
  explicit Group(const ComputeContext& ctx) {
    const Node& node = ctx.node();
    const Dims& q = ctx.in(0).shape;
    heads = node.int_or("num_heads", 0);
    kv_heads = node.int_or("kv_num_heads", 0);
    if (heads < 1 || kv_heads < 1 || heads % kv_heads != 0) {
      ctx.fail("has {} heads and {} of keys, expected a multiple", heads, kv_heads);
    }
    if (q.size() != 3) ctx.fail("query has rank {}, expected 3", q.size());
    packed = !ctx.has(1);
    batch = q[0];
    length = q[1];
    width = q[2] / (packed ? heads + 2 * kv_heads : heads);
    const Dims kv{batch, length, kv_heads * width};
    if (!packed && (ctx.in(1).shape != kv || ctx.in(2).shape != kv)) {
      ctx.fail("key is {}, value {}, expected {}", to_string(ctx.in(1).shape), to_string(ctx.in(2).shape),
               to_string(kv));
    }
    const std::vector<std::int64_t> lasts = to_ints(ctx.in(5));
    if (static_cast<std::int64_t>(lasts.size()) != batch)
      ctx.fail("{} lengths, expected {}", lasts.size(), batch);
    const std::int64_t longest = to_ints(ctx.in(6)).at(0);
    first = length == longest;
    if (ctx.has(3)) cache = ctx.in(3).shape.size() == 4 ? ctx.in(3).shape[2] : 0;
    const Dims past{batch, kv_heads, cache, width};
    if (ctx.has(3) && (ctx.in(3).shape != past || ctx.in(4).shape != past)) {
      ctx.fail("past is {}, expected {}", to_string(ctx.in(3).shape), to_string(past));
    }
    keys = std::max(longest, cache);
    for (const std::int64_t last : lasts) {
      const std::int64_t total = last + 1;
      const std::int64_t before = first ? 0 : total - length;
      if (total < 1 || total > keys || before < 0 || before > cache || before + length > keys) {
        ctx.fail("a length is {}, expected 1 to {}", total, keys);
      }
      totals.push_back(total);
      pasts.push_back(before);
    }
  }
  std::int64_t past(std::int64_t b) const { return pasts[static_cast<std::size_t>(b)]; }

  std::int64_t batch = 0, length = 0, width = 0, heads = 0, kv_heads = 0, cache = 0, keys = 0;
  bool packed = false, first = false;
  std::vector<std::int64_t> totals, pasts;  ///< of every sample
};

/// `count` heads from column `column` on of rows [N T, all], as [N, count, T, width].
std::vector<float> heads_at(const Group& g, const Tensor& x, std::int64_t column, std::int64_t count) {
  const Elements<float> from(x);
  const std::int64_t all = x.shape[2];
  std::vector<float> y(static_cast<std::size_t>(g.batch * count * g.length * g.width));
  for (std::int64_t n = 0; n < g.batch; ++n) {
    for (std::int64_t h = 0; h < count; ++h) {
      for (std::int64_t t = 0; t < g.length; ++t) {
        std::copy_n(from.data() + (n * g.length + t) * all + column + h * g.width, g.width,
                    y.data() + ((n * count + h) * g.length + t) * g.width);
      }
    }
  }
  return y;
}

/// Turns every head of x [N, count, T, width] by its position.
void rotate(const ComputeContext& ctx, const Group& g, std::int64_t count, std::vector<float>& x) {
  const Elements<float> cosines(ctx.in(7));
  const Elements<float> sines(ctx.in(8));
  const std::int64_t pairs = ctx.in(7).shape.back();
  const std::int64_t rows = pairs == 0 ? 0 : static_cast<std::int64_t>(cosines.size()) / pairs;
  if (ctx.in(7).shape != ctx.in(8).shape || 2 * pairs > g.width) {
    ctx.fail("cosines are {}, expected at most {} columns", to_string(ctx.in(7).shape), g.width / 2);
  }
  const bool interleaved = ctx.node().int_or("rotary_interleaved", 0) != 0;
  std::vector<std::int64_t> ids;
  if (ctx.has(9)) ids = to_ints(ctx.in(9));
  if (!ids.empty() && static_cast<std::int64_t>(ids.size()) != g.batch * g.length && !g.first) {
    ctx.fail("{} positions, expected {}", ids.size(), g.batch * g.length);
  }
  std::vector<float> turned(static_cast<std::size_t>(g.width));
  for (std::int64_t n = 0; n < g.batch; ++n) {
    for (std::int64_t h = 0; h < count; ++h) {
      for (std::int64_t t = 0; t < g.length; ++t) {
        std::int64_t row = g.past(n) + t;
        if (!ids.empty()) row = g.first ? ids[0] + t : ids[static_cast<std::size_t>(n * g.length + t)];
        if (row < 0 || row >= rows) ctx.fail("position {}, expected 0 to {}", row, rows - 1);
        float* at = x.data() + ((n * count + h) * g.length + t) * g.width;
        turn_pairs(at, turned.data(), g.width, pairs, cosines.data() + row * pairs,
                   sines.data() + row * pairs, interleaved);
        std::copy(turned.begin(), turned.end(), at);
      }
    }
  }
}

/// The cache with the new rows behind the old, [N, Hkv, keys, width].
std::vector<float> cached(const ComputeContext& ctx, const Group& g, std::size_t past_at,
                          const std::vector<float>& now) {
  std::vector<float> y(static_cast<std::size_t>(g.batch * g.kv_heads * g.keys * g.width), 0.0F);
  std::optional<Elements<float>> past;
  if (ctx.has(past_at)) past.emplace(ctx.in(past_at));
  for (std::int64_t i = 0; i < g.batch * g.kv_heads; ++i) {
    float* to = y.data() + i * g.keys * g.width;
    const std::int64_t before = g.past(i / g.kv_heads);
    if (past) std::copy_n(past->data() + i * g.cache * g.width, before * g.width, to);
    std::copy_n(now.data() + i * g.length * g.width, g.length * g.width, to + before * g.width);
  }
  return y;
}

/// Caps the scores, adds the bias, hides what a query does not see.
class Sight {
 public:
  Sight(const ComputeContext& ctx, const Group& g)
      : g_(g),
        cap_(ctx.node().float_or("softcap", 0.0F)),
        causal_(ctx.node().int_or("causal", 1) != 0),
        window_(ctx.node().int_or("local_window_size", -1)) {
    if (!ctx.has(10)) return;
    const Dims& d = ctx.in(10).shape;
    if (d.size() != 4 || (d[0] != 1 && d[0] != g.batch) || (d[1] != 1 && d[1] != g.heads) ||
        d[2] != g.length || d[3] > g.keys) {
      ctx.fail("bias of the scores is {}", to_string(d));
    }
    bias_.emplace(ctx.in(10));
    columns_ = d[3];
    bias_head_ = d[1] == 1 ? 0 : d[2] * d[3];
    bias_batch_ = d[0] == 1 ? 0 : d[1] * d[2] * d[3];
  }

  void operator()(std::int64_t b, std::int64_t h, std::int64_t t, std::span<float> scores) const {
    const std::int64_t own = g_.past(b) + t;
    const std::int64_t end = causal_ ? own + 1 : g_.totals[static_cast<std::size_t>(b)];
    const std::int64_t start = window_ > 0 ? std::max<std::int64_t>(0, own + 1 - window_) : 0;
    for (std::int64_t s = 0; s < static_cast<std::int64_t>(scores.size()); ++s) {
      float& v = scores[static_cast<std::size_t>(s)];
      if (s < start || s >= end) {
        v = -std::numeric_limits<float>::infinity();
        continue;
      }
      if (cap_ > 0) v = cap_ * std::tanh(v / cap_);
      if (bias_ && s < columns_) v += (*bias_)[b * bias_batch_ + h * bias_head_ + t * columns_ + s];
    }
  }

 private:
  const Group& g_;
  float cap_;
  bool causal_;
  std::int64_t window_;
  std::optional<Elements<float>> bias_;
  std::int64_t columns_ = 0, bias_batch_ = 0, bias_head_ = 0;
};

Tensor tensor_of(DType type, Dims shape, const std::vector<float>& values) {
  Result<float> out(type, std::move(shape));
  std::copy(values.begin(), values.end(), out.data());
  return out.finish();
}

}  // namespace

void compute_group_query_attention(ComputeContext& ctx) {
  refuse(ctx);
  const Group g(ctx);
  const Tensor& query = ctx.in(0);
  std::vector<float> q = heads_at(g, query, 0, g.heads);
  std::vector<float> k =
      heads_at(g, g.packed ? query : ctx.in(1), g.packed ? g.heads * g.width : 0, g.kv_heads);
  const std::vector<float> now =
      heads_at(g, g.packed ? query : ctx.in(2), g.packed ? (g.heads + g.kv_heads) * g.width : 0, g.kv_heads);
  if (ctx.node().int_or("do_rotary", 0) != 0) {
    rotate(ctx, g, g.heads, q);
    rotate(ctx, g, g.kv_heads, k);
  }
  k = cached(ctx, g, 3, k);
  const std::vector<float> v = cached(ctx, g, 4, now);
  const float scale = ctx.node().float_or("scale", 0.0F);
  Attend a{.batch = g.batch,
           .heads = g.heads,
           .kv_heads = g.kv_heads,
           .length = g.length,
           .keys = g.keys,
           .width = g.width,
           .value_width = g.width,
           .q = q.data(),
           .k = k.data(),
           .v = v.data(),
           .scale = scale != 0 ? scale : 1 / std::sqrt(static_cast<float>(g.width)),
           .adjust = {},
           .sink = {}};
  const Sight sight(ctx, g);
  a.adjust = std::cref(sight);
  std::vector<float> sinks;
  if (ctx.has(11)) sinks = to_floats(ctx.in(11));
  if (!sinks.empty() && static_cast<std::int64_t>(sinks.size()) != g.heads) {
    ctx.fail("{} sinks, expected {}", sinks.size(), g.heads);
  }
  if (!sinks.empty()) a.sink = [&](std::int64_t h) { return sinks[static_cast<std::size_t>(h)]; };
  if (sinks.empty() && ctx.node().int_or("smooth_softmax", 0) == 1)
    a.sink = [](std::int64_t) { return 0.0F; };
  ctx.set(0, tensor_of(query.dtype, {g.batch, g.length, g.heads * g.width}, attend(a)));
  const Dims present{g.batch, g.kv_heads, g.keys, g.width};
  if (ctx.node().output(1)) ctx.set(1, tensor_of(query.dtype, present, k));
  if (ctx.node().output(2)) ctx.set(2, tensor_of(query.dtype, present, v));
}

}  // namespace compressor::ops
