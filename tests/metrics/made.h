// made: targets, tensors and outcomes that the tests of metrics are made from.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "compressor/base/error.h"
#include "compressor/base/random.h"
#include "compressor/metrics/metric.h"

namespace compressor::made {

/// Seeds print themselves when a test fails.
class Seeded : public Random {
 public:
  explicit Seeded(std::uint64_t seed)
      : Random(seed), trace_(__FILE__, __LINE__, "seed " + std::to_string(seed)) {
    ::testing::Test::RecordProperty("seed", std::to_string(seed));
  }
  double between(double low, double high) { return low + (high - low) * uniform(); }

 private:
  ::testing::ScopedTrace trace_;
};

inline std::vector<float> noise(Random& random, std::size_t count, double scale = 1) {
  std::vector<float> values(count);
  for (float& v : values) v = static_cast<float>(scale * random.normal());
  return values;
}

inline Outputs output(const std::string& name, const Dims& shape, const std::vector<float>& values) {
  return {{name, Tensor::of(shape, std::span<const float>(values))}};
}
inline Outputs output(const std::string& name, const Dims& shape, const std::vector<std::int64_t>& values) {
  return {{name, Tensor::of(shape, std::span<const std::int64_t>(values))}};
}

inline std::vector<BatchItem> items(std::size_t count) {
  std::vector<BatchItem> result(count);
  for (std::size_t i = 0; i < count; ++i) {
    result[i].index = static_cast<std::int64_t>(i);
    result[i].name = "sample" + std::to_string(i);
  }
  return result;
}

inline std::vector<BatchItem> labelled(const std::vector<std::int64_t>& labels) {
  std::vector<BatchItem> result = items(labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i) result[i].truth.label = labels[i];
  return result;
}

/// The message of the usage error that `run` throws; a failure when it throws none.
template <class F>
std::string refused(F run) {
  try {
    run();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was refused";
  return "";
}

inline double once(const std::string& text, const Outputs& outputs, const std::vector<BatchItem>& items,
                   const MetricContext& context = {}) {
  const auto metric = make_metric(text, context);
  metric->update(outputs, {.items = items});
  return metric->value();
}

}  // namespace compressor::made
