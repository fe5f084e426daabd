// window_kernels: convolutions and pooling against ONNX Runtime, and by hand where a number can be told by
// hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compressor/base/error.h"
#include "ops/judged.h"
#include "referee.h"

namespace compressor::ops {
namespace {

using testing::ElementsAre;
using Ints = std::vector<std::int64_t>;
constexpr double kClose = 2e-6;
constexpr auto kMicrosoft = "com.microsoft";

Tensor floats(const Dims& dims, const std::vector<float>& values) {
  return Tensor::of(dims, std::span<const float>(values));
}

Ints times(std::size_t n, std::int64_t value) {
  return Ints(n, value);
}

TEST(ConvKernel, RanksGroupsStridesDilationsReferee) {
  REQUIRE_REFEREE();
  Draw draw(11);
  for (const std::size_t n : {1U, 2U, 3U}) {
    Dims x{2, 4, 9, 8, 7};
    x.resize(n + 2);
    for (const std::int64_t group : {1, 2, 4}) {
      for (const auto& [stride, dilation] : {std::pair{1, 1}, std::pair{2, 1}, std::pair{3, 2}}) {
        Dims w{8, 4 / group, 3, 3, 3};
        w.resize(n + 2);
        Ints pads = times(n, 1);
        pads.resize(2 * n, 2);
        Judged("Conv")
            .in(draw.normal(x))
            .in(draw.normal(w))
            .in(draw.normal({8}))
            .set("group", group)
            .set("strides", times(n, stride))
            .set("dilations", times(n, dilation))
            .set("pads", pads)
            .agrees(0, kClose);
        w[0] = 4;
        w[1] = 8 / group;
        Judged("ConvTranspose")
            .in(draw.normal(x))
            .in(draw.normal(w))
            .in(draw.normal({8}))
            .set("group", group)
            .set("strides", times(n, stride))
            .set("dilations", times(n, dilation))
            .set("pads", times(2 * n, 1))
            .set("output_padding", times(n, stride - 1))
            .agrees(0, kClose);
      }
    }
  }
}

// Past one block of the product in depth, filters and places; pointwise and depthwise.
TEST(ConvKernel, SizesBeyondOneBlockReferee) {
  REQUIRE_REFEREE();
  Draw draw(12);
  const auto conv = [&](const Dims& x, const Dims& w, std::int64_t group, std::int64_t pad) {
    Judged("Conv")
        .in(draw.normal(x))
        .in(draw.normal(w))
        .set("group", group)
        .set("pads", times(4, pad))
        .agrees(0, 1e-5);
  };
  conv({1, 130, 40, 37}, {67, 130, 3, 3}, 1, 1);
  conv({1, 513, 7, 7}, {130, 513, 3, 3}, 1, 1);
  conv({2, 70, 13, 11}, {300, 70, 1, 1}, 1, 0);
  conv({2, 64, 33, 31}, {64, 1, 3, 3}, 64, 1);
}

TEST(ConvKernel, PaddingThatFollowsFromTheLengthReferee) {
  REQUIRE_REFEREE();
  Draw draw(13);
  for (const std::string pad : {"SAME_UPPER", "SAME_LOWER", "VALID"}) {
    for (const std::int64_t stride : {1, 2, 3}) {
      const auto judge = [&](const std::string& op, const Dims& w) {
        Judged j(op);
        j.in(draw.normal({1, 3, 10, 11}));
        if (!w.empty()) j.in(draw.normal(w));
        if (w.empty()) j.set("kernel_shape", Ints{3, 4});
        j.set("auto_pad", pad).set("strides", times(2, stride)).agrees(0, kClose);
      };
      judge("Conv", {5, 3, 3, 4});
      judge("ConvTranspose", {3, 5, 3, 4});
      judge("MaxPool", {});
      judge("AveragePool", {});
    }
  }
  for (const std::int64_t length : {19, 20, 21}) {
    for (const std::string pad : {"NOTSET", "SAME_UPPER"}) {
      Judged("ConvTranspose")
          .in(draw.normal({1, 3, 10, 11}))
          .in(draw.normal({3, 5, 3, 4}))
          .set("auto_pad", pad)
          .set("strides", times(2, 2))
          .set("output_shape", Ints{length, length + 1})
          .agrees(0, kClose);
    }
  }
}

TEST(ConvKernel, FusedActivationsReferee) {
  REQUIRE_REFEREE();
  Draw draw(14);
  const std::vector<std::pair<std::string, std::vector<float>>> activations{{"Relu", {}},
                                                                            {"Tanh", {}},
                                                                            {"Sigmoid", {}},
                                                                            {"LeakyRelu", {0.2F}},
                                                                            {"Clip", {-0.3F, 0.4F}},
                                                                            {"HardSigmoid", {0.3F, 0.4F}}};
  for (const auto& [name, parameters] : activations) {
    Judged j("FusedConv", kMicrosoft);
    j.in(draw.normal({1, 3, 8, 8}))
        .in(draw.normal({5, 3, 3, 3}))
        .in(draw.normal({5}))
        .in(draw.normal({1, 5, 6, 6}));
    j.set("activation", name);
    if (!parameters.empty()) j.set("activation_params", parameters);
    j.agrees(1e-6, kClose);
  }
}

TEST(ConvKernel, DeformedTapsReferee) {
  REQUIRE_REFEREE();
  Draw draw(15);
  for (const std::int64_t groups : {1, 2}) {
    Judged("DeformConv", "", 19)
        .in(draw.normal({2, 4, 7, 8}))
        .in(draw.normal({6, 4 / groups, 3, 3}))
        .in(draw.normal({2, groups * 18, 5, 6}))
        .in(draw.normal({6}))
        .in(draw.normal({2, groups * 9, 5, 6}))
        .set("group", groups)
        .set("offset_group", groups)
        .agrees(0, kClose);
  }
}

TEST(PoolKernel, CeilPaddingAndDilationReferee) {
  REQUIRE_REFEREE();
  Draw draw(16);
  for (const std::int64_t ceil : {0, 1}) {
    for (const std::int64_t other : {0, 1}) {
      const auto pool = [&](const std::string& op, std::int64_t opset) {
        Judged j(op, "", opset);
        j.in(draw.normal({2, 3, 10, 11})).set("kernel_shape", Ints{3, 3}).set("strides", Ints{2, 3});
        j.set("pads", Ints{1, 0, 1, 1}).set("ceil_mode", ceil);
        return j;
      };
      pool("MaxPool", 17)
          .set("storage_order", other)
          .set("dilations", Ints{1, 2})
          .outputs({true, true})
          .agrees(0);
      pool("AveragePool", 19).set("count_include_pad", other).set("dilations", Ints{2, 1}).agrees(0, kClose);
      pool("LpPool", 18).set("p", std::int64_t{3 - other}).agrees(0, kClose);
    }
  }
  Judged("MaxPool", "", 12)
      .in(draw.integers(DType::kInt8, {1, 2, 9, 9}, -128, 127))
      .set("kernel_shape", Ints{3, 3})
      .agrees(0);
}

// Places by hand: the largest of a 2x2 image is its last pixel, number 3 in rows and 3 in columns; that of
// the second channel is pixel (0, 1): 4 + 1 in rows, 4 + 2 in columns.
TEST(PoolKernel, PositionsCountOverTheWholeTensor) {
  for (const std::int64_t columns : {0, 1}) {
    const auto made = Judged("MaxPool")
                          .in(floats({1, 2, 2, 2}, {1, 2, 3, 4, 5, 9, 7, 8}))
                          .set("kernel_shape", Ints{2, 2})
                          .set("storage_order", columns)
                          .outputs({true, true})
                          .compute();
    EXPECT_THAT(to_floats(*made[0]), ElementsAre(4, 9));
    EXPECT_THAT(to_ints(*made[1]), ElementsAre(3, columns == 0 ? 5 : 6));
  }
}

// 2x2 blocks at every place of a 3x3 image of ones: a pixel is counted as often as blocks cover it.
TEST(Col2ImKernel, SumsWhatOverlaps) {
  const auto made = Judged("Col2Im", "", 18)
                        .in(floats({1, 4, 4}, std::vector<float>(16, 1)))
                        .in(Tensor::of({2}, std::span<const std::int64_t>(Ints{3, 3})))
                        .in(Tensor::of({2}, std::span<const std::int64_t>(Ints{2, 2})))
                        .compute();
  EXPECT_THAT(to_floats(*made[0]), ElementsAre(1, 2, 1, 2, 4, 2, 1, 2, 1));
}

TEST(ConvKernel, RefusesWhatDoesNotFit) {
  Judged conv("Conv");
  conv.in(floats({1, 3, 4, 4}, std::vector<float>(48))).in(floats({2, 2, 3, 3}, std::vector<float>(36)));
  EXPECT_THROW(conv.compute(), Error);
  Judged reach("Conv");
  reach.in(floats({1, 1, 2, 2}, std::vector<float>(4))).in(floats({1, 1, 3, 3}, std::vector<float>(9)));
  EXPECT_THROW(reach.compute(), Error);
  Judged whole("Conv");
  whole.in(Tensor::of(DType::kInt32, {1, 1, 2, 2}, std::vector<double>(4)));
  whole.in(Tensor::of(DType::kInt32, {1, 1, 1, 1}, std::vector<double>(1)));
  EXPECT_THROW(whole.compute(), Error);
}

}  // namespace
}  // namespace compressor::ops
