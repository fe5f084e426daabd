// A large batch that goes through its first steps a few samples at a time, against the portable kernels.
#include "compressor/kernels/memory.h"
#include "engine/run_rules.h"

namespace compressor::build {
namespace {

constexpr std::int64_t kBatch = 11;  // no number of samples divides it
const Dims kImages{kBatch, 3, 96, 96};

/// Convolutions with a sum around two of them.
V backbone(Net& net, V x) {
  x = net.cbr(x, 3, 16);
  V y = net.cbr(x, 16, 16);
  y = net.bn(net.conv(y, 16, 16), 16);
  return net.relu(net.add(y, x));
}

std::uint64_t peak_of(const Model& model, const ExecutorOptions& options) {
  Executor executor(model, options);
  const Executor::Feeds feeds = feeds_of(model, {});
  executor.run(feeds);
  kernels::reset_peak();
  const std::uint64_t before = kernels::memory_use().live;
  executor.run(feeds);
  return kernels::memory_use().peak - before;
}

TEST(Slices, AreAsTheWhole) {
  Net net;
  net.output(net.linear(net.gap(backbone(net, net.input("x", kImages))), 16, 5));
  expect_fast_as_portable(net.done());
}

TEST(Slices, HoldAFewSamplesAtATime) {
  Net net;
  net.output(net.linear(net.gap(backbone(net, net.input("x", kImages))), 16, 5));
  const Model model = net.done();
  const std::uint64_t one = std::uint64_t{16} * 96 * 96 * sizeof(float);
  const std::uint64_t whole = peak_of(model, {.fuse = false});
  if (whole == 0) GTEST_SKIP() << "the heap does not count here (sanitizer)";
  EXPECT_LT(peak_of(model, {}), one * kBatch * 3 / 2);
  EXPECT_GT(whole, one * kBatch * 2);
}

TEST(Slices, GiveValuesThatAreReadLater) {
  Net net;
  const V x = net.input("x", kImages);
  const V y = backbone(net, x);
  const V pooled = net.op("MaxPool", {y}, {attr("kernel_shape", Ints{2, 2}), attr("strides", Ints{2, 2})});
  net.output(pooled);
  // Samples meet: no slice goes further, and both values are whole.
  net.output(net.op("ReduceMean", {y}, {attr("axes", Ints{0})}));
  net.output(net.op("Softmax", {pooled}, {attr("axis", std::int64_t{0})}));
  net.output(net.op("Neg", {x}));
  expect_fast_as_portable(net.done());
}

TEST(Slices, StopAtConstantsOfOneSampleEach) {
  Net net;
  const V y = backbone(net, net.input("x", kImages));
  const V shared = net.add(y, net.weight({1, 16, 1, 1}));
  net.output(net.relu(net.add(shared, net.weight({kBatch, 16, 1, 1}))));
  expect_fast_as_portable(net.done());
}

TEST(Slices, StopWhereSamplesAreLaidTogether) {
  Net net;
  const V y = backbone(net, net.input("x", kImages));
  const V z = backbone(net, net.input("z", kImages));
  const V side = net.op("Concat", {y, z}, {attr("axis", std::int64_t{1})});
  net.output(net.op("Concat", {side, side}, {attr("axis", std::int64_t{0})}));
  expect_fast_as_portable(net.done());
}

TEST(Slices, NeedInputsOfOneBatch) {
  Net net;
  const V y = backbone(net, net.input("x", kImages));
  net.output(net.op("Mul", {y, net.input("gain", {1, 16, 1, 1})}));
  expect_fast_as_portable(net.done());
}

}  // namespace
}  // namespace compressor::build
