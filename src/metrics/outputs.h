// outputs: which of a model's outputs a metric reads, and reading it as floats.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "compressor/metrics/metric.h"

namespace compressor::metrics {

/// The elements of a numeric tensor as float: in place where they are aligned float32, else converted.
class Floats {
 public:
  explicit Floats(const Tensor& tensor);
  std::span<const float> all() const { return converted_.empty() ? view_.as<float>() : converted_; }
  /// `count` elements from `first`.
  std::span<const float> at(std::size_t first, std::size_t count) const {
    return all().subspan(first, count);
  }

 private:
  BytesView view_;
  std::vector<float> converted_;
};

/// "output 'logits' (float32 1x10)".
std::string describe(const std::string& name, const Tensor& tensor);
/// "a (float32 1x10), b (int64 1)".
std::string describe(const Outputs& outputs);

/// The output that a metric reads: the one named `wanted`, or when that is empty the one that `fits` likes
/// best (0: not at all). Among equals one whose name speaks of logits, probabilities or scores is taken if it
/// is the only such. Throws Error::usage, beginning with `where`, that says what there is and what was
/// `expected`.
const std::pair<std::string, Tensor>& choose_output(const std::string& where, const Outputs& outputs,
                                                    const std::string& wanted, const std::string& expected,
                                                    const std::function<int(const Tensor&)>& fits);
/// The output of that name; throws Error::usage with a suggestion.
const std::pair<std::string, Tensor>& named_output(const std::string& where, const Outputs& outputs,
                                                   const std::string& name);

/// The shape without axes of size 1, but for the first axis.
Dims squeezed(const Dims& shape);

}  // namespace compressor::metrics
