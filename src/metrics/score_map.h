// score_map: the class of every pixel, from a segmentation network's output.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compressor/data/image.h"
#include "compressor/tensor/tensor.h"
#include "metrics/outputs.h"

namespace compressor::metrics {

/// Scores [N, C, H, W] or [N, H, W, C], or class indices [N, H, W] (integers, a further axis of size 1 does
/// not matter). Where H x W is not the mask's size, scores are resized bilinearly (half-pixel centres, as the
/// networks' own evaluations do) and indices by the nearest pixel.
class ScoreMap {
 public:
  /// How well a tensor can be one: 0 not at all. `layout` is auto, nchw or nhwc.
  static int fit(const Tensor& tensor, std::int64_t rows, const std::string& layout, const Image& mask);

  /// `tensor` must fit. `mask` tells the two layouts apart.
  ScoreMap(const Tensor& tensor, const std::string& layout, const Image& mask);
  /// C; 0 when the output holds class indices.
  std::int64_t classes() const { return classes_; }
  /// The classes of row y of a picture of the given size. Of equal scores the lower class wins.
  const std::vector<std::int64_t>& row(std::int64_t sample, std::int64_t y, std::int64_t height,
                                       std::int64_t width);

 private:
  void resized(std::int64_t sample, std::int64_t c, std::int64_t y, std::int64_t height, std::int64_t width);
  float score(std::int64_t sample, std::int64_t c, std::int64_t y, std::int64_t x) const {
    return scores_
        .all()[static_cast<std::size_t>(sample * per_sample_ + c * step_c_ + y * step_y_ + x * step_x_)];
  }

  Floats scores_;
  std::int64_t classes_ = 0, height_ = 0, width_ = 0;
  std::int64_t per_sample_ = 0, step_c_ = 0, step_y_ = 0, step_x_ = 0;
  std::vector<std::int64_t> best_;
  std::vector<float> most_, line_;
};

}  // namespace compressor::metrics
