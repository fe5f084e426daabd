// state: a model whose outputs are its inputs in the next step, as a shell runs it.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "compressor/data/numpy.h"
#include "compressor/onnx/save.h"
#include "program.h"

namespace compressor::test {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;

constexpr std::int64_t kSteps = 6;

/// h_out = x W + h, y = h_out V, with x, h [1, 4]; data of ones.
class StateOfModel : public ProgramTest {
 protected:
  StateOfModel() {
    Model model;
    model.ir_version = 8;
    model.opsets = {{"", 17}};
    Graph& g = *model.graph;
    const Value* x = g.add_input("x", Type::tensor(DType::kFloat, {1, 4}));
    const Value* h = g.add_input("h", Type::tensor(DType::kFloat, {1, 4}));
    const Value* w = g.add_initializer("w", diagonal(0.5F));
    const Value* v = g.add_initializer("v", diagonal(1));
    const Node& first = g.add_node({.op = "MatMul", .inputs = {x, w}, .outputs = {"xw"}, .name = "in"});
    const Node& add =
        g.add_node({.op = "Add", .inputs = {first.output(0), h}, .outputs = {"h_out"}, .name = "add"});
    const Node& last =
        g.add_node({.op = "MatMul", .inputs = {add.output(0), v}, .outputs = {"y"}, .name = "out"});
    for (const Value* out : {last.output(0), add.output(0)}) {
      g.set_type(*out, Type::tensor(DType::kFloat, {1, 4}));
      g.add_output(*out);
    }
    save_model(model, path("m.onnx"));
    std::vector<float> targets;
    for (std::int64_t t = 0; t < kSteps; ++t)
      targets.insert(targets.end(), 4, 0.5F * static_cast<float>(t + 1));
    write_npz(path("data.npz"), {{"x", Tensor::of({kSteps, 4}, std::vector<float>(kSteps * 4, 1))},
                                 {"target", Tensor::of({kSteps, 4}, targets)}});
    write_npz(path("steps.npz"), {{"x", Tensor::of({kSteps, 1, 4}, std::vector<float>(kSteps * 4, 1))}});
  }
  static Tensor diagonal(float value) {
    std::vector<float> w(16);
    for (std::size_t i = 0; i < 4; ++i) w[i * 5] = value;
    return Tensor::of({4, 4}, w);
  }
};

TEST_F(StateOfModel, EvalCarriesIt) {
  const Outcome o = run({"eval", "--json", "--data", "data.npz", "--metric", "max_abs:output=y", "--state",
                         "h_out=h", "m.onnx"});
  ASSERT_EQ(o.code, 0) << o.err;
  const Json j = Json::parse(o.out);
  EXPECT_EQ(j["samples"], kSteps);
  EXPECT_EQ(j["metrics"][0]["value"], 0.0);
}

TEST_F(StateOfModel, ForgettingItIsToldWithTheFlag) {
  const Outcome o = run({"eval", "--data", "data.npz", "--metric", "max_abs:output=y", "m.onnx"});
  EXPECT_EQ(o.code, 2);
  EXPECT_THAT(o.err, HasSubstr("--state h_out=h"));
  for (const char* bad : {"h_out", "=h", "h_out=", "h_out=g", "y2=h"}) {
    EXPECT_EQ(run({"eval", "--data", "data.npz", "--state", bad, "m.onnx"}).code, 2) << bad;
  }
}

TEST_F(StateOfModel, InferRunsStepAfterStep) {
  const Outcome o = run({"infer", "--input", "steps.npz", "--state", "h_out=h", "-o", "out.npz", "m.onnx"});
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_THAT(o.err, HasSubstr("h: zeros, then 'h_out' of the step before"));
  const auto out = read_npz(path("out.npz"));
  EXPECT_EQ(out.at("y").shape, (Dims{kSteps, 1, 4}));
  EXPECT_EQ(to_floats(out.at("y")).back(), 3);
  write_npy(path("h.npy"), Tensor::of({1, 4}, std::vector<float>(4, 10)));
  ASSERT_EQ(run({"infer", "--input", "steps.npz", "--input", "h=h.npy", "--state", "h_out=h", "-o", "b.npz",
                 "m.onnx"})
                .code,
            0);
  EXPECT_EQ(to_floats(read_npz(path("b.npz")).at("y")).back(), 13) << "a first value that is given";
  const Outcome none = run({"infer", "--random", "--state", "h_out=h", "m.onnx"});
  EXPECT_EQ(none.code, 2);
  EXPECT_THAT(none.err, HasSubstr("no input holds steps"));
}

TEST_F(StateOfModel, CalibrationSeesWhatItGrowsTo) {
  const Outcome o = run({"quantize", "--mode", "static", "--observer", "minmax", "--data", "data.npz",
                         "--state", "h_out=h", "--eval-data", "data.npz", "--metric", "max_abs:output=y",
                         "-o", "q.onnx", "--report", "q.json", "m.onnx"});
  ASSERT_EQ(o.code, 0) << o.err;
  const Json j = Json::parse(read("q.json"));
  EXPECT_EQ(j["metrics"]["max_abs:output=y.before"], 0.0);
  EXPECT_LT(j["metrics"]["max_abs:output=y.after"], 0.05)
      << "a range that ends before 3 would be off by more";
  const Outcome no_data = run({"quantize", "--state", "h_out=h", "-o", "r.onnx", "m.onnx"});
  EXPECT_EQ(no_data.code, 2);
  EXPECT_THAT(no_data.err, HasSubstr("--state"));
}

}  // namespace
}  // namespace compressor::test
