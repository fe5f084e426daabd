// compare: how far one model is from another on the same inputs, at the outputs and value by value.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compressor/engine/executor.h"

namespace compressor {

/// Sums over all samples of one value x of the first model and its counterpart y in the second.
struct Difference {
  double signal = 0;                     ///< sum of x^2
  double noise = 0;                      ///< sum of (y - x)^2; infinite once only one of both was a number
  double product = 0;                    ///< sum of x y
  double own = 0;                        ///< sum of y^2
  double largest = 0;                    ///< max |x|
  double max_abs = 0;                    ///< max |y - x|
  std::int64_t rows = 0, same_rows = 0;  ///< rank 2: rows, and rows with their largest number in one place

  void add(const Tensor& x, const Tensor& y, std::uint64_t count);
  /// Noise over signal: 0 when equal, infinite for noise without a signal.
  double ratio() const;
  /// In dB; infinite when equal.
  double snr() const;
  /// 1 when both are zero, 0 when one is.
  double cosine() const;
  /// max |y - x| / max |x|.
  double relative() const;
  /// Of rank 2: share of rows in [0, 1].
  std::optional<double> agreement() const;
};

struct ComparedValue {
  std::string name;  ///< in the first model
  std::string op;    ///< that computes it there; empty for outputs
  Difference difference;
  bool selected = false;  ///< only the indices that the second model kept were compared
  /// Noise over signal of the worst of what the operator reads, values without a counterpart looked through;
  /// 0 where nothing before it differs.
  double before = 0;
  /// Noise over signal that is not there before: where errors enter.
  double entered() const;
};

struct Comparison {
  std::vector<ComparedValue> outputs;  ///< in the first graph's order
  std::vector<ComparedValue> layers;   ///< values of equal name; most noise entered first
  /// Values of the first graph that could not be compared, and why.
  std::vector<std::pair<std::string, std::string>> left_out;
  std::int64_t samples = 0;
};

/// Of a weight of the first model, by name: for axes that were cut, the indices that the second still has.
using KeptIndices = std::map<std::string, std::map<std::int64_t, std::vector<std::int64_t>>>;

struct CompareOptions {
  bool layers = true;
  KeptIndices kept = {};
};

/// One batch: feeds by the first model's names. `rows` along the batch axis, of which the first `samples` are
/// looked at; both 0: everything counts, as one sample.
struct ComparedBatch {
  const Executor::Feeds& feeds;
  std::int64_t samples = 0, rows = 0;
};
using ComparedBatches = std::function<void(const std::function<void(const ComparedBatch&)>& visit)>;

/// Runs both models, batch by batch; holds one batch's values of the first. Inputs and outputs belong
/// together by name, else by order. Throws Error::usage when they cannot, or when outputs differ in shape
/// beyond what `kept` says.
Comparison compare_models(const Model& first, const Model& second, const CompareOptions& options,
                          const ComparedBatches& batches);

}  // namespace compressor
