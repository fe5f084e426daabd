// Resize, Upsample: another number of pixels, by scales or by sizes.
#include "ops/resize.h"

#include <algorithm>
#include <cmath>

#include "compressor/ops/channels.h"
#include "ops/expect.h"

namespace compressor::ops {
namespace {

bool crops(const Node& node) {
  return node.string_or("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize";
}

/// An input that is there and not an empty placeholder.
bool given(const InferContext& ctx, std::size_t i) {
  if (!ctx.has(i)) return false;
  const Facts& f = ctx.in(i);
  return !(f.ranked && f.rank() == 1 && f.dims[0] == SymDim(0));
}

std::optional<std::vector<float>> scales_of(const InferContext& ctx, const ResizeInputs& which) {
  if (which.scales == 99) return ctx.node().floats_or("scales", {});
  const Tensor* constant = ctx.constant(which.scales);
  return constant ? std::optional(to_floats(*constant)) : std::nullopt;
}

SymDim scaled(const InferContext& ctx, const SymDim& length, float scale) {
  if (!(scale > 0)) ctx.fail("scale is {}, expected a positive number", scale);
  if (length.is_number()) {
    const double y = std::floor(static_cast<float>(length.number()) * scale);
    if (y > 1e15) ctx.fail("scale {} is out of range", scale);
    return static_cast<std::int64_t>(y);
  }
  const float whole = std::round(scale);
  if (whole == scale && whole < 1e6F) return length * static_cast<std::int64_t>(whole);
  const float parts = std::round(1 / scale);  // 0.5, 0.25: exact where the symbol is divisible
  return 1 / parts == scale ? length.divided_by(static_cast<std::int64_t>(parts)) : SymDim();
}

void by_scales(InferContext& ctx, const ResizeInputs& which, const std::vector<std::int64_t>& axes,
               SymDims& y) {
  const SymDims x = y;
  const auto scales = scales_of(ctx, which);
  if (!scales) {
    for (const std::int64_t axis : axes) y[static_cast<std::size_t>(axis)] = {};
    return;
  }
  if (scales->size() != axes.size()) ctx.fail("found {} scales, expected {}", scales->size(), axes.size());
  const Tensor* roi = crops(ctx.node()) ? ctx.constant(which.roi) : nullptr;
  const std::vector<float> box = roi ? to_floats(*roi) : std::vector<float>();
  for (std::size_t i = 0; i < axes.size(); ++i) {
    SymDim& d = y[static_cast<std::size_t>(axes[i])];
    if (!crops(ctx.node())) {
      d = scaled(ctx, d, (*scales)[i]);
    } else if (box.size() == 2 * axes.size() && d.is_number()) {
      const float part = box[i + axes.size()] - box[i];
      d = static_cast<std::int64_t>(std::floor(static_cast<float>(d.number()) * part * (*scales)[i]));
    } else {
      d = {};
    }
  }
}

void by_sizes(InferContext& ctx, const ResizeInputs& which, const std::vector<std::int64_t>& axes,
              SymDims& y) {
  const SymDims* sizes = ctx.contents(which.sizes);
  if (!sizes) {
    for (const std::int64_t axis : axes) y[static_cast<std::size_t>(axis)] = {};
    return;
  }
  if (sizes->size() != axes.size()) ctx.fail("found {} sizes, expected {}", sizes->size(), axes.size());
  const std::string policy = ctx.node().string_or("keep_aspect_ratio_policy", "stretch");
  if (policy == "stretch") {
    for (std::size_t i = 0; i < axes.size(); ++i) y[static_cast<std::size_t>(axes[i])] = (*sizes)[i];
    return;
  }
  // One scale for all axes: the smallest that any size asks for, or the largest.
  float scale = 0;
  bool known = true;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const SymDim& d = y[static_cast<std::size_t>(axes[i])];
    known = known && d.is_number() && d.number() > 0 && (*sizes)[i].is_number();
    if (!known) break;
    const float s = static_cast<float>((*sizes)[i].number()) / static_cast<float>(d.number());
    scale = i == 0 ? s : policy == "not_larger" ? std::min(scale, s) : std::max(scale, s);
  }
  for (const std::int64_t axis : axes) {
    SymDim& d = y[static_cast<std::size_t>(axis)];
    d = known ? SymDim(static_cast<std::int64_t>(std::floor(scale * static_cast<float>(d.number()) + 0.5F)))
              : SymDim();
  }
}

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  const ResizeInputs which = resize_inputs(ctx.node(), ctx.opset());
  if (!x.ranked) {
    const SymDims* sizes = which.sizes != 99 ? ctx.contents(which.sizes) : nullptr;
    if (sizes && !sizes->empty() && !ctx.node().attribute("axes")) return ctx.set(0, x.dtype, *sizes);
    return ctx.set_unranked(0, x.dtype);
  }
  SymDims y = x.dims;
  const std::vector<std::int64_t> axes = resized_axes(ctx.node(), x.rank());
  if (which.sizes != 99 && given(ctx, which.sizes)) {
    by_sizes(ctx, which, axes, y);
  } else if (which.scales == 99 || given(ctx, which.scales)) {
    by_scales(ctx, which, axes, y);
  } else {
    ctx.fail("has neither scales nor sizes");
  }
  ctx.set(0, x.dtype, std::move(y));
}

// Taps of the interpolation for every output.
Cost cost(const CostContext& ctx) {
  const std::string mode = ctx.node().string_or("mode", "nearest");
  const double taps = mode == "nearest" ? 0 : mode == "cubic" ? 32 : 8;
  return {.macs = 0, .flops = taps * ctx.out_size(0)};
}

// An axis that keeps its length is left as it is, unless a box is cut out of it.
void channels(ChannelContext& ctx) {
  const bool crop = crops(ctx.node());
  for (std::int64_t axis = 0; axis < ctx.in(0).rank(); ++axis) {
    const std::int64_t n = ctx.in_dim(0, axis);
    if (n >= 0 && n == ctx.out_dim(0, axis) && !crop) {
      ctx.pass(0, axis, 0, axis);
    } else {
      ctx.freeze(0, axis, "this axis is resized");
    }
  }
}

void shrink(ShrinkContext& ctx) {
  const ResizeInputs which = resize_inputs(ctx.node(), ctx.opset());
  if (which.sizes == 99 || !ctx.has(which.sizes)) return;
  const Facts& sizes = ctx.in(which.sizes);
  if (sizes.ranked && sizes.rank() == 1 && sizes.dims[0] == SymDim(0)) return;
  const std::vector<std::int64_t> axes = resized_axes(ctx.node(), ctx.in(0).rank());
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (!ctx.kept_out(0, axes[i])) continue;
    ctx.set_element(which.sizes, static_cast<std::int64_t>(i), ctx.new_out_dim(0, axes[i]));
  }
}

}  // namespace

void register_resize(OpTable& table) {
  for (const char* type : {"Resize", "Upsample"}) {
    table.add({.type = type,
               .infer = infer,
               .cost = cost,
               .compute = compute_resize,
               .channels = channels,
               .shrink = shrink,
               .run = run_resize,
               .gradient = resize_gradient,
               .keep = {.inputs = 0b1110}});
  }
}

}  // namespace compressor::ops
