// resize_setting: what a node of Resize or Upsample says, version by version.
#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include "ops/axis_back.h"
#include "ops/resize.h"

namespace compressor::ops {
namespace {

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

}  // namespace

ResizeInputs resize_inputs(const Node& node, std::int64_t opset) {
  if (node.op() == "Upsample") return {99, opset < 9 ? std::size_t{99} : 1, 99};
  if (opset < 11) return {99, 1, 99};
  return {1, 2, 3};
}

std::vector<std::int64_t> resized_axes(const Node& node, std::int64_t rank) {
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

namespace {

/// Every axis' lengths and scale, for an input of that shape.
std::vector<ResizedAxis> plan_of(const ComputeContext& ctx, const Dims& x) {
  const ResizeInputs which = resize_inputs(ctx.node(), ctx.opset());
  const std::vector<std::int64_t> axes = resized_axes(ctx.node(), static_cast<std::int64_t>(x.size()));
  const bool crop = how_of(ctx).coordinates == Resampling::Coordinates::kTfCropAndResize;
  std::vector<ResizedAxis> all;
  for (const std::int64_t length : x) all.push_back({.in = length, .out = length});
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
  return all;
}

}  // namespace

void compute_resize(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const std::vector<ResizedAxis> all = plan_of(ctx, x.shape);
  ctx.set(0, resize(x, how_of(ctx), all, ctx.node().float_or("extrapolation_value", 0)));
}

bool run_resize(RunContext& ctx) {
  if (ctx.portable() || ctx.dtype(0) != DType::kFloat || ctx.layout(0) != Layout::kChannelsLast) return false;
  std::vector<const Tensor*> inputs{nullptr};
  for (std::size_t i = 1; i < ctx.num_inputs(); ++i) inputs.push_back(ctx.has(i) ? &ctx.in(i) : nullptr);
  const ComputeContext settings(ctx.node(), ctx.opset(), std::move(inputs));
  std::vector<ResizedAxis> all = plan_of(settings, ctx.shape(0));
  if (all.size() < 3) return false;
  std::rotate(all.begin() + 1, all.begin() + 2, all.end());
  Tensor x = ctx.in(0, Layout::kChannelsLast);
  std::rotate(x.shape.begin() + 1, x.shape.begin() + 2, x.shape.end());
  Tensor y = resize(x, how_of(settings), all, ctx.node().float_or("extrapolation_value", 0));
  std::rotate(y.shape.begin() + 1, y.shape.end() - 1, y.shape.end());
  ctx.set(0, {std::move(y), Layout::kChannelsLast});
  return true;
}

void resize_gradient(GradientContext& ctx) {
  std::vector<const Tensor*> inputs{nullptr};
  for (std::size_t i = 1; i < ctx.num_inputs(); ++i) inputs.push_back(ctx.has(i) ? &ctx.in(i) : nullptr);
  const ComputeContext settings(ctx.node(), ctx.opset(), std::move(inputs));
  const Resampling how = how_of(settings);
  if (how.coordinates == Resampling::Coordinates::kTfCropAndResize) {
    ctx.fail("the gradient of a crop is not available");
  }
  std::vector<std::optional<AxisTaps>> taps;
  for (const ResizedAxis& axis : plan_of(settings, ctx.in_shape(0))) {
    const bool stays = axis.in == axis.out && axis.scale == 1;
    taps.push_back(stays ? std::nullopt : std::optional(resample(how, axis)));
  }
  gradient_along_axes(ctx, taps);
}

}  // namespace compressor::ops
