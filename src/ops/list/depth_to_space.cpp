// DepthToSpace, SpaceToDepth: blocks of channels become blocks of pixels, and back.
//
//   DepthToSpace  [N, C, H, W] -> [N, C / b^2, H b, W b]    C = (b, b, C') (DCR) or (C', b, b) (CRD)
//   SpaceToDepth  [N, C, H, W] -> [N, b^2 C, H / b, W / b]  b^2 C = (b, b, C)
#include "compressor/ops/channels.h"
#include "ops/expect.h"

namespace compressor::ops {
namespace {

std::int64_t block_of(const Node& node) {
  const std::int64_t b = node.int_or("blocksize", 0);
  if (b < 1 || b > (1 << 20)) {
    throw Error::model("node '{}' ({}): blocksize is {}, expected at least 1", node.label(), node.op(), b);
  }
  return b;
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
  const std::string mode = ctx.node().string_or("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") ctx.fail("mode is '{}', expected DCR or CRD", mode);
  expect_rank(ctx, x, "input", 4, 4);
  if (!x.ranked) return ctx.set(0, x.dtype, SymDims(4));
  ctx.set(0, x.dtype,
          {x.dims[0], quotient(ctx, x.dims[1], b * b, "number of channels"), x.dims[2] * b, x.dims[3] * b});
}

void infer_space_to_depth(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  const std::int64_t b = block_of(ctx.node());
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
  const bool crd = ctx.node().string_or("mode", "DCR") == "CRD";
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
  const std::vector<Places> axes{{}, c};
  const std::vector<std::int64_t> lengths{b * b, static_cast<std::int64_t>(c.size())};
  ctx.set_out(0, 1, ctx.atoms().merge(axes, lengths));
}

}  // namespace

void register_depth_to_space(OpTable& table) {
  table.add({.type = "DepthToSpace", .infer = infer_depth_to_space, .channels = channels_depth_to_space});
  table.add({.type = "SpaceToDepth", .infer = infer_space_to_depth, .channels = channels_space_to_depth});
}

}  // namespace compressor::ops
