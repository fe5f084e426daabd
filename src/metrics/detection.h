// detection: a box that a network found, and thinning out those that found the same thing.
#pragma once

#include <cstdint>
#include <vector>

#include "compressor/data/sample.h"

namespace compressor::metrics {

struct Detection {
  Box box;  ///< label: the model's class index, later the data set's
  double score = 0;
};

/// Area of both over area of either; 0 when either has none.
double iou(const Box& a, const Box& b);
/// Area of both over the area of `found`: how COCO holds a box against a crowd.
double covered(const Box& found, const Box& crowd);

/// Greedy non-maximum suppression within each class: from the highest score down, a box whose IoU with a kept
/// one of its class is above `threshold` goes. Looks at the best `most` boxes of a class (0: all). The result
/// is ordered by score; equal scores stay in the order given.
std::vector<Detection> suppress(std::vector<Detection> found, double threshold, std::int64_t most = 0);

}  // namespace compressor::metrics
