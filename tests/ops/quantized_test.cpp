// quantized_test: kernels of 8-bit operators against exact sums and against ONNX Runtime.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "ops/judged.h"
#include "referee.h"

namespace compressor::ops {
namespace {

constexpr auto kI8 = DType::kInt8;
constexpr auto kU8 = DType::kUint8;
constexpr auto kMicrosoft = "com.microsoft";

Tensor codes(Draw& draw, DType type, const Dims& dims) {
  return type == kI8 ? draw.integers(kI8, dims, -128, 127) : draw.integers(kU8, dims, 0, 255);
}

/// Signed weights of 7 bits: with more, ONNX Runtime's own sums saturate on processors without VNNI.
Tensor weights(Draw& draw, DType type, const Dims& dims) {
  return type == kI8 ? draw.integers(kI8, dims, -64, 63) : codes(draw, type, dims);
}

TEST(IntegerProduct, IsExactWhereEightBitInstructionsSaturate) {
  const std::int64_t k = 700;
  const std::vector<double> a(static_cast<std::size_t>(k), 255);
  const std::vector<double> b(static_cast<std::size_t>(k), -128);
  Judged product("MatMulInteger");
  product.in(Tensor::of(kU8, {1, k}, a)).in(Tensor::of(kI8, {k, 1}, b));
  EXPECT_EQ(to_ints(*product.compute()[0]).at(0), 255 * -128 * k);
}

TEST(IntegerProduct, LongSumsWrap) {
  const std::int64_t k = 70000;
  const std::vector<double> full(static_cast<std::size_t>(k), 255);
  Judged product("MatMulInteger");
  product.in(Tensor::of(kU8, {1, k}, full)).in(Tensor::of(kU8, {k, 1}, full));
  const std::int64_t sum = 255 * 255 * k;
  EXPECT_EQ(to_ints(*product.compute()[0]).at(0), sum - (std::int64_t{1} << 32U));
}

TEST(IntegerProduct, BatchesAndZeroPointsPerLineReferee) {
  REQUIRE_REFEREE();
  Draw draw(11);
  Judged("MatMulInteger").in(codes(draw, kU8, {2, 5, 19})).in(weights(draw, kI8, {19, 7})).agrees(0);
  Judged("MatMulInteger")
      .in(codes(draw, kU8, {5, 19}))
      .in(weights(draw, kI8, {3, 19, 6}))
      .in(number(kU8, 131))
      .in(number(kI8, -7))
      .agrees(0);
  Judged("MatMulInteger")
      .in(codes(draw, kU8, {5, 19}))
      .in(codes(draw, kU8, {19, 6}))
      .in(number(kU8, 131))
      .in(codes(draw, kU8, {6}))
      .agrees(0);
}

TEST(QLinearMatMul, RoundsAsONNXRuntimeReferee) {
  REQUIRE_REFEREE();
  Draw draw(12);
  const auto product = [&](DType a, DType b, const Tensor& b_scale, const Tensor& b_zero) {
    Judged("QLinearMatMul")
        .in(codes(draw, a, {2, 9, 33}))
        .in(number(0.02F))
        .in(number(a, 3))
        .in(weights(draw, b, {33, 10}))
        .in(b_scale)
        .in(b_zero)
        .in(number(0.4F))
        .in(number(a, 5))
        .agrees(0);
  };
  product(kU8, kI8, number(0.013F), number(kI8, 0));
  product(kU8, kU8, number(0.013F), number(kU8, 120));
  product(kI8, kI8, number(0.013F), number(kI8, -3));
  product(kU8, kI8, draw.positive({10}, 0.01), Tensor::of(kI8, {10}, std::vector<double>(10, 0)));
}

TEST(QLinearConv, GroupsDepthwisePaddingReferee) {
  REQUIRE_REFEREE();
  Draw draw(13);
  struct Shape {
    std::int64_t in, out, group, kernel, stride, dilation;
    const char* pad;
  };
  for (const Shape& s : {Shape{6, 8, 1, 3, 1, 1, ""}, Shape{6, 6, 6, 3, 2, 1, ""},
                         Shape{6, 9, 3, 3, 1, 2, ""}, Shape{5, 7, 1, 1, 1, 1, ""},
                         Shape{3, 4, 1, 5, 2, 1, "SAME_UPPER"}, Shape{3, 4, 1, 4, 2, 1, "SAME_LOWER"}}) {
    for (const bool per_filter : {false, true}) {
      Judged conv("QLinearConv");
      conv.in(codes(draw, kU8, {2, s.in, 11, 9})).in(number(0.03F)).in(number(kU8, 117));
      conv.in(weights(draw, kI8, {s.out, s.in / s.group, s.kernel, s.kernel}));
      conv.in(per_filter ? draw.positive({s.out}, 0.01) : number(0.01F));
      conv.in(per_filter ? Tensor::of(kI8, {s.out}, std::vector<double>(static_cast<std::size_t>(s.out), 0))
                         : number(kI8, 0));
      conv.in(number(0.3F)).in(number(kU8, 100));
      conv.in(draw.integers(DType::kInt32, {s.out}, -900, 900));
      conv.set("group", s.group).set("strides", std::vector<std::int64_t>(2, s.stride));
      conv.set("dilations", std::vector<std::int64_t>(2, s.dilation));
      if (*s.pad) {
        conv.set("auto_pad", std::string(s.pad));
      } else {
        conv.set("pads", std::vector<std::int64_t>{1, 0, 2, 1});
      }
      SCOPED_TRACE(fmt::format("{} -> {}, {} groups, {} per filter", s.in, s.out, s.group, per_filter));
      conv.agrees(0);
    }
  }
}

TEST(QLinearConv, OneAndThreeAxesReferee) {
  REQUIRE_REFEREE();
  Draw draw(14);
  Judged("ConvInteger")
      .in(codes(draw, kU8, {1, 3, 17}))
      .in(codes(draw, kU8, {4, 3, 5}))
      .in(number(kU8, 9))
      .in(number(kU8, 200))
      .set("pads", std::vector<std::int64_t>{2, 1})
      .agrees(0);
  Judged("ConvInteger")
      .in(codes(draw, kU8, {1, 2, 5, 6, 4}))
      .in(codes(draw, kU8, {3, 2, 2, 3, 2}))
      .in(number(kU8, 9))
      .in(number(kU8, 0))
      .set("pads", std::vector<std::int64_t>{1, 0, 1, 0, 1, 1})
      .agrees(0);
}

TEST(QuantizeLinear, AxisAndTypesReferee) {
  REQUIRE_REFEREE();
  Draw draw(15);
  for (const DType type : {kI8, kU8, DType::kInt16, DType::kUint16}) {
    const Tensor x = draw.normal({3, 4, 5}, 40);
    Judged("QuantizeLinear", "", 21).in(x).in(number(0.3F)).in(number(type, 7)).agrees(0);
    Judged("QuantizeLinear", "", 21)
        .in(x)
        .in(draw.positive({4}, 0.4))
        .in(draw.integers(type, {4}, 0, 9))
        .set("axis", std::int64_t{1})
        .agrees(0);
    Judged("QuantizeLinear", "", 21)
        .in(x)
        .in(draw.positive({3, 4, 3}, 0.4))
        .in(draw.integers(type, {3, 4, 3}, 0, 9))
        .set("axis", std::int64_t{2})
        .set("block_size", std::int64_t{2})
        .agrees(0);
    Judged("DequantizeLinear", "", 21)
        .in(draw.integers(type, {3, 4, 5}, 0, 100))
        .in(draw.positive({3, 2, 5}, 0.4))
        .in(draw.integers(type, {3, 2, 5}, 0, 9))
        .set("axis", std::int64_t{1})
        .set("block_size", std::int64_t{3})
        .agrees(1e-6, 1e-6);
  }
  Judged("DequantizeLinear", "", 21)
      .in(draw.integers(DType::kInt32, {3, 4}, -90000, 90000))
      .in(draw.positive({4}, 0.4))
      .agrees(1e-6, 1e-6);
}

TEST(QuantizeLinear, FourBitsAndFloat8Referee) {
  REQUIRE_REFEREE();
  Draw draw(16);
  for (const DType type : {DType::kInt4, DType::kUint4}) {
    Judged("DequantizeLinear", "", 21)
        .in(draw.integers(type, {4, 16}, 0, 7))
        .in(draw.positive({4, 2}, 0.4))
        .in(draw.integers(type, {4, 2}, 0, 5))
        .set("axis", std::int64_t{1})
        .set("block_size", std::int64_t{8})
        .agrees(1e-6, 1e-6);
  }
  Judged("DequantizeLinear", "", 19)
      .in(draw.normal({4, 5}, 30, DType::kFloat8E4M3FN))
      .in(number(0.25F))
      .agrees(1e-6, 1e-6);
}

TEST(QuantizeLinear, FourBitsSaturate) {
  const std::vector<double> x{-100, -8.4, -0.5, 0.5, 1.5, 2.5, 7.4, 100};
  Judged q("QuantizeLinear", "", 21);
  q.in(Tensor::of(DType::kFloat, {8}, x)).in(number(1.0F)).in(number(DType::kInt4, 0));
  EXPECT_EQ(to_ints(*q.compute()[0]), (std::vector<std::int64_t>{-8, -8, 0, 0, 2, 2, 7, 7}));
  Judged two("QuantizeLinear", "", 25);
  two.in(Tensor::of(DType::kFloat, {8}, x)).in(number(1.0F)).in(number(DType::kUint2, 1));
  EXPECT_EQ(to_ints(*two.compute()[0]), (std::vector<std::int64_t>{0, 0, 1, 1, 3, 3, 3, 3}));
}

TEST(DynamicQuantizeLinear, TakesTheRangeReferee) {
  REQUIRE_REFEREE();
  Draw draw(17);
  Judged("DynamicQuantizeLinear").in(draw.normal({7, 9}, 3)).outputs({true, true, true}).agrees(1e-7);
  Judged("DynamicQuantizeLinear").in(draw.positive({7, 9}, 3)).outputs({true, true, true}).agrees(1e-7);
}

TEST(MicrosoftQLinear, ElementwiseReferee) {
  REQUIRE_REFEREE();
  Draw draw(18);
  for (const DType type : {kU8, kI8}) {
    for (const char* op : {"QLinearAdd", "QLinearMul"}) {
      Judged(op, kMicrosoft)
          .in(codes(draw, type, {2, 3, 4, 5}))
          .in(number(0.05F))
          .in(number(type, 10))
          .in(codes(draw, type, {3, 1, 5}))
          .in(number(0.07F))
          .in(number(type, 20))
          .in(number(0.09F))
          .in(number(type, 30))
          .agrees(1);
    }
    const auto unary = [&](const char* op) {
      Judged j(op, kMicrosoft);
      j.in(codes(draw, type, {2, 3, 40})).in(number(0.04F)).in(number(type, 10));
      j.in(number(0.004F)).in(number(type, 5));
      return j;
    };
    unary("QLinearSigmoid").agrees(0);
    unary("QLinearLeakyRelu").set("alpha", 0.2F).agrees(0);
    unary("QLinearSoftmax").set("axis", std::int64_t{-1}).set("opset", std::int64_t{13}).agrees(1);
    unary("QLinearSoftmax").set("axis", std::int64_t{1}).set("opset", std::int64_t{13}).agrees(1);
    unary("QLinearSoftmax").set("axis", std::int64_t{1}).set("opset", std::int64_t{11}).agrees(1);
  }
}

TEST(MicrosoftQLinear, ConcatAndWhereReferee) {
  REQUIRE_REFEREE();
  Draw draw(19);
  Judged("QLinearConcat", kMicrosoft)
      .in(number(0.06F))
      .in(number(kU8, 12))
      .in(codes(draw, kU8, {2, 3, 4}))
      .in(number(0.06F))
      .in(number(kU8, 12))
      .in(codes(draw, kU8, {2, 5, 4}))
      .in(number(0.02F))
      .in(number(kU8, 100))
      .set("axis", std::int64_t{1})
      .agrees(0);
  Judged("QLinearWhere", kMicrosoft)
      .in(draw.integers(DType::kBool, {3, 1}, 0, 1))
      .in(codes(draw, kU8, {2, 3, 4}))
      .in(number(0.06F))
      .in(number(kU8, 12))
      .in(codes(draw, kU8, {4}))
      .in(number(0.02F))
      .in(number(kU8, 100))
      .in(number(0.03F))
      .in(number(kU8, 50))
      .agrees(0);
}

TEST(MicrosoftQLinear, PoolsReferee) {
  REQUIRE_REFEREE();
  Draw draw(20);
  for (const DType type : {kU8, kI8}) {
    const auto pool = [&](const char* op, const Dims& dims) {
      Judged j(op, kMicrosoft);
      j.in(codes(draw, type, dims)).in(number(0.04F)).in(number(type, 10));
      j.in(number(0.03F)).in(number(type, 5));
      return j;
    };
    const std::vector<std::int64_t> k{3, 2};
    const std::vector<std::int64_t> pads{1, 0, 1, 1};
    const std::vector<std::int64_t> strides{2, 1};
    for (const std::int64_t last : {0, 1}) {
      pool("QLinearGlobalAveragePool", {2, 3, 5, 7}).set("channels_last", last).agrees(0);
      for (const std::int64_t counted : {0, 1}) {
        pool("QLinearAveragePool", {2, 4, 9, 7})
            .set("channels_last", last)
            .set("kernel_shape", k)
            .set("pads", pads)
            .set("strides", strides)
            .set("count_include_pad", counted)
            .agrees(0);
      }
    }
  }
}

TEST(MicrosoftQLinear, ReduceMeanKeepsOrDropsAxes) {
  const std::vector<double> x{1, 2, 3, 5, 7, 9};
  for (const std::int64_t keep : {0, 1}) {
    Judged mean("QLinearReduceMean", kMicrosoft);
    mean.in(Tensor::of(kU8, {2, 3}, x))
        .in(number(0.5F))
        .in(number(kU8, 1))
        .in(number(0.25F))
        .in(number(kU8, 4));
    mean.set("axes", std::vector<std::int64_t>{1}).set("keepdims", keep);
    const Tensor y = *mean.compute()[0];
    EXPECT_EQ(y.shape, keep ? (Dims{2, 1}) : (Dims{2}));
    EXPECT_EQ(to_ints(y), (std::vector<std::int64_t>{6, 16}));  // (mean - 1) / 2 * 4 + 4
  }
}

TEST(MicrosoftIntegerMatMul, QGemmReferee) {
  REQUIRE_REFEREE();
  Draw draw(21);
  for (const std::int64_t transposed : {0, 1}) {
    for (const bool quantized : {true, false}) {
      Judged gemm("QGemm", kMicrosoft);
      gemm.in(codes(draw, kU8, transposed ? Dims{30, 6} : Dims{6, 30}))
          .in(number(0.02F))
          .in(number(kU8, 120));
      gemm.in(weights(draw, kI8, transposed ? Dims{9, 30} : Dims{30, 9}));
      gemm.in(draw.positive({9}, 0.01)).in(draw.integers(kI8, {9}, -3, 3));
      gemm.in(draw.integers(DType::kInt32, {1, 9}, -500, 500));
      if (quantized) gemm.in(number(0.4F)).in(number(kU8, 100));
      gemm.set("transA", transposed).set("transB", transposed).set("alpha", 1.5F);
      gemm.agrees(0, quantized ? 0 : 1e-5);
    }
  }
}

TEST(MicrosoftIntegerMatMul, ToFloatAndDynamicReferee) {
  REQUIRE_REFEREE();
  Draw draw(22);
  Judged("MatMulIntegerToFloat", kMicrosoft)
      .in(codes(draw, kU8, {2, 6, 30}))
      .in(weights(draw, kI8, {30, 9}))
      .in(number(0.02F))
      .in(draw.positive({9}, 0.01))
      .in(number(kU8, 120))
      .in(draw.integers(kI8, {9}, -3, 3))
      .in(draw.normal({9}))
      .agrees(0, 1e-5);
  Judged("DynamicQuantizeMatMul", kMicrosoft)
      .in(draw.normal({2, 6, 30}))
      .in(weights(draw, kI8, {30, 9}))
      .in(draw.positive({9}, 0.01))
      .in(draw.integers(kI8, {9}, -3, 3))
      .in(draw.normal({9}))
      .agrees(0, 1e-5);
}

TEST(DynamicQuantizeLSTM, DirectionsAndScalesReferee) {
  REQUIRE_REFEREE();
  Draw draw(23);
  const std::int64_t h = 8;
  for (const char* direction : {"forward", "reverse", "bidirectional"}) {
    for (const bool per_column : {false, true}) {
      const std::int64_t d = std::string(direction) == "bidirectional" ? 2 : 1;
      const Dims parameters = per_column ? Dims{d, 4 * h} : Dims{d};
      const Tensor zeros = Tensor::of(kI8, parameters, std::vector<double>(num_elements(parameters), 0));
      Judged lstm("DynamicQuantizeLSTM", kMicrosoft);
      lstm.in(draw.normal({6, 1, 5}))
          .in(weights(draw, kI8, {d, 5, 4 * h}))
          .in(weights(draw, kI8, {d, h, 4 * h}));
      lstm.in(draw.normal({d, 8 * h}, 0.2)).missing();
      lstm.in(draw.normal({d, 1, h}, 0.3)).in(draw.normal({d, 1, h}, 0.3)).missing();
      lstm.in(draw.positive(parameters, 0.01)).in(zeros).in(draw.positive(parameters, 0.01)).in(zeros);
      lstm.set("hidden_size", h).set("direction", std::string(direction)).outputs({true, true, true});
      SCOPED_TRACE(fmt::format("{}, {} a column", direction, per_column));
      lstm.agrees(1e-4);
    }
  }
}

}  // namespace
}  // namespace compressor::ops
