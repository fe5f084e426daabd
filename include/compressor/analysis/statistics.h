// statistics: what the values of a network look like on data, gathered in one streaming pass.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "compressor/engine/executor.h"
#include "compressor/kernels/summary.h"

namespace compressor {

/// One value over all samples seen. Memory does not grow with their number.
struct ValueStatistics {
  kernels::Summary all;
  kernels::Histogram histogram;
  /// Mean over batches of each batch's smallest and largest number, the later ones weighing more:
  /// m <- (1 - momentum) m + momentum x, from the first batch on.
  double moving_min = 0, moving_max = 0;
  /// Along axis 1 (of rank 2 and more; the last axis where `last_axis`): [C]. Empty where that axis has other
  /// lengths in other batches.
  std::vector<float> channel_min, channel_max;
  std::vector<double> channel_sum, channel_magnitude, channel_squares;  ///< sums of x, |x| and x^2
  double channel_count = 0;                                             ///< numbers per channel
  bool channels_vary = false;
  std::int64_t batches = 0;

  double mean() const { return all.count ? all.sum / static_cast<double>(all.count) : 0; }
  double variance() const;
  double zero_share() const;
};

/// X X^T of a layer's input, X [K, columns]: for Conv K = C_in / groups * kernel (group by group), the
/// order of a weight's row; for MatMul and Gemm the contracted axis.
struct SecondMoment {
  std::int64_t k = 0, groups = 1;
  std::int64_t columns = 0;
  std::vector<float> sums;  ///< [groups, K, K], row-major, symmetric
};

struct StatisticsRequest {
  std::vector<const Value*> values;         ///< float32 values, inputs and those of bodies included
  std::vector<const Node*> second_moments;  ///< Conv, MatMul and Gemm nodes
  /// Second moments take in at most so many places of a sample, which change from sample to sample; 0: all.
  std::int64_t places = 0;
  bool channels = false;   ///< fill the channel_* members
  bool last_axis = false;  ///< channels lie along the last axis
  int bins = 4096;
  double momentum = 0.1;
  /// Bytes that histograms and second moments may take together; what does not fit is gathered in further
  /// passes over the samples. 0: no limit.
  std::uint64_t max_memory = 0;
};

/// Gives every batch of feeds to `visit`, in order; is called once for each pass.
using Samples = std::function<void(const std::function<void(const Executor::Feeds&)>& visit)>;

struct Statistics {
  std::map<const Value*, ValueStatistics> values;
  std::map<const Node*, SecondMoment> moments;
  std::int64_t batches = 0;
  int passes = 0;
};

/// Runs the model on the samples. The same bits at any number of threads. Throws Error::usage where a single
/// second moment is larger than max_memory.
Statistics collect_statistics(const Model& model, const StatisticsRequest& request, const Samples& samples);

}  // namespace compressor
