// sample: one example of a data set, what is true of it, and how its picture was fitted into the network's.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compressor/data/frames.h"
#include "compressor/data/image.h"
#include "compressor/tensor/tensor.h"

namespace compressor {

/// A box in pixels, continuous coordinates: the first pixel reaches from 0 to 1, x2 and y2 are the far edges.
struct Box {
  double x1 = 0, y1 = 0, x2 = 0, y2 = 0;
  std::int64_t label = 0;  ///< index into Dataset::classes()
  bool difficult = false;  ///< Pascal VOC: neither counted as found nor as missed
  bool crowd = false;      ///< COCO: a region with many objects
  /// COCO: the object's own area where the file gives one, else that of the box.
  double area = 0;
};

/// What is true of a sample; empty where the data set does not say.
struct Truth {
  std::optional<std::int64_t> label;      ///< class index
  std::optional<std::vector<Box>> boxes;  ///< in pixels of the source picture; may hold none
  /// Class index of every pixel, one channel. In a Sample of the source picture's size, in a Batch fitted
  /// like the picture (nearest pixel; what lies outside is kOutside).
  std::optional<Image> mask;
  std::optional<std::string> text;  ///< what is written or said
  /// Any other array: next tokens [T] int64 (kNoTarget where nothing is asked), the array `target` of
  /// an npz.
  std::optional<Tensor> target;
  std::optional<FrameTruth> frame;  ///< where the sample is a frame of a sound

  static constexpr std::uint8_t kOutside = 255;
  static constexpr std::int64_t kNoTarget = -1;
};

/// One example as it lies in the data set: a picture, or arrays.
struct Sample {
  std::string name;  ///< file, or file[index]: what errors and reports call it
  /// Samples that follow one another in the same one carry a model's state on; a new number begins anew.
  std::int64_t sequence = 0;
  std::optional<Image> image;
  /// By the model's input name, without the batch axis. The empty name is the model's only input.
  std::map<std::string, Tensor> tensors;
  Truth truth;
};

/// How a source picture was laid into the network's input: network = source * scale + offset, then mirrored.
struct Geometry {
  std::int64_t source_height = 0, source_width = 0;
  std::int64_t height = 0, width = 0;  ///< the network's
  double scale_x = 1, scale_y = 1;
  double offset_x = 0, offset_y = 0;  ///< positive where padded, negative where cropped
  bool mirrored = false;              ///< left and right are swapped, after the above

  /// From the network's pixels to the source's, cut at the edges of the picture; the other fields stay.
  Box to_source(const Box& box) const;
  /// From the source's pixels to the network's, cut at the edges.
  Box to_network(const Box& box) const;
};

}  // namespace compressor
