// image_kernels: resizing, sampling, regions, norms and sums of products against ONNX Runtime, and by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compressor/base/error.h"
#include "ops/judged.h"
#include "referee.h"

namespace compressor::ops {
namespace {

using testing::ElementsAre;
using Ints = std::vector<std::int64_t>;
constexpr double kClose = 5e-6;

Tensor floats(const Dims& dims, const std::vector<float>& values) {
  return Tensor::of(dims, std::span<const float>(values));
}

Tensor ints(const Ints& values) {
  return Tensor::of({static_cast<std::int64_t>(values.size())}, std::span<const std::int64_t>(values));
}

/// x resized by sizes, or by scales where `scales` is not empty.
Judged resized(Tensor x, const Ints& sizes, const std::vector<float>& scales, std::int64_t opset) {
  Judged j("Resize", "", opset);
  j.in(std::move(x)).missing();
  if (scales.empty()) return j.missing().in(ints(sizes));
  return j.in(floats({static_cast<std::int64_t>(scales.size())}, scales));
}

TEST(ResizeKernel, ModesAndCoordinatesReferee) {
  REQUIRE_REFEREE();
  Draw draw(31);
  struct Size {
    std::int64_t h, w, to_h, to_w;
  };
  for (const std::string coordinates :
       {"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"}) {
    const std::int64_t opset = coordinates == "half_pixel_symmetric" ? 19 : 13;
    for (const Size& s : {Size{5, 7, 9, 13}, Size{6, 8, 3, 5}, Size{5, 5, 11, 1}}) {
      const std::vector<float> scales{1, 1, static_cast<float>(s.to_h) / static_cast<float>(s.h) + 0.01F,
                                      static_cast<float>(s.to_w) / static_cast<float>(s.w) + 0.013F};
      for (const std::vector<float>& by : {std::vector<float>(), scales}) {
        const auto judge = [&] {
          Judged j = resized(draw.normal({2, 3, s.h, s.w}), {2, 3, s.to_h, s.to_w}, by, opset);
          return j.set("coordinate_transformation_mode", coordinates);
        };
        for (const std::string rounding : {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}) {
          judge().set("nearest_mode", rounding).agrees(0);
        }
        judge().set("mode", "linear").agrees(0, kClose);
        judge().set("mode", "cubic").agrees(0, kClose);
      }
    }
  }
}

TEST(ResizeKernel, FiltersBoxesAndPoliciesReferee) {
  REQUIRE_REFEREE();
  Draw draw(32);
  for (const std::string mode : {"linear", "cubic"}) {
    for (const std::int64_t exclude : {0, 1}) {
      for (const Ints& size : {Ints{1, 2, 3, 4}, Ints{1, 2, 2, 9}, Ints{1, 2, 13, 5}}) {
        resized(draw.normal({1, 2, 8, 9}), size, {}, 19)
            .set("mode", mode)
            .set("antialias", std::int64_t{1})
            .set("exclude_outside", exclude)
            .agrees(0, kClose);
      }
    }
  }
  resized(draw.normal({1, 2, 8, 9}), {1, 2, 3, 14}, {}, 19)
      .set("mode", "cubic")
      .set("exclude_outside", std::int64_t{1})
      .set("cubic_coeff_a", -0.5F)
      .agrees(0, kClose);
  for (const std::string mode : {"nearest", "linear", "cubic"}) {
    Judged("Resize", "", 13)
        .in(draw.normal({1, 2, 8, 9}))
        .in(floats({8}, {0, 0, 0.1F, -0.2F, 1, 1, 0.8F, 1.1F}))
        .missing()
        .in(ints({1, 2, 5, 6}))
        .set("mode", mode)
        .set("coordinate_transformation_mode", "tf_crop_and_resize")
        .set("extrapolation_value", 3.5F)
        .agrees(0, kClose);
  }
  for (const std::string policy : {"not_larger", "not_smaller"}) {
    resized(draw.normal({1, 2, 8, 9}), {5, 7}, {}, 18)
        .set("mode", "linear")
        .set("axes", Ints{2, 3})
        .set("keep_aspect_ratio_policy", policy)
        .agrees(0, kClose);
  }
}

TEST(ResizeKernel, OldVersionsReferee) {
  REQUIRE_REFEREE();
  Draw draw(33);
  for (const std::string mode : {"nearest", "linear"}) {
    for (const std::vector<float>& scales :
         {std::vector<float>{1, 1, 0.6F, 0.7F}, {1, 1, 2, 3}, {1, 1, 1.7F, 0.4F}}) {
      Judged("Resize", "", 10)
          .in(draw.normal({1, 2, 8, 9}))
          .in(floats({4}, scales))
          .set("mode", mode)
          .agrees(0, kClose);
    }
    Judged("Upsample", "", 9)
        .in(draw.normal({1, 2, 8, 9}))
        .in(floats({4}, {1, 1, 1.5F, 2.3F}))
        .set("mode", mode)
        .agrees(0, kClose);
  }
}

TEST(ResizeKernel, LinearByHand) {
  const auto made =
      resized(floats({1, 1, 1, 2}, {0, 4}), {1, 1, 1, 4}, {}, 13).set("mode", "linear").compute();
  EXPECT_THAT(to_floats(*made[0]), ElementsAre(0, 1, 3, 4));
}

TEST(SampleKernel, ModesPaddingAndAlignmentReferee) {
  REQUIRE_REFEREE();
  Draw draw(34);
  for (const std::string padding : {"zeros", "border", "reflection"}) {
    for (const std::int64_t align : {0, 1}) {
      for (const std::string mode : {"bilinear", "nearest", "bicubic"}) {
        Judged("GridSample", "", 16)
            .in(draw.normal({2, 3, 5, 6}))
            .in(draw.normal({2, 4, 7, 2}, 0.8))
            .set("mode", mode)
            .set("padding_mode", padding)
            .set("align_corners", align)
            .agrees(0, kClose);
      }
      Judged("GridSample", "", 20)
          .in(draw.normal({2, 3, 4, 5, 6}))
          .in(draw.normal({2, 3, 4, 5, 3}, 0.8))
          .set("mode", "linear")
          .set("padding_mode", padding)
          .set("align_corners", align)
          .agrees(0, kClose);
    }
  }
}

TEST(RegionKernel, SamplesAndBinsReferee) {
  REQUIRE_REFEREE();
  Draw draw(35);
  const std::vector<float> boxes{0.1F, 1.2F, 5.3F, 6.1F, -1, -2, 3, 12, 2, 2, 2.2F, 2.1F, 4, 4, 3, 3};
  for (const std::string mode : {"avg", "max"}) {
    for (const std::string coordinates : {"half_pixel", "output_half_pixel"}) {
      for (const std::int64_t ratio : {0, 2}) {
        Judged("RoiAlign", "", 16)
            .in(draw.normal({2, 3, 9, 8}))
            .in(floats({4, 4}, boxes))
            .in(ints({0, 1, 0, 1}))
            .set("mode", mode)
            .set("coordinate_transformation_mode", coordinates)
            .set("sampling_ratio", ratio)
            .set("output_height", std::int64_t{3})
            .set("output_width", std::int64_t{4})
            .set("spatial_scale", 0.8F)
            .agrees(0, kClose);
      }
    }
  }
  Judged("MaxRoiPool")
      .in(draw.normal({2, 3, 9, 8}))
      .in(floats({2, 5}, {0, 0.1F, 1.2F, 5.3F, 6.1F, 1, -1, -2, 3, 12}))
      .set("pooled_shape", Ints{3, 2})
      .set("spatial_scale", 0.9F)
      .agrees(0);
}

TEST(NormKernel, LastAxesGroupsAndChannelsReferee) {
  REQUIRE_REFEREE();
  Draw draw(36);
  for (const std::int64_t axis : {0, 1, 2}) {
    const Dims whole{3, 4, 5};
    const Dims own(whole.begin() + axis, whole.end());
    Judged("LayerNormalization")
        .in(draw.normal({3, 4, 5}))
        .in(draw.normal(own))
        .in(draw.normal(own))
        .set("axis", axis)
        .outputs({true, true, true})
        .agrees(1e-6, kClose);
    Judged("RMSNormalization", "", 23)
        .in(draw.normal({3, 4, 5}))
        .in(draw.normal(own))
        .set("axis", axis)
        .agrees(1e-6, kClose);
  }
  Judged("LayerNormalization")
      .in(draw.normal({3, 4, 5}))
      .in(draw.normal({4, 1}))
      .in(draw.normal({1, 5}))
      .set("axis", std::int64_t{1})
      .agrees(1e-6, kClose);
  Judged("GroupNormalization", "", 18)
      .in(draw.normal({2, 6, 4, 5}))
      .in(draw.normal({3}))
      .in(draw.normal({3}))
      .set("num_groups", std::int64_t{3})
      .agrees(1e-6, kClose);
  Judged("GroupNormalization", "", 21)
      .in(draw.normal({2, 6, 4, 5}))
      .in(draw.normal({6}))
      .in(draw.normal({6}))
      .set("num_groups", std::int64_t{3})
      .agrees(1e-6, kClose);
  Judged("InstanceNormalization")
      .in(draw.normal({2, 3, 4, 5}))
      .in(draw.normal({3}))
      .in(draw.normal({3}))
      .agrees(1e-6, kClose);
  Judged("LRN")
      .in(draw.normal({2, 7, 4, 5}))
      .set("size", std::int64_t{3})
      .set("alpha", 0.3F)
      .set("beta", 0.6F)
      .set("bias", 1.3F)
      .agrees(1e-6, kClose);
}

TEST(EinsumKernel, EquationsReferee) {
  REQUIRE_REFEREE();
  Draw draw(37);
  const std::vector<std::pair<std::string, std::vector<Dims>>> equations{
      {"ij,jk->ik", {{3, 4}, {4, 5}}},
      {"ii->i", {{4, 4}}},
      {"ij->", {{3, 4}}},
      {"...ij,...jk->...ik", {{2, 1, 3, 4}, {2, 5, 4, 6}}},
      {"a,b->ab", {{3}, {4}}},
      {"bhwc,hkc->bhwk", {{2, 3, 4, 5}, {3, 6, 5}}},
      {"ab,bc,cd->da", {{2, 3}, {3, 4}, {4, 5}}},
      {"ij,ij->j", {{3, 4}, {3, 4}}},
      {"iij,jk->ik", {{3, 3, 4}, {4, 2}}}};
  for (const auto& [equation, shapes] : equations) {
    Judged j("Einsum");
    for (const Dims& shape : shapes) j.in(draw.normal(shape));
    j.set("equation", equation).agrees(1e-6, kClose);
  }
}

TEST(EinsumKernel, RefusesLengthsThatDiffer) {
  Judged j("Einsum");
  j.in(floats({2}, {1, 2})).in(floats({3}, {1, 2, 3})).set("equation", "i,i->");
  EXPECT_THROW(j.compute(), Error);
}

}  // namespace
}  // namespace compressor::ops
