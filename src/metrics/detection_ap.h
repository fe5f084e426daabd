// detection_ap: average precision of the boxes that a decoder reads from a network's outputs.
#pragma once

#include <memory>
#include <optional>

#include "compressor/metrics/metric.h"

namespace compressor::metrics {

/// By COCO's rules (see coco_ap.h), at one IoU (0.5, 0.55, ... 0.95) or the mean over all ten.
std::unique_ptr<Metric> make_detection_ap(const MetricInfo& info, const MetricContext& context,
                                          std::optional<double> iou);

}  // namespace compressor::metrics
