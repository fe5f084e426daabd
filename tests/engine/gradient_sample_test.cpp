// Gradients of GridSample, of the image and of the places, and of AffineGrid, against differences.
#include "engine/gradient_check.h"

namespace compressor::build {
namespace {

struct SampleCase {
  const char* name;
  const char* mode;
  const char* padding;
  std::int64_t align = 0;
  Dims x = {2, 3, 5, 4};
  Dims grid = {2, 3, 4, 2};
};

void PrintTo(const SampleCase& c, std::ostream* out) {
  *out << c.name;
}

class SampleGradient : public testing::TestWithParam<SampleCase> {};

/// Places reach past the image; the step is short, as pixels are a fraction of the grid's unit.
const GradientCheck kCheck{.step = 1.0 / 128, .low = -1.3, .high = 1.3, .away_from_kinks = 0.7};

TEST_P(SampleGradient, MatchesDifferences) {
  const SampleCase& c = GetParam();
  Net net(20);
  net.output(net.op("GridSample", {net.input("x", c.x), net.input("grid", c.grid)},
                    {attr("mode", c.mode), attr("padding_mode", c.padding), attr("align_corners", c.align)}));
  expect_gradients(net.done(), kCheck);
}

INSTANTIATE_TEST_SUITE_P(
    All, SampleGradient,
    testing::Values(SampleCase{"Nearest", "nearest", "zeros"}, SampleCase{"Linear", "linear", "zeros"},
                    SampleCase{"LinearAligned", "linear", "zeros", 1},
                    SampleCase{"LinearBorder", "linear", "border"},
                    SampleCase{"LinearReflection", "linear", "reflection"},
                    SampleCase{"LinearReflectionAligned", "linear", "reflection", 1},
                    SampleCase{"Cubic", "cubic", "zeros"},
                    SampleCase{"CubicBorderAligned", "cubic", "border", 1},
                    SampleCase{"CubicReflection", "cubic", "reflection"},
                    SampleCase{"Volume", "linear", "border", 0, {1, 2, 3, 4, 3}, {1, 2, 2, 3, 3}}),
    [](const auto& c) { return std::string(c.param.name); });

TEST(GridSampleGradient, BehindAConvolution) {
  Net net(20);
  const V x = net.conv1x1(net.input("x", {2, 3, 5, 4}), 3, 3);
  net.output(net.op("GridSample", {x, net.input("grid", {2, 3, 4, 2})}));
  GradientCheck check = kCheck;
  check.most = 12;
  expect_gradients(net.done(), check);
}

/// A place far outside is thrown back several times.
TEST(GridSampleGradient, OfPlacesFarOutside) {
  Net net(20);
  net.output(net.op("GridSample", {net.input("x", {1, 2, 4, 3}), net.input("grid", {1, 5, 5, 2})},
                    {attr("padding_mode", "reflection")}));
  const Model model = net.done();
  Random random(4);
  std::vector<float> places(50);
  for (float& v : places) v = static_cast<float>(10 * random.uniform() - 5);
  expect_gradients(model, {.step = 1.0 / 128,
                           .feeds = {{"grid", Tensor::of({1, 5, 5, 2}, std::span<const float>(places))}},
                           .most = 50});
}

TEST(AffineGridGradient, MatchesDifferences) {
  for (const std::int64_t align : {0, 1}) {
    for (const Ints& size : {Ints{2, 3, 4, 5}, Ints{2, 1, 2, 3, 4}}) {
      Net net(20);
      const auto n = static_cast<std::int64_t>(size.size()) - 2;
      net.output(net.op("AffineGrid", {net.input("theta", {2, n, n + 1}), net.ints(size)},
                        {attr("align_corners", align)}));
      expect_gradients(net.done());
    }
  }
}

}  // namespace
}  // namespace compressor::build
