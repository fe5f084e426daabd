// plan_test: the arrows between rooms point the way the floor plan says.
#include "house/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace compressor::house {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

Plan small_plan() {
  return plan_from({"base: ", "tensor: base", "graph: tensor", "onnx: graph", "ops: graph", "odd: ops"});
}

TEST(Plan, UsesAreTransitiveAndBaseIsEverybodys) {
  const Plan plan = small_plan();
  EXPECT_THAT(plan.at("odd"), UnorderedElementsAre("odd", "ops", "graph", "tensor", "base"));
  EXPECT_THAT(plan.at("base"), UnorderedElementsAre("base"));
}

TEST(Plan, FindsWrongArrows) {
  const Plan plan = small_plan();
  const auto check = [&](const char* path, const char* line) {
    return wrong_includes(plan, {path, {"// x", line}});
  };
  EXPECT_THAT(check("src/ops/a.cpp", "#include \"compressor/graph/graph.h\""), IsEmpty());
  EXPECT_THAT(check("src/odd/a.cpp", "#include \"compressor/tensor/tensor.h\""), IsEmpty());
  EXPECT_THAT(check("src/graph/a.cpp", "#include \"compressor/ops/op.h\""),
              ElementsAre(HasSubstr("src/graph/a.cpp:2: includes compressor/ops/op.h, but room 'graph'")));
  EXPECT_THAT(check("include/compressor/graph/a.h", "#include \"compressor/onnx/load.h\""),
              ElementsAre(HasSubstr("may not use 'onnx'")));
  EXPECT_THAT(check("src/ops/a.cpp", "#include \"ops/inner.h\""), IsEmpty());
  EXPECT_THAT(check("src/ops/a.cpp", "#include \"graph/inner.h\""), ElementsAre(HasSubstr("private header")));
  EXPECT_THAT(check("include/compressor/ops/a.h", "#include \"ops/inner.h\""),
              ElementsAre(HasSubstr("from a public one")));
  EXPECT_THAT(check("src/ops/a.cpp", "#include <onnx/onnx-ml.pb.h>"), ElementsAre(HasSubstr("may not")));
  EXPECT_THAT(check("src/onnx/a.cpp", "#  include <onnx/onnx-ml.pb.h>  // why"), IsEmpty());
  EXPECT_THAT(check("src/ops/a.cpp", "#include <CLI/CLI.hpp>"), ElementsAre(HasSubstr("may not")));
  EXPECT_THAT(check("tools/compressor/main.cpp", "#include \"compressor/onnx/load.h\""), IsEmpty());
  EXPECT_THAT(check("src/attic/a.cpp", "#include \"compressor/base/error.h\""),
              ElementsAre(HasSubstr("not in the floor plan")));
}

TEST(House, IncludesFollowTheFloorPlan) {
  const Plan plan = floor_plan();
  ASSERT_GE(plan.size(), 10U);
  std::size_t seen = 0;
  for (const File& file : sources()) {
    seen += includes(file).size();
    EXPECT_THAT(wrong_includes(plan, file), IsEmpty());
  }
  EXPECT_GT(seen, 100U) << "the source tree was not read";
}

TEST(House, EveryRoomOfTheSourceTreeIsInTheFloorPlan) {
  const Plan plan = floor_plan();
  std::vector<std::string> rooms;
  for (const auto& [room, uses] : plan) rooms.push_back(room);
  for (const File& file : sources()) {
    const std::vector<std::string> p = parts(file.path);
    if (file.in("src")) {
      EXPECT_THAT(rooms, Contains(p[1])) << file.path;
    }
    if (file.in("include")) {
      ASSERT_EQ(p[1], "compressor") << file.path;
      EXPECT_THAT(rooms, Contains(p[2])) << file.path;
    }
  }
}

}  // namespace
}  // namespace compressor::house
