// measured: the inputs that models are measured on again and again: samples of data, or seeded numbers.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "compressor/data/data_options.h"
#include "compressor/pipeline/yardstick.h"

namespace compressor::cli {

struct MeasuredInputs {
  std::string said;                       ///< what they are, for people
  std::shared_ptr<const Dataset> data;    ///< null for random inputs
  std::shared_ptr<const ModelData> feed;  ///< the same
  YardstickInputs visit;
};

/// Samples of the data at `path`, its test part where there is one; kept in memory where they fit. `model`
/// must outlive the result. `samples` 0: all. `shapes`: of states that the model leaves open.
MeasuredInputs inputs_of_data(const Model& model, const DataOptions& data, const std::string& path,
                              std::int64_t samples,
                              const std::map<std::string, std::vector<std::int64_t>>& shapes);
/// `count` random inputs, one after the other.
MeasuredInputs random_inputs(const Model& model, std::int64_t count,
                             const std::map<std::string, std::vector<std::int64_t>>& shapes,
                             std::uint64_t seed);

}  // namespace compressor::cli
