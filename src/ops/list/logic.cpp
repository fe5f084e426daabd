// logic: And, Or, Xor of bools; BitwiseAnd, BitwiseOr, BitwiseXor and BitShift of integers.
#include "ops/elementwise.h"

namespace compressor::ops {
namespace {

struct Logic {
  const char* type;
  std::int64_t since;
  std::uint64_t (*fn)(std::uint64_t, std::uint64_t);
};

constexpr Logic kLogic[] = {
    {"And", 7, [](std::uint64_t a, std::uint64_t b) { return a & b; }},
    {"Or", 7, [](std::uint64_t a, std::uint64_t b) { return a | b; }},
    {"Xor", 7, [](std::uint64_t a, std::uint64_t b) { return a ^ b; }},
    {"BitwiseAnd", 18, [](std::uint64_t a, std::uint64_t b) { return a & b; }},
    {"BitwiseOr", 18, [](std::uint64_t a, std::uint64_t b) { return a | b; }},
    {"BitwiseXor", 18, [](std::uint64_t a, std::uint64_t b) { return a ^ b; }},
};

void infer(InferContext& ctx, const Logic& f) {
  infer_broadcast(ctx);
  contents_elementwise(ctx, [&](std::span<const SymDim> in) -> SymDim {
    if (!in[0].is_number() || !in[1].is_number()) return {};
    return static_cast<std::int64_t>(
        f.fn(static_cast<std::uint64_t>(in[0].number()), static_cast<std::uint64_t>(in[1].number())));
  });
}

void compute(ComputeContext& ctx, const Logic& f) {
  if (is_float(ctx.in(0).dtype)) ctx.fail("input of type {}, expected integers", name(ctx.in(0).dtype));
  // Sign extension of narrow integers goes in and is cut off again.
  ctx.set(0, map_binary<std::uint64_t>(ctx.in(0), ctx.in(1), ctx.in(0).dtype, f.fn));
}

void compute_shift(ComputeContext& ctx) {
  const std::string direction = ctx.node().string_or("direction", "");
  if (direction != "LEFT" && direction != "RIGHT") {
    ctx.fail("direction is '{}', expected LEFT or RIGHT", direction);
  }
  const bool left = direction == "LEFT";
  ctx.set(0, map_binary<std::uint64_t>(ctx.in(0), ctx.in(1), ctx.in(0).dtype,
                                       [&](std::uint64_t a, std::uint64_t b) -> std::uint64_t {
                                         if (b >= 64) return 0;
                                         return left ? a << b : a >> b;
                                       }));
}

}  // namespace

void register_logic(OpTable& table) {
  for (const Logic& f : kLogic) {
    table.add({.type = f.type,
               .since = f.since,
               .infer = [f](InferContext& ctx) { infer(ctx, f); },
               .cost = cost_elementwise,
               .compute = [f](ComputeContext& ctx) { compute(ctx, f); },
               .channels = channels_broadcast});
  }
  table.add({.type = "BitShift",
             .since = 11,
             .infer = [](InferContext& ctx) { infer_broadcast(ctx); },
             .cost = cost_elementwise,
             .compute = compute_shift,
             .channels = channels_broadcast});
}

}  // namespace compressor::ops
