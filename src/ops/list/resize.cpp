// Resize, Upsample: another number of pixels, by scales or by sizes.
#include "ops/resize.h"

#include <algorithm>
#include <cmath>

#include "compressor/ops/channels.h"
#include "ops/expect.h"

namespace compressor::ops {
namespace {

/// Which inputs say what, in the version at hand; 99: none does.
struct Inputs {
  std::size_t roi = 99, scales = 99, sizes = 99;
};

Inputs inputs_of(const Node& node, std::int64_t opset) {
  if (node.op() == "Upsample") return {99, opset < 9 ? std::size_t{99} : 1, 99};
  if (opset < 11) return {99, 1, 99};
  return {1, 2, 3};
}

/// The axes that scales and sizes speak of.
std::vector<std::int64_t> axes_of(const Node& node, std::int64_t rank) {
  std::vector<std::int64_t> axes = node.ints_or("axes", {});
  if (axes.empty()) {
    for (std::int64_t i = 0; i < rank; ++i) axes.push_back(i);
  }
  for (std::int64_t& axis : axes) {
    if (axis < -rank || axis >= rank) {
      throw Error::model("node '{}' ({}): axis {} is outside a tensor of rank {}", node.label(), node.op(),
                         axis, rank);
    }
    if (axis < 0) axis += rank;
  }
  return axes;
}

bool crops(const Node& node) {
  return node.string_or("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize";
}

/// An input that is there and not an empty placeholder.
bool given(const InferContext& ctx, std::size_t i) {
  if (!ctx.has(i)) return false;
  const Facts& f = ctx.in(i);
  return !(f.ranked && f.rank() == 1 && f.dims[0] == SymDim(0));
}

std::optional<std::vector<float>> scales_of(const InferContext& ctx, const Inputs& which) {
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

void by_scales(InferContext& ctx, const Inputs& which, const std::vector<std::int64_t>& axes, SymDims& y) {
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

void by_sizes(InferContext& ctx, const Inputs& which, const std::vector<std::int64_t>& axes, SymDims& y) {
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
  const Inputs which = inputs_of(ctx.node(), ctx.opset());
  if (!x.ranked) {
    const SymDims* sizes = which.sizes != 99 ? ctx.contents(which.sizes) : nullptr;
    if (sizes && !sizes->empty() && !ctx.node().attribute("axes")) return ctx.set(0, x.dtype, *sizes);
    return ctx.set_unranked(0, x.dtype);
  }
  SymDims y = x.dims;
  const std::vector<std::int64_t> axes = axes_of(ctx.node(), x.rank());
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
  const Inputs which = inputs_of(ctx.node(), ctx.opset());
  if (which.sizes == 99 || !ctx.has(which.sizes)) return;
  const Facts& sizes = ctx.in(which.sizes);
  if (sizes.ranked && sizes.rank() == 1 && sizes.dims[0] == SymDim(0)) return;
  const std::vector<std::int64_t> axes = axes_of(ctx.node(), ctx.in(0).rank());
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (!ctx.kept_out(0, axes[i])) continue;
    ctx.set_element(which.sizes, static_cast<std::int64_t>(i), ctx.new_out_dim(0, axes[i]));
  }
}

bool given(const ComputeContext& ctx, std::size_t i) {
  return ctx.has(i) && ctx.in(i).size() > 0;
}

/// The entry of `name` among `names`; fails naming them all.
template <class E>
E chosen(const ComputeContext& ctx, std::string_view attribute, const std::string& name,
         std::span<const std::pair<std::string_view, E>> names) {
  for (const auto& [known, value] : names) {
    if (name == known) return value;
  }
  ctx.fail("{} is '{}', which is not known", attribute, name);
}

Resampling::Mode mode_of(const ComputeContext& ctx) {
  static constexpr std::pair<std::string_view, Resampling::Mode> kModes[] = {
      {"nearest", Resampling::Mode::kNearest},
      {"linear", Resampling::Mode::kLinear},
      {"bilinear", Resampling::Mode::kLinear},
      {"cubic", Resampling::Mode::kCubic}};
  return chosen<Resampling::Mode>(ctx, "mode", ctx.node().string_or("mode", "nearest"), kModes);
}

Resampling how_of(const ComputeContext& ctx) {
  using Coordinates = Resampling::Coordinates;
  using Rounding = Resampling::Rounding;
  static constexpr std::pair<std::string_view, Coordinates> kCoordinates[] = {
      {"half_pixel", Coordinates::kHalfPixel},
      {"half_pixel_symmetric", Coordinates::kHalfPixelSymmetric},
      {"pytorch_half_pixel", Coordinates::kPytorchHalfPixel},
      {"align_corners", Coordinates::kAlignCorners},
      {"asymmetric", Coordinates::kAsymmetric},
      {"tf_half_pixel_for_nn", Coordinates::kTfHalfPixelForNn},
      {"tf_crop_and_resize", Coordinates::kTfCropAndResize}};
  static constexpr std::pair<std::string_view, Rounding> kRoundings[] = {
      {"round_prefer_floor", Rounding::kPreferFloor},
      {"round_prefer_ceil", Rounding::kPreferCeil},
      {"floor", Rounding::kFloor},
      {"ceil", Rounding::kCeil}};
  const Node& node = ctx.node();
  Resampling how{.mode = mode_of(ctx)};
  if (node.op() == "Upsample" || ctx.opset() < 11) {
    how.coordinates = Coordinates::kAsymmetric;
    how.rounding = Rounding::kSimple;
    return how;
  }
  how.coordinates =
      chosen<Coordinates>(ctx, "coordinate_transformation_mode",
                          node.string_or("coordinate_transformation_mode", "half_pixel"), kCoordinates);
  how.rounding =
      chosen<Rounding>(ctx, "nearest_mode", node.string_or("nearest_mode", "round_prefer_floor"), kRoundings);
  how.cubic = node.float_or("cubic_coeff_a", -0.75F);
  how.antialias = node.int_or("antialias", 0) != 0;
  how.exclude_outside = node.int_or("exclude_outside", 0) != 0;
  return how;
}

void set_sizes(const ComputeContext& ctx, const std::vector<std::int64_t>& sizes,
               const std::vector<std::int64_t>& axes, std::vector<ResizedAxis>& all) {
  if (sizes.size() != axes.size()) ctx.fail("found {} sizes, expected {}", sizes.size(), axes.size());
  const std::string policy = ctx.node().string_or("keep_aspect_ratio_policy", "stretch");
  float common = 0;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    ResizedAxis& axis = all[static_cast<std::size_t>(axes[i])];
    axis.out = sizes[i];
    axis.scale = axis.in > 0 ? static_cast<float>(sizes[i]) / static_cast<float>(axis.in) : 1;
    common = i == 0                   ? axis.scale
             : policy == "not_larger" ? std::min(common, axis.scale)
                                      : std::max(common, axis.scale);
  }
  if (policy == "stretch") return;
  for (const std::int64_t a : axes) {
    ResizedAxis& axis = all[static_cast<std::size_t>(a)];
    axis.scale = common;
    axis.out = static_cast<std::int64_t>(std::floor(common * static_cast<float>(axis.in) + 0.5F));
  }
}

void set_scales(const ComputeContext& ctx, const std::vector<float>& scales,
                const std::vector<std::int64_t>& axes, bool crop, std::vector<ResizedAxis>& all) {
  if (scales.size() != axes.size()) ctx.fail("found {} scales, expected {}", scales.size(), axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i) {
    ResizedAxis& axis = all[static_cast<std::size_t>(axes[i])];
    if (!(scales[i] > 0)) ctx.fail("scale is {}, expected a positive number", scales[i]);
    axis.scale = scales[i];
    const float part = crop ? axis.box_end - axis.box_begin : 1;
    const double out = std::floor(static_cast<float>(axis.in) * part * scales[i]);
    if (!(out >= 0 && out < 1e15)) ctx.fail("scale {} is out of range", scales[i]);
    axis.out = static_cast<std::int64_t>(out);
  }
}

void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const Inputs which = inputs_of(ctx.node(), ctx.opset());
  const std::vector<std::int64_t> axes = axes_of(ctx.node(), x.rank());
  const Resampling how = how_of(ctx);
  const bool crop = how.coordinates == Resampling::Coordinates::kTfCropAndResize;
  std::vector<ResizedAxis> all;
  for (const std::int64_t length : x.shape) all.push_back({.in = length, .out = length});
  if (crop && which.roi != 99) {
    const std::vector<float> box = to_floats(ctx.in(which.roi));
    if (box.size() != 2 * axes.size())
      ctx.fail("roi has {} numbers, expected {}", box.size(), 2 * axes.size());
    for (std::size_t i = 0; i < axes.size(); ++i) {
      all[static_cast<std::size_t>(axes[i])].box_begin = box[i];
      all[static_cast<std::size_t>(axes[i])].box_end = box[i + axes.size()];
    }
  }
  if (which.sizes != 99 && given(ctx, which.sizes)) {
    set_sizes(ctx, to_ints(ctx.in(which.sizes)), axes, all);
  } else if (which.scales == 99) {
    set_scales(ctx, ctx.node().floats_or("scales", {}), axes, crop, all);
  } else {
    if (!given(ctx, which.scales)) ctx.fail("has neither scales nor sizes");
    set_scales(ctx, to_floats(ctx.in(which.scales)), axes, crop, all);
  }
  for (const ResizedAxis& axis : all) {
    if (axis.out < 0 || (axis.in == 0 && axis.out > 0))
      ctx.fail("cannot bring {} pixels to {}", axis.in, axis.out);
  }
  ctx.set(0, resize(x, how, all, ctx.node().float_or("extrapolation_value", 0)));
}

}  // namespace

void register_resize(OpTable& table) {
  for (const char* type : {"Resize", "Upsample"}) {
    table.add({.type = type,
               .infer = infer,
               .cost = cost,
               .compute = compute,
               .channels = channels,
               .shrink = shrink});
  }
}

}  // namespace compressor::ops
