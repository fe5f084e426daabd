// closeness: how near outputs are to those of another model, or to a target that the data set gives.
#pragma once

#include <memory>

#include "compressor/metrics/metric.h"

namespace compressor::metrics {

/// Sums over all elements of one output and its reference.
struct Closeness {
  double signal = 0;   ///< sum of r^2
  double noise = 0;    ///< sum of (x - r)^2
  double product = 0;  ///< sum of x r
  double own = 0;      ///< sum of x^2
  double largest = 0;  ///< max of |x - r|, NaN once there was one
  void add(double x, double r);
  void add(const Closeness& other);
};

/// 10 log10(signal / noise) in dB: infinite without noise, minus infinity for noise without a signal.
double snr(const Closeness& sums);
/// Cosine of the angle between both: 1 when both are zero, 0 when one is.
double cosine(const Closeness& sums);
double max_abs(const Closeness& sums);

/// The worst over the outputs. They are compared with Targets::reference by name (by order where the names
/// have nothing in common), else one output [N, ...] with the samples' targets.
std::unique_ptr<Metric> make_closeness(const MetricInfo& info, const MetricContext& context,
                                       double (*number)(const Closeness&));

}  // namespace compressor::metrics
