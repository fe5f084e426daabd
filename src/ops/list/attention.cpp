// Attention: softmax(Q K' * scale + mask) V over heads, several query heads a key head where that is asked.
//
// 4-D: Q [N, Hq, T, D], K [N, Hkv, S, D], V [N, Hkv, S, E] -> Y [N, Hq, T, E]
// 3-D: Q [N, T, Hq D], K [N, S, Hkv D], V [N, S, Hkv E] -> Y [N, T, Hq E]
// mask broadcasts to [N, Hq, T, P + S]; past and present keys and values are [N, Hkv, P (+ S), D or E].
#include <cmath>
#include <set>

#include "compressor/ops/channels.h"
#include "ops/attend.h"
#include "ops/expect.h"

namespace compressor::ops {
namespace {

std::int64_t heads_attribute(const Node& node, std::string_view name) {
  const std::int64_t heads = node.int_or(name, 0);
  if (heads < 1) {
    throw Error::model("node '{}' ({}): {} is {}, expected at least 1 for inputs of rank 3", node.label(),
                       node.op(), name, heads);
  }
  return heads;
}

/// Batch, heads, length and width of a query, key or value of either rank.
struct Heads {
  SymDim batch, count, length, width;
};

Heads heads_of(const InferContext& ctx, std::size_t i, std::string_view count_name) {
  const Facts& x = ctx.in(i);
  if (!x.ranked) return {};
  expect_rank(ctx, x, i == 0 ? "query" : i == 1 ? "key" : "value", 3, 4);
  if (x.rank() == 4) return {x.dims[0], x.dims[1], x.dims[2], x.dims[3]};
  const std::int64_t count = heads_attribute(ctx.node(), count_name);
  if (x.dims[2].is_number() && x.dims[2].number() % count != 0) {
    ctx.fail("input {} is {} wide, expected a multiple of {} heads", i, x.dims[2].number(), count);
  }
  return {x.dims[0], count, x.dims[1], x.dims[2].divided_by(count)};
}

void infer(InferContext& ctx) {
  const Heads q = heads_of(ctx, 0, "q_num_heads");
  const Heads k = heads_of(ctx, 1, "kv_num_heads");
  const Heads v = heads_of(ctx, 2, "kv_num_heads");
  agree(ctx, q.width, k.width, "width of a key head");
  agree(ctx, k.count, v.count, "number of value heads");
  if (q.count.is_number() && k.count.is_number() && k.count.number() > 0 &&
      q.count.number() % k.count.number() != 0) {
    ctx.fail("has {} query heads, expected a multiple of {} key heads", q.count.number(), k.count.number());
  }
  SymDim total = k.length;
  if (ctx.has(4)) total = ctx.in(4).ranked ? ctx.in(4).dim(2) + k.length : SymDim();
  const DType dtype = ctx.in(0).dtype;
  if (!ctx.in(0).ranked) {
    ctx.set_unranked(0, dtype);
  } else if (ctx.in(0).rank() == 4) {
    ctx.set(0, dtype, {q.batch, q.count, q.length, v.width});
  } else {
    ctx.set(0, dtype, {q.batch, q.length, q.count * v.width});
  }
  if (ctx.wants(1)) ctx.set(1, ctx.in(1).dtype, {k.batch, k.count, total, k.width});
  if (ctx.wants(2)) ctx.set(2, ctx.in(2).dtype, {v.batch, v.count, total, v.width});
  if (ctx.wants(3)) ctx.set(3, dtype, {q.batch, q.count, q.length, total});
}

Cost cost(const CostContext& ctx) {
  const std::vector<double> q = ctx.in(0);
  const std::vector<double> k = ctx.in(1);
  const std::vector<double> v = ctx.in(2);
  if (!ctx.ok() || q.size() < 3 || k.size() != q.size() || v.size() != q.size()) return {};
  double total = k[k.size() - 2];
  if (ctx.has(4) && ctx.in(4).size() == 4) total += ctx.in(4)[2];
  const double heads = q.size() == 4 ? q[1] : static_cast<double>(ctx.node().int_or("q_num_heads", 1));
  const double y_width = ctx.out_size(0) / (q[0] * q[q.size() - 2]);  // Hq E
  const double q_width = q.size() == 4 ? q[1] * q[3] : q[2];          // Hq D
  const double macs = q[0] * q[q.size() - 2] * total * (q_width + y_width);
  return {.macs = macs, .flops = 2 * macs + 5 * q[0] * heads * q[q.size() - 2] * total};
}

/// Lists of the heads and of the positions in one.
struct HeadLists {
  Places heads, width;
  bool ok = true;
};

HeadLists split_heads(ChannelContext& ctx, std::size_t i, std::string_view count_name) {
  if (ctx.in(i).rank() == 4) return {ctx.in_list(i, 1), ctx.in_list(i, 3)};
  const std::int64_t count = heads_attribute(ctx.node(), count_name);
  const std::int64_t n = ctx.in_dim(i, 2);
  if (n < 0 || n % count != 0) return {{}, {}, false};
  const std::vector<std::int64_t> factors{count, n / count};
  std::vector<Places> parts = ctx.atoms().split(ctx.in_list(i, 2), factors, ctx.because("attention heads"));
  return {std::move(parts[0]), std::move(parts[1])};
}

/// A cache of keys or values, and what becomes of it.
void cache(ChannelContext& ctx, std::size_t past, std::size_t present, const HeadLists& lists) {
  if (ctx.has(past)) {
    ctx.join(lists.heads, ctx.in_list(past, 1));
    ctx.join(lists.width, ctx.in_list(past, 3));
  }
  ctx.set_out(present, 1, lists.heads);
  ctx.set_out(present, 3, lists.width);
}

void channels(ChannelContext& ctx) {
  const std::int64_t rank = ctx.in(0).rank();
  const HeadLists q = split_heads(ctx, 0, "q_num_heads");
  const HeadLists k = split_heads(ctx, 1, "kv_num_heads");
  const HeadLists v = split_heads(ctx, 2, "kv_num_heads");
  const std::int64_t hq = rank == 4 ? ctx.in_dim(0, 1) : ctx.node().int_or("q_num_heads", 0);
  const std::int64_t hkv = rank == 4 ? ctx.in_dim(1, 1) : ctx.node().int_or("kv_num_heads", 0);
  const std::int64_t width = ctx.out_dim(0, -1);
  const bool known = q.ok && k.ok && v.ok && hq > 0 && hkv > 0 && hq % hkv == 0 && width > 0;
  if (!known || ctx.in(1).rank() != rank || ctx.in(2).rank() != rank) {
    return ctx.freeze_all("attention over an unknown number of heads");
  }
  const std::vector<std::int64_t> factors{hkv, hq / hkv};
  const Places shared = ctx.atoms().split(q.heads, factors, ctx.because("query heads share a key head"))[0];
  ctx.join(shared, k.heads);
  ctx.join(k.heads, v.heads);
  ctx.join(q.width, k.width);
  cache(ctx, 4, 1, k);
  cache(ctx, 5, 2, v);
  if (ctx.has(3) && ctx.in(3).rank() >= 3 && ctx.in_dim(3, -3) != 1) ctx.join(q.heads, ctx.in_list(3, -3));
  ctx.set_out(3, 1, q.heads);
  for (std::size_t i = 0; i < 3; ++i) ctx.freeze(i, rank - 2, "attention runs over this axis");
  ctx.pass(0, 0, 0, 0);
  if (rank == 4) {
    ctx.set_out(0, 1, q.heads);
    ctx.set_out(0, 3, v.width);
    return;
  }
  const std::vector<Places> axes{q.heads, v.width};
  const std::vector<std::int64_t> lengths{hq, width / hq};
  ctx.set_out(0, 2, ctx.atoms().merge(axes, lengths));
}

/// Old positions of input i, heads apart: how many heads are left, and how wide they are now.
std::pair<std::int64_t, std::int64_t> left(const ShrinkContext& ctx, std::size_t i, std::int64_t heads) {
  const std::int64_t width = ctx.in(i).dim(2).number() / heads;
  const auto* kept = ctx.kept_in(i, 2);
  if (!kept) return {heads, width};
  std::set<std::int64_t> rows;
  for (const std::int64_t position : *kept) rows.insert(position / width);
  const auto count = static_cast<std::int64_t>(rows.size());
  return {count, count > 0 ? static_cast<std::int64_t>(kept->size()) / count : 0};
}

/// The default scale speaks of the width of a head as it was.
void keep_scale(ShrinkContext& ctx, std::int64_t before, std::int64_t after) {
  if (before == after || ctx.node().attribute("scale")) return;
  ctx.set_attribute({"scale", static_cast<float>(1 / std::sqrt(static_cast<double>(before)))});
}

void shrink(ShrinkContext& ctx) {
  if (ctx.in(0).rank() == 4) {
    const auto before = ctx.in(0).dim(3).maybe_number();
    if (before) keep_scale(ctx, *before, ctx.new_in_dim(0, 3));
    return;
  }
  const std::int64_t hq = heads_attribute(ctx.node(), "q_num_heads");
  const std::int64_t hkv = heads_attribute(ctx.node(), "kv_num_heads");
  if (!ctx.in(0).dim(2).is_number() || !ctx.in(1).dim(2).is_number()) return;
  const auto [queries, width] = left(ctx, 0, hq);
  const auto [keys, key_width] = left(ctx, 1, hkv);
  if (queries != hq) ctx.set_attribute({"q_num_heads", queries});
  if (keys != hkv) ctx.set_attribute({"kv_num_heads", keys});
  keep_scale(ctx, ctx.in(0).dim(2).number() / hq, width);
}

}  // namespace

void register_attention(OpTable& table) {
  table.add({.type = "Attention",
             .since = 23,
             .infer = infer,
             .cost = cost,
             .compute = compute_attention,
             .channels = channels,
             .shrink = shrink,
             .gradient = attention_gradient,
             .keep = {.inputs = kAll}});
}

}  // namespace compressor::ops
