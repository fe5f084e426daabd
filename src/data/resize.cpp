// resize: each output pixel is a weighted sum of input pixels, first along the rows and then along the
// columns.
//
//   bilinear   two pixels around the centre (i + 1/2) s - 1/2, s the ratio of the sizes; in OpenCV's fixed
//   point,
//              to the bit: weights of 11 bits, the last 4 of a row's sums dropped, then the last 16
//   antialias  a triangle of half-width max(s, 1) around (i + 1/2) s, as PIL has it, rounded between the two
//   passes
#include "data/resize.h"

#include <algorithm>
#include <cmath>

#include "compressor/base/error.h"

namespace compressor::data {
namespace {

// The input pixels first..first + n of an output pixel, and their weights.
struct Taps {
  std::vector<std::int64_t> first;
  std::vector<float> weights;  ///< `width` each, zero where fewer are needed
  std::int64_t width = 0;
};

Taps nearest_taps(std::int64_t in, std::int64_t out, double ratio) {
  Taps taps;
  taps.width = 1;
  for (std::int64_t i = 0; i < out; ++i) {
    const auto at = static_cast<std::int64_t>((static_cast<double>(i) + 0.5) * ratio);
    taps.first.push_back(std::min(at, in - 1));
    taps.weights.push_back(1);
  }
  return taps;
}

Taps triangle_taps(std::int64_t in, std::int64_t out, double ratio, double half_width) {
  Taps taps;
  taps.width = std::min<std::int64_t>(in, static_cast<std::int64_t>(std::ceil(half_width)) * 2 + 1);
  taps.weights.resize(static_cast<std::size_t>(out * taps.width));
  for (std::int64_t i = 0; i < out; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * ratio;
    const auto low = static_cast<std::int64_t>(std::max(0.0, std::floor(centre - half_width + 0.5)));
    const std::int64_t first = std::clamp<std::int64_t>(low, 0, in - taps.width);
    taps.first.push_back(first);
    float* weights = &taps.weights[static_cast<std::size_t>(i * taps.width)];
    double sum = 0;
    for (std::int64_t k = 0; k < taps.width; ++k) {
      const double away = std::abs(static_cast<double>(first + k) + 0.5 - centre) / half_width;
      weights[k] = static_cast<float>(std::max(0.0, 1 - away));
      sum += weights[k];
    }
    for (std::int64_t k = 0; k < taps.width; ++k) weights[k] = static_cast<float>(weights[k] / sum);
  }
  return taps;
}

Taps taps_of(std::int64_t in, std::int64_t out, Preprocess::Filter filter) {
  const double ratio = static_cast<double>(in) / static_cast<double>(out);
  if (filter == Preprocess::Filter::kNearest) return nearest_taps(in, out, ratio);
  const bool shrinks = filter == Preprocess::Filter::kAntialias && ratio > 1;
  return triangle_taps(in, out, ratio, shrinks ? ratio : 1);
}

float rounded(float v) {
  return std::floor(std::clamp(v, 0.0F, 255.0F) + 0.5F);
}

// One row of pixels along x.
void stretch_row(const std::uint8_t* in, float* out, std::int64_t channels, const Taps& taps) {
  for (std::size_t x = 0; x < taps.first.size(); ++x) {
    const std::uint8_t* from = in + taps.first[x] * channels;
    const float* weights = &taps.weights[x * static_cast<std::size_t>(taps.width)];
    for (std::int64_t c = 0; c < channels; ++c) {
      float sum = 0;
      for (std::int64_t k = 0; k < taps.width; ++k) sum += weights[k] * from[k * channels + c];
      *out++ = sum;
    }
  }
}

// Weights of two pixels as whole numbers of 2048.
struct FixedTaps {
  std::vector<std::int64_t> first, second;
  std::vector<std::int32_t> near, far;
};

FixedTaps fixed_taps(std::int64_t in, std::int64_t out) {
  constexpr float kOne = 2048;
  FixedTaps taps;
  const double ratio = static_cast<double>(in) / static_cast<double>(out);
  for (std::int64_t i = 0; i < out; ++i) {
    auto at = static_cast<float>((static_cast<double>(i) + 0.5) * ratio - 0.5);
    auto first = static_cast<std::int64_t>(std::floor(at));
    at -= static_cast<float>(first);
    if (first < 0) first = 0, at = 0;
    if (first >= in - 1) first = in - 1, at = 0;
    taps.first.push_back(first);
    taps.second.push_back(std::min(first + 1, in - 1));
    taps.near.push_back(static_cast<std::int32_t>(std::lrint((1 - at) * kOne)));
    taps.far.push_back(static_cast<std::int32_t>(std::lrint(at * kOne)));
  }
  return taps;
}

void stretch_row(const std::uint8_t* in, std::int32_t* out, std::int64_t channels, const FixedTaps& taps) {
  for (std::size_t x = 0; x < taps.first.size(); ++x) {
    for (std::int64_t c = 0; c < channels; ++c)
      *out++ =
          in[taps.first[x] * channels + c] * taps.near[x] + in[taps.second[x] * channels + c] * taps.far[x];
  }
}

Image bilinear(const Image& image, std::int64_t height, std::int64_t width) {
  const FixedTaps across = fixed_taps(image.width, width), down = fixed_taps(image.height, height);
  Image result(height, width, image.channels);
  const std::size_t row = result.row_size();
  std::vector<std::int32_t> upper(row), lower(row);
  std::int64_t upper_at = -1, lower_at = -1;
  for (std::int64_t y = 0; y < height; ++y) {
    const auto i = static_cast<std::size_t>(y);
    if (lower_at == down.first[i]) std::swap(upper, lower), std::swap(upper_at, lower_at);
    if (upper_at != down.first[i])
      stretch_row(image.row(upper_at = down.first[i]), upper.data(), image.channels, across);
    if (lower_at != down.second[i])
      stretch_row(image.row(lower_at = down.second[i]), lower.data(), image.channels, across);
    std::uint8_t* out = result.row(y);
    for (std::size_t k = 0; k < row; ++k) {
      const std::int32_t sum =
          ((down.near[i] * (upper[k] >> 4)) >> 16) + ((down.far[i] * (lower[k] >> 4)) >> 16);
      out[k] = static_cast<std::uint8_t>(std::clamp((sum + 2) >> 2, 0, 255));
    }
  }
  return result;
}

}  // namespace

Image resized(const Image& image, std::int64_t height, std::int64_t width, Preprocess::Filter filter) {
  CHECK(height > 0 && width > 0);
  if (height == image.height && width == image.width) return image;
  if (filter == Preprocess::Filter::kBilinear) return bilinear(image, height, width);
  const Taps across = taps_of(image.width, width, filter), down = taps_of(image.height, height, filter);
  Image result(height, width, image.channels);
  const std::size_t row = result.row_size();
  // Only the stretched rows that an output row needs are kept, each in the place of its number.
  std::vector<float> rows(row * static_cast<std::size_t>(down.width)), sums(row);
  const auto row_at = [&](std::int64_t y) { return &rows[row * static_cast<std::size_t>(y % down.width)]; };
  std::int64_t ready = 0;
  for (std::int64_t y = 0; y < height; ++y) {
    const std::int64_t first = down.first[static_cast<std::size_t>(y)];
    for (ready = std::max(ready, first); ready < first + down.width; ++ready) {
      float* stretched = row_at(ready);
      stretch_row(image.row(ready), stretched, image.channels, across);
      if (filter == Preprocess::Filter::kAntialias)
        std::transform(stretched, stretched + row, stretched, rounded);
    }
    std::fill(sums.begin(), sums.end(), 0.0F);
    for (std::int64_t k = 0; k < down.width; ++k) {
      const float weight = down.weights[static_cast<std::size_t>(y * down.width + k)];
      const float* from = row_at(first + k);
      if (weight == 0) continue;
      for (std::size_t i = 0; i < row; ++i) sums[i] += weight * from[i];
    }
    std::transform(sums.begin(), sums.end(), result.row(y),
                   [](float v) { return static_cast<std::uint8_t>(rounded(v)); });
  }
  return result;
}

Image in_order(const Image& image, Preprocess::Order order) {
  if (order == Preprocess::Order::kKeep) return image;
  const std::size_t pixels = static_cast<std::size_t>(image.height * image.width);
  const bool grey_in = image.channels == 1, grey_out = order == Preprocess::Order::kGrey;
  if ((grey_in && grey_out) || (!grey_in && order == Preprocess::Order::kRgb)) return image;
  Image result(image.height, image.width, grey_out ? 1 : 3);
  for (std::size_t i = 0; i < pixels; ++i) {
    const std::uint8_t* in = &image.pixels[grey_in ? i : 3 * i];
    if (grey_out) {  // ITU-R 601, as PIL rounds it
      result.pixels[i] =
          static_cast<std::uint8_t>((in[0] * 19595U + in[1] * 38470U + in[2] * 7471U + 0x8000U) >> 16U);
      continue;
    }
    std::uint8_t* out = &result.pixels[3 * i];
    for (std::size_t c = 0; c < 3; ++c) out[c] = grey_in ? in[0] : in[2 - c];
  }
  return result;
}

}  // namespace compressor::data
