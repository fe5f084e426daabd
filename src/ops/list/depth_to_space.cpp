// DepthToSpace, SpaceToDepth: blocks of channels become blocks of pixels, and back.
//
//   DepthToSpace  [N, C, H, W] -> [N, C / b^2, H b, W b]    C = (b, b, C') (DCR) or (C', b, b) (CRD)
//   SpaceToDepth  [N, C, H, W] -> [N, b^2 C, H / b, W / b]  b^2 C = (b, b, C) or, newer, (C, b, b)
#include <utility>

#include "compressor/ops/channels.h"
#include "ops/elements.h"
#include "ops/expect.h"
#include "ops/run_movement.h"

namespace compressor::ops {
namespace {

std::int64_t block_of(const Node& node) {
  const std::int64_t b = node.int_or("blocksize", 0);
  if (b < 1 || b > (1 << 20)) {
    throw Error::model("node '{}' ({}): blocksize is {}, expected at least 1", node.label(), node.op(), b);
  }
  return b;
}

/// Blocks behind the channels that they come from or go to, not before them.
bool is_crd(const Node& node) {
  const std::string mode = node.string_or("mode", "DCR");
  if (mode == "DCR" || mode == "CRD") return mode == "CRD";
  throw Error::model("node '{}' ({}): mode is '{}', expected DCR or CRD", node.label(), node.op(), mode);
}

SymDim quotient(const InferContext& ctx, const SymDim& length, std::int64_t by, std::string_view what) {
  if (length.is_number() && length.number() % by != 0) {
    ctx.fail("{} is {}, expected a multiple of {}", what, length.number(), by);
  }
  return length.divided_by(by);
}

void infer_depth_to_space(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  const std::int64_t b = block_of(ctx.node());
  is_crd(ctx.node());
  expect_rank(ctx, x, "input", 4, 4);
  if (!x.ranked) return ctx.set(0, x.dtype, SymDims(4));
  ctx.set(0, x.dtype,
          {x.dims[0], quotient(ctx, x.dims[1], b * b, "number of channels"), x.dims[2] * b, x.dims[3] * b});
}

void infer_space_to_depth(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  const std::int64_t b = block_of(ctx.node());
  is_crd(ctx.node());
  expect_rank(ctx, x, "input", 4, 4);
  if (!x.ranked) return ctx.set(0, x.dtype, SymDims(4));
  ctx.set(0, x.dtype,
          {x.dims[0], x.dims[1] * (b * b), quotient(ctx, x.dims[2], b, "height"),
           quotient(ctx, x.dims[3], b, "width")});
}

void freeze_space(ChannelContext& ctx) {
  for (std::int64_t axis = 2; axis < 4; ++axis) ctx.freeze(0, axis, "pixels are moved in blocks");
}

void channels_depth_to_space(ChannelContext& ctx) {
  const std::int64_t b = block_of(ctx.node());
  const std::int64_t c = ctx.in_dim(0, 1);
  if (c < 0 || c % (b * b) != 0) return ctx.freeze_all("unknown number of channels");
  freeze_space(ctx);
  ctx.pass(0, 0, 0, 0);
  const bool crd = is_crd(ctx.node());
  const std::vector<std::int64_t> factors =
      crd ? std::vector{c / (b * b), b * b} : std::vector{b * b, c / (b * b)};
  const std::vector<Places> parts =
      ctx.atoms().split(ctx.in_list(0, 1), factors, ctx.because("channels become pixels"));
  ctx.set_out(0, 1, parts[crd ? 0 : 1]);
  ctx.freeze(parts[crd ? 1 : 0], "channels that become pixels of one block");
}

void channels_space_to_depth(ChannelContext& ctx) {
  const std::int64_t b = block_of(ctx.node());
  freeze_space(ctx);
  ctx.pass(0, 0, 0, 0);
  const Places c = ctx.in_list(0, 1);
  if (c.empty()) {
    // A single channel, or nobody knows: its pixels are channels that must stay.
    const Places pixels = ctx.fresh(ctx.out_dim(0, 1));
    ctx.freeze(pixels, "pixels that become channels");
    return ctx.set_out(0, 1, pixels);
  }
  std::vector<Places> axes{{}, c};
  std::vector<std::int64_t> lengths{b * b, static_cast<std::int64_t>(c.size())};
  if (is_crd(ctx.node())) {
    std::swap(axes[0], axes[1]);
    std::swap(lengths[0], lengths[1]);
  }
  ctx.set_out(0, 1, ctx.atoms().merge(axes, lengths));
}

/// x [N, C, H, W] that must divide; the block.
std::int64_t checked_block(const ComputeContext& ctx, bool to_space) {
  const std::int64_t b = block_of(ctx.node());
  const Dims& x = ctx.in(0).shape;
  if (x.size() != 4) ctx.fail("input has rank {}, expected 4", x.size());
  const bool divides = to_space ? x[1] % (b * b) == 0 : x[2] % b == 0 && x[3] % b == 0;
  if (!divides) ctx.fail("input {} does not divide into blocks of {}", to_string(x), b);
  return b;
}

void compute_depth_to_space(ComputeContext& ctx) {
  const std::int64_t b = checked_block(ctx, true);
  const Dims& x = ctx.in(0).shape;
  const std::int64_t c = x[1] / (b * b);
  const std::int64_t plane = x[2] * x[3];
  const bool crd = is_crd(ctx.node());
  const std::int64_t row = crd ? b * plane : b * c * plane;
  const std::int64_t column = crd ? plane : c * plane;
  const Tensor y = take_strided(ctx.in(0), {x[0], c, x[2], b, x[3], b},
                                {x[1] * plane, crd ? b * b * plane : plane, x[3], row, 1, column});
  ctx.set(0, y.reshaped({x[0], c, x[2] * b, x[3] * b}));
}

void compute_space_to_depth(ComputeContext& ctx) {
  const std::int64_t b = checked_block(ctx, false);
  const Dims& x = ctx.in(0).shape;
  const std::int64_t plane = x[2] * x[3];
  const Dims space{x[2] / b, x[3] / b};
  const Tensor y = is_crd(ctx.node()) ? take_strided(ctx.in(0), {x[0], x[1], b, b, space[0], space[1]},
                                                     {x[1] * plane, plane, x[3], 1, b * x[3], b})
                                      : take_strided(ctx.in(0), {x[0], b, b, x[1], space[0], space[1]},
                                                     {x[1] * plane, x[3], 1, plane, b * x[3], b});
  ctx.set(0, y.reshaped({x[0], x[1] * b * b, space[0], space[1]}));
}

/// `deep` [N, C, H, W] has b x b times the channels of `wide` [N, C / b^2, H b, W b]; from deep to wide.
Moves to_space(const Dims& wide, std::int64_t b, bool crd) {
  const std::int64_t c = wide[1];
  Moves moves;
  moves.loops = {{wide[0], 0, 1, 0, 1},     {c, 1, crd ? b * b : 1, 1, 1}, {b, 1, crd ? b : b * c, 2, 1},
                 {b, 1, crd ? 1 : c, 3, 1}, {wide[2] / b, 2, 1, 2, b},     {wide[3] / b, 3, 1, 3, b}};
  return moves;
}

Moves to_depth(const Dims& wide, std::int64_t b, bool crd) {
  Moves moves = to_space(wide, b, crd);
  for (Move& m : moves.loops) {
    std::swap(m.in_axis, m.out_axis);
    std::swap(m.in_step, m.out_step);
  }
  return moves;
}

bool run_depth_to_space(RunContext& ctx) {
  if (ctx.portable() || !can_move(ctx, 0)) return false;
  const std::int64_t b = block_of(ctx.node());
  const Dims x = ctx.shape(0);
  if (x.size() != 4 || x[1] % (b * b) != 0) return false;
  const Dims shape{x[0], x[1] / (b * b), x[2] * b, x[3] * b};
  run_moves(ctx, 0, 0, to_space(shape, b, is_crd(ctx.node())), shape);
  return true;
}

bool run_space_to_depth(RunContext& ctx) {
  if (ctx.portable() || !can_move(ctx, 0)) return false;
  const std::int64_t b = block_of(ctx.node());
  const Dims x = ctx.shape(0);
  if (x.size() != 4 || x[2] % b != 0 || x[3] % b != 0) return false;
  run_moves(ctx, 0, 0, to_depth(x, b, is_crd(ctx.node())), {x[0], x[1] * b * b, x[2] / b, x[3] / b});
  return true;
}

void depth_to_space_gradient(GradientContext& ctx) {
  moved_gradient(ctx, 0, 0, to_space(ctx.out_shape(0), block_of(ctx.node()), is_crd(ctx.node())));
}

void space_to_depth_gradient(GradientContext& ctx) {
  moved_gradient(ctx, 0, 0, to_depth(ctx.in_shape(0), block_of(ctx.node()), is_crd(ctx.node())));
}

}  // namespace

void register_depth_to_space(OpTable& table) {
  table.add({.type = "DepthToSpace",
             .infer = infer_depth_to_space,
             .compute = compute_depth_to_space,
             .channels = channels_depth_to_space,
             .run = run_depth_to_space,
             .gradient = depth_to_space_gradient});
  table.add({.type = "SpaceToDepth",
             .infer = infer_space_to_depth,
             .compute = compute_space_to_depth,
             .channels = channels_space_to_depth,
             .run = run_space_to_depth,
             .gradient = space_to_depth_gradient});
}

}  // namespace compressor::ops
