// regions: bins of a region, by their largest pixel or by samples between pixels.
#include "ops/regions.h"

#include <algorithm>

#include "compressor/kernels/in_parallel.h"
#include "ops/real.h"

namespace compressor::ops {
namespace {

struct Sizes {
  std::int64_t images = 0, channels = 0, height = 0, width = 0;
  std::int64_t regions = 0, out_height = 0, out_width = 0;
};

Sizes sizes_of(const ComputeContext& ctx, std::int64_t columns, std::int64_t out_height,
               std::int64_t out_width) {
  const Dims& x = ctx.in(0).shape;
  const Dims& regions = ctx.in(1).shape;
  if (x.size() != 4) ctx.fail("input has rank {}, expected 4", x.size());
  if (regions.size() != 2 || regions[1] != columns) {
    ctx.fail("regions are {}, expected {} columns", to_string(regions), columns);
  }
  if (out_height < 1 || out_width < 1) ctx.fail("size of the output is not two positive numbers");
  return {x[0], x[1], x[2], x[3], regions[0], out_height, out_width};
}

std::int64_t checked_image(const ComputeContext& ctx, std::int64_t image, const Sizes& s) {
  if (image < 0 || image >= s.images) ctx.fail("a region is in image {}, but there are {}", image, s.images);
  return image;
}

/// Pixels [first, last) of bin `i` of `count` over `length` pixels from `start`, cut to the image.
std::pair<std::int64_t, std::int64_t> bin(std::int64_t i, std::int64_t count, std::int64_t start,
                                          std::int64_t length, std::int64_t limit) {
  const float size = static_cast<float>(length) / static_cast<float>(count);
  const auto first = static_cast<std::int64_t>(std::floor(static_cast<float>(i) * size)) + start;
  const auto last = static_cast<std::int64_t>(std::ceil(static_cast<float>(i + 1) * size)) + start;
  return {std::clamp<std::int64_t>(first, 0, limit), std::clamp<std::int64_t>(last, 0, limit)};
}

std::int64_t rounded(float v) {
  return static_cast<std::int64_t>(std::round(std::clamp(v, -1e9F, 1e9F)));
}

template <class T>
T largest(const T* plane, const Sizes& s, std::pair<std::int64_t, std::int64_t> rows,
          std::pair<std::int64_t, std::int64_t> columns) {
  if (rows.first >= rows.second || columns.first >= columns.second) return T{};
  T top = plane[rows.first * s.width + columns.first];
  for (std::int64_t y = rows.first; y < rows.second; ++y) {
    for (std::int64_t x = columns.first; x < columns.second; ++x) top = std::max(top, plane[y * s.width + x]);
  }
  return top;
}

/// Four pixels around a sample.
struct Sample {
  std::int64_t offset[4] = {};
  double weight[4] = {};
};

/// Low pixel, high pixel and the share of the high one.
struct Between {
  std::int64_t low = 0, high = 0;
  double share = 0;
};

Between between(double v, std::int64_t length) {
  v = std::max(v, 0.0);
  const auto low = static_cast<std::int64_t>(v);
  if (low >= length - 1) return {length - 1, length - 1, 0};
  return {low, low + 1, v - static_cast<double>(low)};
}

/// A sample more than one pixel outside of the image is nothing.
Sample sample_at(double y, double x, const Sizes& s) {
  const bool inside =
      y >= -1 && y <= static_cast<double>(s.height) && x >= -1 && x <= static_cast<double>(s.width);
  if (!inside) return {};
  const Between rows = between(y, s.height);
  const Between columns = between(x, s.width);
  return {{rows.low * s.width + columns.low, rows.low * s.width + columns.high,
           rows.high * s.width + columns.low, rows.high * s.width + columns.high},
          {(1 - rows.share) * (1 - columns.share), (1 - rows.share) * columns.share,
           rows.share * (1 - columns.share), rows.share * columns.share}};
}

/// Samples of every bin of one region, bin after bin.
struct Samples {
  std::vector<Sample> list;
  std::int64_t each = 0;  ///< of a bin
};

struct Alignment {
  float scale = 1;
  bool half_pixel = true;
  std::int64_t ratio = 0;  ///< samples along each side of a bin; 0: as many as it has pixels
};

Samples samples_of(const float* region, const Alignment& a, const Sizes& s) {
  const float shift = a.half_pixel ? 0.5F : 0;
  const float left = region[0] * a.scale - shift;
  const float top = region[1] * a.scale - shift;
  float width = region[2] * a.scale - shift - left;
  float height = region[3] * a.scale - shift - top;
  if (!a.half_pixel) {
    width = std::max(width, 1.0F);
    height = std::max(height, 1.0F);
  }
  const float bin_height = height / static_cast<float>(s.out_height);
  const float bin_width = width / static_cast<float>(s.out_width);
  const auto along = [&a](float size) {
    if (a.ratio > 0) return a.ratio;
    return static_cast<std::int64_t>(std::ceil(std::clamp(size, 0.0F, 1e4F)));
  };
  const std::int64_t rows = along(bin_height);
  const std::int64_t columns = along(bin_width);
  Samples samples{{}, rows * columns};
  const auto at = [](float start, float size, std::int64_t i, std::int64_t k, std::int64_t count) {
    return static_cast<double>(start + static_cast<float>(i) * size +
                               (static_cast<float>(k) + 0.5F) * size / static_cast<float>(count));
  };
  for (std::int64_t i = 0; i < s.out_height * s.out_width; ++i) {
    for (std::int64_t r = 0; r < rows; ++r) {
      const double y = at(top, bin_height, i / s.out_width, r, rows);
      for (std::int64_t c = 0; c < columns; ++c) {
        samples.list.push_back(sample_at(y, at(left, bin_width, i % s.out_width, c, columns), s));
      }
    }
  }
  return samples;
}

/// One bin: the mean of its samples, or the largest share of any pixel, as runtimes have it.
template <class T>
T pooled(const T* plane, const Sample* first, std::int64_t count, bool max) {
  double result = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    double parts[4];
    for (int k = 0; k < 4; ++k)
      parts[k] = first[i].weight[k] * static_cast<double>(plane[first[i].offset[k]]);
    if (!max) {
      result += parts[0] + parts[1] + parts[2] + parts[3];
      continue;
    }
    const double top = *std::max_element(parts, parts + 4);
    result = i == 0 ? top : std::max(result, top);
  }
  return static_cast<T>(max ? result : result / static_cast<double>(std::max<std::int64_t>(count, 1)));
}

}  // namespace

void compute_max_roi_pool(ComputeContext& ctx) {
  const std::vector<std::int64_t> size = ctx.node().ints_or("pooled_shape", {});
  if (size.size() != 2) ctx.fail("pooled_shape has {} numbers, expected 2", size.size());
  const Sizes s = sizes_of(ctx, 5, size[0], size[1]);
  const float scale = ctx.node().float_or("spatial_scale", 1);
  const Elements<float> regions(ctx.in(1));
  with_real(ctx, ctx.in(0).dtype, [&]<class T>(T) {
    const Elements<T> x(ctx.in(0));
    Result<T> y(ctx.in(0).dtype, {s.regions, s.channels, s.out_height, s.out_width});
    for (std::int64_t r = 0; r < s.regions; ++r) {
      const float* region = regions.data() + r * 5;
      const std::int64_t image = checked_image(ctx, rounded(region[0]), s);
      const std::int64_t left = rounded(region[1] * scale);
      const std::int64_t top = rounded(region[2] * scale);
      const std::int64_t width = std::max<std::int64_t>(rounded(region[3] * scale) - left + 1, 1);
      const std::int64_t height = std::max<std::int64_t>(rounded(region[4] * scale) - top + 1, 1);
      for (std::int64_t c = 0; c < s.channels; ++c) {
        const T* plane = x.data() + (image * s.channels + c) * s.height * s.width;
        T* to = y.data() + (r * s.channels + c) * s.out_height * s.out_width;
        for (std::int64_t i = 0; i < s.out_height * s.out_width; ++i) {
          to[i] = largest(plane, s, bin(i / s.out_width, s.out_height, top, height, s.height),
                          bin(i % s.out_width, s.out_width, left, width, s.width));
        }
      }
    }
    ctx.set(0, y.finish());
  });
}

void compute_roi_align(ComputeContext& ctx) {
  const Node& node = ctx.node();
  const Sizes s = sizes_of(ctx, 4, node.int_or("output_height", 1), node.int_or("output_width", 1));
  if (s.height < 1 || s.width < 1) ctx.fail("input {} has no pixels", to_string(ctx.in(0).shape));
  const std::vector<std::int64_t> images = to_ints(ctx.in(2));
  if (static_cast<std::int64_t>(images.size()) != s.regions) {
    ctx.fail("batch_indices has {} numbers, expected {}", images.size(), s.regions);
  }
  const std::string mode = node.string_or("mode", "avg");
  if (mode != "avg" && mode != "max") ctx.fail("mode is '{}', expected avg or max", mode);
  Alignment a{.scale = node.float_or("spatial_scale", 1),
              .half_pixel = false,
              .ratio = node.int_or("sampling_ratio", 0)};
  if (ctx.opset() >= 16)
    a.half_pixel = node.string_or("coordinate_transformation_mode", "half_pixel") == "half_pixel";
  const Elements<float> regions(ctx.in(1));
  with_real(ctx, ctx.in(0).dtype, [&]<class T>(T) {
    const Elements<T> x(ctx.in(0));
    Result<T> y(ctx.in(0).dtype, {s.regions, s.channels, s.out_height, s.out_width});
    const std::int64_t bins = s.out_height * s.out_width;
    for (std::int64_t r = 0; r < s.regions; ++r) {
      const std::int64_t image = checked_image(ctx, images[static_cast<std::size_t>(r)], s);
      const Samples samples = samples_of(regions.data() + r * 4, a, s);
      kernels::in_parallel(s.channels * bins * samples.each > kParallelWork, s.channels, [&](std::int64_t c) {
        const T* plane = x.data() + (image * s.channels + c) * s.height * s.width;
        T* to = y.data() + (r * s.channels + c) * bins;
        for (std::int64_t i = 0; i < bins; ++i) {
          to[i] = pooled(plane, samples.list.data() + i * samples.each, samples.each, mode == "max");
        }
      });
    }
    ctx.set(0, y.finish());
  });
}

}  // namespace compressor::ops
