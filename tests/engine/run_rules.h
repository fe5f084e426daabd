// run_rules: the engine's fast rules against the portable kernels, at one and at two threads.
//
//   Net net;
//   net.output(net.op("MaxPool", {net.input("x", {2, 3, 7, 7})}, {...}));
//   expect_fast_as_portable(net.done());
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "builder.h"
#include "compressor/base/random.h"
#include "compressor/base/threads.h"
#include "compressor/engine/executor.h"

namespace compressor::build {

struct RunCheck {
  std::uint64_t seed = 5;
  double tolerance = 2e-5;  ///< of the output's largest number
  double low = -2, high = 2;
  std::map<std::string, Tensor> feeds = {};
};

inline Executor::Feeds feeds_of(const Model& model, const RunCheck& check) {
  Random random(check.seed);
  Executor::Feeds feeds;
  for (const Value* v : model.graph->inputs()) {
    if (v->initializer()) continue;
    const auto given = check.feeds.find(v->name());
    if (given != check.feeds.end()) {
      feeds[v->name()] = given->second;
      continue;
    }
    Dims dims;
    for (const Dim& d : v->type().dims) dims.push_back(d.known() ? d.value : 2);
    std::vector<double> numbers(num_elements(dims));
    for (double& x : numbers) x = check.low + (check.high - check.low) * random.uniform();
    feeds[v->name()] = Tensor::of(v->type().dtype, dims, numbers);
  }
  return feeds;
}

inline void expect_near(const Tensor& found, const Tensor& expected, double tolerance) {
  ASSERT_EQ(found.dtype, expected.dtype);
  ASSERT_EQ(found.shape, expected.shape);
  const std::vector<double> a = to_doubles(found);
  const std::vector<double> b = to_doubles(expected);
  double top = 1e-6;
  for (const double v : b) top = std::isfinite(v) ? std::max(top, std::fabs(v)) : top;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
    ASSERT_NEAR(a[i], b[i], tolerance * top) << "at " << i << " of " << to_string(found.shape);
  }
}

/// The same numbers as the portable kernels, and the same bits at one and at two threads and on a second run.
inline void expect_fast_as_portable(const Model& model, const RunCheck& check = {}) {
  std::cout << "seed " << check.seed << "\n";
  const Executor::Feeds feeds = feeds_of(model, check);
  ExecutorOptions options;
  options.portable = true;
  const std::vector<ops::RunValue> expected = Executor(model, options).run(feeds);
  options.portable = false;
  const int before = threads();
  std::vector<ops::RunValue> first;
  for (const int count : {1, 2}) {
    set_threads(count);
    Executor executor(model, options);
    for (int again = 0; again < 2; ++again) {
      const std::vector<ops::RunValue> found = executor.run(feeds);
      ASSERT_EQ(found.size(), expected.size());
      for (std::size_t i = 0; i < found.size(); ++i) {
        expect_near(found[i].tensor, expected[i].tensor, check.tolerance);
        if (first.empty()) continue;
        const BytesView a = found[i].tensor.bytes.view();
        const BytesView b = first[i].tensor.bytes.view();
        EXPECT_TRUE(a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0)
            << "output " << i << ": other bits at " << count << " threads, run " << again;
      }
      if (first.empty()) first = found;
    }
  }
  set_threads(before);
}

/// x as it is given (plain), or what a convolution makes of it (channels-last).
inline V maybe_convolved(Net& net, const Dims& dims, bool channels_last) {
  V x = net.input("x", dims);
  if (!channels_last) return x;
  return net.conv(x, dims[1], dims[1],
                  {.kernel = 1, .bias = true, .dims = static_cast<std::int64_t>(dims.size()) - 2});
}

}  // namespace compressor::build
