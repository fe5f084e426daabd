// target_test: the types of activations that targets take, and what ONNX Runtime makes of a file for each of
// them.
#include <gtest/gtest.h>

#include "builder.h"
#include "compressor/base/error.h"
#include "passes/quantize/residual.h"
#include "passes/quantize/static_run.h"
#include "referee.h"

namespace compressor::quantize {
namespace {

using build::Net;
using build::residual;

TEST(Target, SixteenBitsHaveTheirTypesAndOpset) {
  for (const DType type : {DType::kInt16, DType::kUint16}) {
    Model model = residual();
    run_with(model, with_activation(target_of("generic"), type));
    EXPECT_EQ(model.opset(), 21);
    for (const Node& node : model.graph->nodes()) {
      if (!node.is("QuantizeLinear")) continue;
      const Tensor zero = *constant_of(*node.input(2));
      EXPECT_EQ(zero.dtype, type);
      EXPECT_TRUE(type == DType::kUint16 || to_doubles(zero)[0] == 0) << "symmetric";
    }
  }
}

// ONNX Runtime makes a float bias between pairs int32 by itself, at the scale of input times weight, whether
// that has room for it or not.
TEST(TargetReferee, SixteenBitsWithALargeBiasStayRight) {
  REQUIRE_REFEREE();
  Net n;
  const std::vector<float> w = {1e-9F, 1e-9F, 1, -1};
  const std::vector<float> b = {7, 1};
  n.output(n.conv_with(n.input("x", {1, 2, 2, 2}), n.constant(Tensor::of({2, 2, 1, 1}, std::span(w))),
                       n.constant(Tensor::of({2}, std::span(b))), {.kernel = 1}));
  const Model before = n.done();
  Model after = before.clone();
  run_with(after, with_activation(target_of("generic"), DType::kInt16));
  const judge::Difference d = judge::difference(before, after);
  EXPECT_EQ(d.error, "");
  EXPECT_LT(d.max_rel, 1e-2);
}

TEST(Target, ATargetRefusesActivationsThatItDoesNotTake) {
  EXPECT_THROW(with_activation(target_of("trt"), DType::kUint8), Error);
  EXPECT_THROW(with_activation(target_of("tflite"), DType::kInt16), Error);
  EXPECT_EQ(with_activation(target_of("ort-cpu"), DType::kInt8).activation, DType::kInt8);
}

TEST(TargetReferee, SixteenBitsAreFinerThanEight) {
  REQUIRE_REFEREE();
  const Model before = residual();
  const auto noise = [&](DType type) {
    Model after = before.clone();
    run_with(after, with_activation(target_of("generic"), type));
    const judge::Difference d = judge::difference(before, after);
    EXPECT_EQ(d.error, "") << name(type);
    return d.sqnr_db;
  };
  const double eight = noise(DType::kUint8);
  EXPECT_GT(noise(DType::kInt8), 10);
  EXPECT_GT(noise(DType::kInt16), eight);
  EXPECT_GT(noise(DType::kUint16), eight);
}

TEST(TargetReferee, EveryTargetLoadsAndComputesNearly) {
  REQUIRE_REFEREE();
  const Model before = residual();
  for (const std::string& target : target_names()) {
    Model after = before.clone();
    run_with(after, target_of(target));
    const judge::Difference d = judge::difference(before, after);
    EXPECT_EQ(d.error, "") << target;
    EXPECT_GT(d.sqnr_db, 10) << target;
    EXPECT_GT(d.max_abs, 0) << target;
  }
}

TEST(TargetReferee, OnnxRuntimeFusesConvolutionsAndSums) {
  REQUIRE_REFEREE();
  for (const char* target : {"generic", "ort-cpu", "ort-cpu-avx2"}) {
    Model model = residual();
    run_with(model, target_of(target));
    const judge::OpCounts ops = judge::optimized_ops(model);
    EXPECT_EQ(ops.of("QLinearConv"), 3) << ops;
    EXPECT_EQ(ops.of("QLinearAdd"), 1) << ops;
    EXPECT_EQ(ops.of("Conv"), 0) << ops;
    EXPECT_EQ(ops.of("Relu"), 0) << ops;
  }
}

}  // namespace
}  // namespace compressor::quantize
