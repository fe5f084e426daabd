// RotaryEmbedding: turns pairs of numbers in every head by an angle that grows with the position.
//
// x [N, H, T, D] or [N, T, H D]. A head goes whole: the numbers in it are paired with columns of the angles.
#include "compressor/ops/channels.h"
#include "ops/expect.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  expect_rank(ctx, ctx.in(0), "input", 3, 4);
  same_as(ctx, 0, 0);
}

Cost cost(const CostContext& ctx) {
  return {.macs = 0, .flops = 3 * ctx.in_size(0)};
}

void channels(ChannelContext& ctx) {
  ctx.pass_all(0, 0);
  for (std::size_t i = 1; i < ctx.node().inputs().size(); ++i) {
    for (std::int64_t axis = 0; ctx.has(i) && axis < ctx.in(i).rank(); ++axis) {
      ctx.freeze(i, axis, "angles of a rotary embedding");
    }
  }
  const std::string why = "numbers in a head are turned in pairs";
  if (ctx.in(0).rank() == 4) return ctx.freeze(0, 3, why);
  const std::int64_t heads = ctx.node().int_or("num_heads", 0);
  const std::int64_t n = ctx.in_dim(0, 2);
  if (heads < 1 || n < 0 || n % heads != 0) return ctx.freeze_all("unknown number of heads");
  const std::vector<std::int64_t> factors{heads, n / heads};
  ctx.freeze(ctx.atoms().split(ctx.in_list(0, 2), factors, ctx.because("attention heads"))[1], why);
}

void shrink(ShrinkContext& ctx) {
  const std::int64_t heads = ctx.node().int_or("num_heads", 0);
  const auto* kept = ctx.in(0).rank() == 3 ? ctx.kept_in(0, 2) : nullptr;
  if (!kept || heads < 1) return;
  const std::int64_t width = ctx.in(0).dim(2).number() / heads;
  if (static_cast<std::int64_t>(kept->size()) % width != 0) ctx.fail("a head was cut in part");
  ctx.set_attribute({"num_heads", static_cast<std::int64_t>(kept->size()) / width});
}

}  // namespace

void register_rotary_embedding(OpTable& table) {
  for (const char* domain : {"", "com.microsoft"}) {
    table.add({.type = "RotaryEmbedding",
               .domain = domain,
               .infer = infer,
               .cost = cost,
               .channels = channels,
               .shrink = shrink});
  }
}

}  // namespace compressor::ops
