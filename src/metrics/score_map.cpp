// score_map: the class of every pixel, from a segmentation network's output.
#include "metrics/score_map.h"

#include <algorithm>
#include <cmath>

namespace compressor::metrics {
namespace {

enum class Kind : std::uint8_t { kNone, kIndices, kChannelsFirst, kChannelsLast };

bool is_size(std::int64_t h, std::int64_t w, const Image& mask) {
  return h == mask.height && w == mask.width;
}

Kind kind_of(const Tensor& tensor, const std::string& layout, const Image& mask) {
  const Dims& s = tensor.shape;
  if (is_integer(tensor.dtype)) {
    const bool plain = s.size() == 3 || (s.size() == 4 && (s[1] == 1 || s[3] == 1));
    return plain ? Kind::kIndices : Kind::kNone;
  }
  if (!is_float(tensor.dtype) || s.size() != 4) return Kind::kNone;
  const bool last =
      layout == "nhwc" || (layout == "auto" && is_size(s[1], s[2], mask) && !is_size(s[2], s[3], mask));
  if ((last ? s[3] : s[1]) < 2) return Kind::kNone;
  return last ? Kind::kChannelsLast : Kind::kChannelsFirst;
}

}  // namespace

int ScoreMap::fit(const Tensor& tensor, std::int64_t rows, const std::string& layout, const Image& mask) {
  const Kind kind = kind_of(tensor, layout, mask);
  if (kind == Kind::kNone || tensor.shape[0] != rows || tensor.size() == 0) return 0;
  const Dims s = squeezed(tensor.shape);
  const bool same = kind == Kind::kChannelsFirst ? is_size(tensor.shape[2], tensor.shape[3], mask)
                                                 : s.size() > 2 && is_size(s[1], s[2], mask);
  return same ? 2 : 1;
}

ScoreMap::ScoreMap(const Tensor& tensor, const std::string& layout, const Image& mask) : scores_(tensor) {
  const Kind kind = kind_of(tensor, layout, mask);
  const Dims& s = tensor.shape;
  if (kind == Kind::kChannelsFirst) {
    classes_ = s[1], height_ = s[2], width_ = s[3];
    step_c_ = height_ * width_, step_y_ = width_, step_x_ = 1;
  } else if (kind == Kind::kChannelsLast) {
    height_ = s[1], width_ = s[2], classes_ = s[3];
    step_c_ = 1, step_y_ = width_ * classes_, step_x_ = classes_;
  } else {
    const std::size_t first = s.size() == 4 && s[1] == 1 && s[3] != 1 ? 2 : 1;
    height_ = s[first], width_ = s[first + 1];
    step_y_ = width_, step_x_ = 1;
  }
  per_sample_ = height_ * width_ * std::max<std::int64_t>(classes_, 1);
}

void ScoreMap::resized(std::int64_t sample, std::int64_t c, std::int64_t y, std::int64_t height,
                       std::int64_t width) {
  if (height == height_ && width == width_) {
    for (std::int64_t x = 0; x < width; ++x) line_[static_cast<std::size_t>(x)] = score(sample, c, y, x);
    return;
  }
  const auto source = [](std::int64_t i, std::int64_t from, std::int64_t to) {
    return std::clamp(
        (static_cast<double>(i) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5, 0.0,
        static_cast<double>(from - 1));
  };
  const double v = source(y, height_, height);
  const auto y0 = static_cast<std::int64_t>(v);
  const std::int64_t y1 = std::min(y0 + 1, height_ - 1);
  const double dy = v - static_cast<double>(y0);
  for (std::int64_t x = 0; x < width; ++x) {
    const double u = source(x, width_, width);
    const auto x0 = static_cast<std::int64_t>(u);
    const std::int64_t x1 = std::min(x0 + 1, width_ - 1);
    const double dx = u - static_cast<double>(x0);
    const auto mix = [&](std::int64_t at) {
      return (1 - dx) * static_cast<double>(score(sample, c, at, x0)) +
             dx * static_cast<double>(score(sample, c, at, x1));
    };
    line_[static_cast<std::size_t>(x)] = static_cast<float>((1 - dy) * mix(y0) + dy * mix(y1));
  }
}

const std::vector<std::int64_t>& ScoreMap::row(std::int64_t sample, std::int64_t y, std::int64_t height,
                                               std::int64_t width) {
  const auto count = static_cast<std::size_t>(width);
  best_.assign(count, 0);
  if (classes_ == 0) {
    for (std::int64_t x = 0; x < width; ++x)
      best_[static_cast<std::size_t>(x)] = static_cast<std::int64_t>(
          std::clamp(score(sample, 0, y * height_ / height, x * width_ / width), -1.F, 1e6F));
    return best_;
  }
  line_.resize(count);
  resized(sample, 0, y, height, width);
  most_ = line_;
  for (std::int64_t c = 1; c < classes_; ++c) {
    resized(sample, c, y, height, width);
    for (std::size_t x = 0; x < count; ++x) {
      if (!(line_[x] > most_[x])) continue;
      most_[x] = line_[x];
      best_[x] = c;
    }
  }
  return best_;
}

}  // namespace compressor::metrics
