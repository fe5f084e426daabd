// preprocess: fitting a picture, and from its pixels to numbers.
#include "compressor/data/preprocess.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "compressor/base/error.h"
#include "data/decode.h"
#include "data/resize.h"

namespace compressor {
namespace {

using data::in_order;
using data::resized;

struct Size {
  std::int64_t height, width;
};

// Sizes that must not be a pixel short because a ratio is not exact in binary.
std::int64_t floor_of(double v) {
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(v + 1e-6));
}

// Nor one too long.
std::int64_t ceiling_of(double v) {
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(v - 1e-6)));
}

Size target_size(const Preprocess& p, const Image& image) {
  const double h = static_cast<double>(image.height), w = static_cast<double>(image.width);
  switch (p.resize) {
    case Preprocess::Resize::kNone:
      return {image.height, image.width};
    case Preprocess::Resize::kStretch:
      return {p.resize_height, p.resize_width};
    case Preprocess::Resize::kHeight: {
      const std::int64_t width = ceiling_of(w * static_cast<double>(p.resize_height) / h);
      return {p.resize_height, p.width > 0 ? std::min(width, p.width) : width};
    }
    case Preprocess::Resize::kShort: {
      const auto side = static_cast<double>(p.resize_height);
      if (h <= w) return {p.resize_height, floor_of(side * w / h)};
      return {floor_of(side * h / w), p.resize_height};
    }
    case Preprocess::Resize::kLetterbox: {
      const double ratio =
          std::min(static_cast<double>(p.resize_height) / h, static_cast<double>(p.resize_width) / w);
      return {std::min(p.resize_height, floor_of(h * ratio)), std::min(p.resize_width, floor_of(w * ratio))};
    }
  }
  return {};
}

// A picture of this size in which `image` lies at (top, left), either of them perhaps negative.
Image moved(const Image& image, Size size, std::int64_t top, std::int64_t left, std::uint8_t fill) {
  Image result(size.height, size.width, image.channels, fill);
  const std::int64_t x0 = std::max<std::int64_t>(0, left), x1 = std::min(size.width, left + image.width);
  for (std::int64_t y = std::max<std::int64_t>(0, top);
       y < std::min(size.height, top + image.height) && x0 < x1; ++y)
    std::memcpy(result.row(y) + x0 * image.channels, image.row(y - top) + (x0 - left) * image.channels,
                static_cast<std::size_t>((x1 - x0) * image.channels));
  return result;
}

std::int64_t middle(std::int64_t outer, std::int64_t inner) {
  return static_cast<std::int64_t>(std::nearbyint(static_cast<double>(outer - inner) / 2));
}

double channel_value(const std::vector<double>& values, std::int64_t channel) {
  return values.size() == 1 ? values[0] : values[static_cast<std::size_t>(channel)];
}

void check_channels(const Preprocess& p, std::int64_t channels, const std::string& name) {
  const std::array<std::pair<const char*, const std::vector<double>*>, 3> lists = {
      {{"scale", &p.scale}, {"mean", &p.mean}, {"std", &p.std}}};
  for (const auto& [key, values] : lists) {
    if (values->size() != 1 && values->size() != static_cast<std::size_t>(channels)) {
      throw Error::usage(
          "{}: the picture has {} channel{}, but preprocess {} has {} values; order=rgb or order=grey makes "
          "all pictures alike",
          name, channels, channels == 1 ? "" : "s", key, values->size());
    }
  }
}

}  // namespace

std::optional<std::pair<std::int64_t, std::int64_t>> Preprocess::fixed_size() const {
  if (crop_height > 0) return std::pair(crop_height + 2 * pad, crop_width + 2 * pad);
  if (resize == Resize::kStretch || resize == Resize::kLetterbox)
    return std::pair(resize_height + 2 * pad, resize_width + 2 * pad);
  if (resize == Resize::kHeight && width > 0) return std::pair(resize_height + 2 * pad, width + 2 * pad);
  return std::nullopt;
}

Image Preprocess::fit(const Image& image, const std::string& name, Geometry& geometry) const {
  geometry = {};
  geometry.source_height = image.height;
  geometry.source_width = image.width;
  const auto fill_pixel = static_cast<std::uint8_t>(std::clamp(std::nearbyint(fill), 0.0, 255.0));
  const auto move = [&](const Image& from, Size size, std::int64_t top, std::int64_t left) {
    geometry.offset_y += static_cast<double>(top);
    geometry.offset_x += static_cast<double>(left);
    return moved(from, size, top, left, fill_pixel);
  };

  const Size size = target_size(*this, image);
  data::check_picture_size(static_cast<std::uint64_t>(size.height), static_cast<std::uint64_t>(size.width),
                           name);
  Image fitted = resized(in_order(image, order), size.height, size.width, filter);
  geometry.scale_y = static_cast<double>(size.height) / static_cast<double>(image.height);
  geometry.scale_x = static_cast<double>(size.width) / static_cast<double>(image.width);
  if (resize == Resize::kLetterbox) {
    const std::int64_t top = letterbox_centre ? (resize_height - size.height) / 2 : 0;
    const std::int64_t left = letterbox_centre ? (resize_width - size.width) / 2 : 0;
    fitted = move(fitted, {resize_height, resize_width}, top, left);
  }
  if (resize == Resize::kHeight) {
    const std::int64_t least = std::max({fitted.width, width, min_width});
    const std::int64_t filled = (least + width_step - 1) / width_step * width_step;
    if (fitted.width < filled) fitted = move(fitted, {fitted.height, filled}, 0, 0);
  }
  if (crop_height > 0) {
    if (fitted.height < crop_height || fitted.width < crop_width) {
      throw Error::usage("{}: the picture is {}x{} where crop={}x{} cuts; resize it first", name,
                         fitted.height, fitted.width, crop_height, crop_width);
    }
    fitted = move(fitted, {crop_height, crop_width}, -middle(fitted.height, crop_height),
                  -middle(fitted.width, crop_width));
  }
  if (pad > 0) fitted = move(fitted, {fitted.height + 2 * pad, fitted.width + 2 * pad}, pad, pad);
  geometry.height = fitted.height;
  geometry.width = fitted.width;
  return fitted;
}

Image Preprocess::fit_mask(const Image& mask, const Geometry& geometry) {
  const auto source = [](std::int64_t i, double offset, double ratio) {
    return static_cast<std::int64_t>(std::floor((static_cast<double>(i) + 0.5 - offset) / ratio));
  };
  Image fitted(geometry.height, geometry.width, mask.channels, Truth::kOutside);
  for (std::int64_t y = 0; y < geometry.height; ++y) {
    const std::int64_t from_y = source(y, geometry.offset_y, geometry.scale_y);
    if (from_y < 0 || from_y >= mask.height) continue;
    for (std::int64_t x = 0; x < geometry.width; ++x) {
      const std::int64_t from_x =
          source(geometry.mirrored ? geometry.width - 1 - x : x, geometry.offset_x, geometry.scale_x);
      if (from_x >= 0 && from_x < mask.width) fitted.row(y)[x] = mask.row(from_y)[from_x];
    }
  }
  return fitted;
}

Tensor Preprocess::finish(const Image& fitted, const std::string& name) const {
  check_channels(*this, fitted.channels, name);
  const auto channels = static_cast<std::size_t>(fitted.channels);
  const auto pixels = static_cast<std::size_t>(fitted.height * fitted.width);
  const bool planes = layout == Layout::kNchw;
  std::vector<float> values(pixels * channels);
  for (std::size_t c = 0; c < channels; ++c) {
    std::array<float, 256> table = {};
    const auto channel = static_cast<std::int64_t>(c);
    for (std::size_t v = 0; v < table.size(); ++v)
      table[v] = static_cast<float>(
          (static_cast<double>(v) * channel_value(scale, channel) - channel_value(mean, channel)) /
          channel_value(std, channel));
    float* out = &values[planes ? c * pixels : c];
    const std::size_t step = planes ? 1 : channels;
    for (std::size_t i = 0; i < pixels; ++i) out[i * step] = table[fitted.pixels[i * channels + c]];
  }
  const Dims shape = planes ? Dims{fitted.channels, fitted.height, fitted.width}
                            : Dims{fitted.height, fitted.width, fitted.channels};
  if (dtype == DType::kFloat) return Tensor::of(shape, values);
  return Tensor::of(dtype, shape, std::vector<double>(values.begin(), values.end()));
}

Tensor Preprocess::apply(const Image& image, const std::string& name, Geometry& geometry) const {
  return finish(fit(image, name, geometry), name);
}

}  // namespace compressor
