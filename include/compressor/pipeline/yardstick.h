// yardstick: what became of a model's outputs, and of what they are worth on data, in a changed model.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "compressor/analysis/compare.h"
#include "compressor/analysis/evaluate.h"

namespace compressor {

/// Goes through the inputs that models are measured on: the same ones each time.
struct YardstickBatch {
  const Executor::Feeds& feeds;
  const Batch* batch = nullptr;  ///< the samples; null without data
  std::int64_t rows = 0;         ///< as ModelData::Visit
};
using YardstickInputs = std::function<void(const std::function<void(const YardstickBatch&)>& visit)>;

/// One model, measured.
struct Reading {
  double noise = 0;               ///< noise over signal at the worst of the outputs; 0: equal
  std::vector<Measured> metrics;  ///< in the order asked for
  std::int64_t samples = 0;
  double snr_db() const;
};

/// Runs a reference once and then other models on the same inputs. Outputs of the reference are kept in
/// memory where they fit.
class Yardstick {
 public:
  /// `data` may be null, then there are no metrics. All references must outlive it.
  Yardstick(const Model& reference, YardstickInputs inputs, const Dataset* data,
            std::vector<std::string> metrics);
  ~Yardstick();
  Yardstick(const Yardstick&) = delete;
  Yardstick& operator=(const Yardstick&) = delete;

  /// The reference itself.
  const Reading& reference() const { return first_; }
  /// Throws Error::usage when the outputs cannot be compared.
  Reading read(const Model& model) const;
  /// How much worse the metric is than the reference's, in its own unit; below 0: better.
  double drop(const Reading& reading, std::size_t metric = 0) const;

 private:
  class Meter;
  const Model& model_;
  YardstickInputs inputs_;
  const Dataset* data_;
  std::vector<std::string> metrics_;
  std::vector<std::vector<Tensor>> kept_;  ///< outputs of the first batches, as many as fit
  std::unique_ptr<Executor> executor_;
  Reading first_;
};

}  // namespace compressor
