// Resize in the engine, of what lies plain and channels-last, against the portable kernels.
#include "engine/run_rules.h"

namespace compressor::build {
namespace {

struct ResizeCase {
  const char* name;
  Dims x, y;
  Settings settings;
};

void PrintTo(const ResizeCase& c, std::ostream* out) {
  *out << c.name;
}

class ResizeRun : public testing::TestWithParam<ResizeCase> {};

TEST_P(ResizeRun, IsAsPortable) {
  const ResizeCase& c = GetParam();
  for (const bool channels_last : {false, true}) {
    Net net;
    net.output(net.op("Resize", {maybe_convolved(net, c.x, channels_last), nullptr, nullptr, net.ints(c.y)},
                      c.settings));
    expect_fast_as_portable(net.done());
  }
}

const Setting linear = attr("mode", "linear");

INSTANTIATE_TEST_SUITE_P(
    All, ResizeRun,
    testing::Values(ResizeCase{"Nearest", {2, 5, 6, 7}, {2, 5, 12, 14}, {}},
                    ResizeCase{"NearestLarge", {1, 32, 40, 40}, {1, 32, 80, 80}, {}},
                    ResizeCase{"Linear", {2, 5, 6, 7}, {2, 5, 9, 21}, {linear}},
                    ResizeCase{"LinearSmaller", {1, 16, 12, 10}, {1, 16, 5, 7}, {linear}},
                    ResizeCase{"Channels", {1, 4, 6, 6}, {1, 8, 6, 3}, {linear}},
                    ResizeCase{"Cubic", {1, 3, 8, 8}, {1, 3, 11, 5}, {attr("mode", "cubic")}},
                    ResizeCase{"Corners",
                               {1, 6, 5, 5},
                               {1, 6, 9, 9},
                               {linear, attr("coordinate_transformation_mode", "align_corners")}},
                    ResizeCase{"Volume", {1, 3, 4, 5, 6}, {1, 3, 8, 5, 9}, {linear}}),
    [](const auto& c) { return std::string(c.param.name); });

}  // namespace
}  // namespace compressor::build
