// state: outputs that are inputs in the next step, by the executor, through data, in statistics and in
// comparisons.
#include "compressor/analysis/state.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "compressor/analysis/compare.h"
#include "compressor/analysis/evaluate.h"
#include "compressor/base/error.h"
#include "compressor/base/threads.h"
#include "compressor/onnx/load.h"

namespace compressor {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

const std::vector<std::pair<std::string, std::string>> kStates = {{"h_out", "h"}};

/// h_out = x + h, y = h_out h_out, both [batch, 2].
Model sums(std::int64_t batch = 1, const char* h = "h") {
  Model model;
  model.ir_version = 8;
  model.opsets = {{"", 13}};
  Graph& g = *model.graph;
  const Value* x = g.add_input("x", Type::tensor(DType::kFloat, {batch, 2}));
  const Value* state = g.add_input(h, Type::tensor(DType::kFloat, {batch, 2}));
  const Node& add = g.add_node({.op = "Add", .inputs = {x, state}, .outputs = {"h_out"}, .name = "add"});
  const Node& mul =
      g.add_node({.op = "Mul", .inputs = {add.output(0), add.output(0)}, .outputs = {"y"}, .name = "mul"});
  g.add_output(*mul.output(0));
  g.add_output(*add.output(0));
  for (const Value* v : g.outputs()) g.set_type(*v, Type::tensor(DType::kFloat, {batch, 2}));
  return model;
}

Tensor row(float a, float b) {
  return Tensor::of({1, 2}, std::vector<float>{a, b});
}

/// Steps 1, 2, 3 and, in another sequence, 10, 20; the target is y.
std::unique_ptr<Dataset> steps() {
  return dataset_of_arrays(
      "steps", {{"x", Tensor::of({5, 2}, std::vector<float>{1, -1, 2, -2, 3, -3, 10, 0, 20, 0})},
                {"sequence", Tensor::of({5}, std::vector<std::int64_t>{0, 0, 0, 1, 1})},
                {"target", Tensor::of({5, 2}, std::vector<float>{1, 1, 9, 9, 36, 36, 100, 0, 900, 0})}});
}

LoaderOptions with_state() {
  LoaderOptions options;
  options.batch = 0;
  options.states = kStates;
  return options;
}

template <class F>
std::string refusal(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kUsage);
    return e.what();
  }
  return "nothing was refused";
}

TEST(State, TheExecutorCarriesItOn) {
  const Model model = sums();
  Executor executor(model);
  Executor::Feeds feeds{{"x", row(1, 2)}};
  feeds.carried["h"] = "h_out";
  EXPECT_THAT(refusal([&] { executor.run(feeds); }), HasSubstr("'h_out' has not been computed yet"));
  feeds["h"] = row(100, 0);
  EXPECT_EQ(to_floats(executor.run(feeds)[1].tensor), (std::vector<float>{101, 2}));
  feeds.erase("h");
  EXPECT_EQ(to_floats(executor.run(feeds)[1].tensor), (std::vector<float>{102, 4}));
  EXPECT_EQ(to_floats(executor.run(feeds)[1].tensor), (std::vector<float>{103, 6}));
  feeds["h"] = row(0, 0);  // begins anew
  EXPECT_EQ(to_floats(executor.run(feeds)[1].tensor), (std::vector<float>{1, 2}));
  feeds.carried["h"] = "hh";
  EXPECT_THAT(refusal([&] { executor.run(feeds); }), HasSubstr("no output 'hh'"));
}

TEST(State, ASequenceBeginsAtZero) {
  const Model model = sums();
  const auto data = steps();
  LoaderOptions options = with_state();
  options.shuffle = true;  // steps stay in order
  const ModelData inputs(model, *data, {}, options);
  EXPECT_EQ(inputs.batch(), 1);
  const Evaluation e = evaluate(model, *data, inputs, {"max_abs:output=y"});
  EXPECT_EQ(e.metrics[0].value, 0);
  EXPECT_EQ(e.samples, 5);
}

TEST(State, StatisticsSeeIt) {
  const Model model = sums();
  const auto data = steps();
  const ModelData inputs(model, *data, {}, with_state());
  const Value* y = model.graph->find("y");
  StatisticsRequest request;
  request.values = {y, model.graph->find("h")};
  const Statistics seen = collect_statistics(model, request, inputs.samples());
  EXPECT_EQ(seen.values.at(y).all.max, 900);
  EXPECT_EQ(seen.values.at(y).all.sum, 2 * (1 + 9 + 36) + 100 + 900);
  EXPECT_EQ(seen.values.at(model.graph->find("h")).all.max, 10) << "what the last step leaves is not fed";
}

TEST(State, IsComparedByTheOtherModelsNames) {
  const Model a = sums(), b = sums(1, "past");
  const auto data = steps();
  const ModelData inputs(a, *data, {}, with_state());
  const Comparison c = compare_models(a, b, {.layers = false, .kept = {}}, [&](const auto& visit) {
    inputs.each([&](const Executor::Feeds& feeds, const Batch& batch, std::int64_t rows) {
      visit(ComparedBatch{.feeds = feeds, .samples = batch.size(), .rows = rows});
    });
  });
  EXPECT_EQ(c.samples, 5);
  EXPECT_EQ(c.outputs[0].difference.max_abs, 0);
}

TEST(State, AnOpenAxisBeginsAsLongAsAsked) {
  Model model = sums();
  Graph& g = *model.graph;
  const Type open = Type::tensor(DType::kFloat, {1, -1});
  for (const char* name : {"x", "h", "h_out"}) g.set_type(*g.find(name), open);
  const auto of = [&](const std::vector<std::int64_t>& shape) {
    return refusal([&] { find_states(model, kStates, {{"h", shape}}); });
  };
  EXPECT_EQ(
      refusal([&] { find_states(model, kStates); }),
      "--state: input 'h' is float32 1x?: how long its axis 1 is to begin with is not known; --input-shape "
      "h:1x? with a number for each axis says it");
  EXPECT_EQ(of({2, 2}), "--input-shape h:2x2: input 'h' is float32 1x?");
  EXPECT_EQ(of({1, 2, 1}), "--input-shape h:1x2x1: input 'h' is float32 1x?");
  EXPECT_EQ(of({1, 2}), "nothing was refused");
  const auto data = steps();
  LoaderOptions options = with_state();
  options.shapes = {{"h", {1, 2}}};
  const ModelData inputs(model, *data, {}, options);
  EXPECT_EQ(evaluate(model, *data, inputs, {"max_abs:output=y"}).metrics[0].value, 0);
  g.set_type(*g.find("h_out"), Type::tensor(DType::kFloat, {1, 2}));
  EXPECT_EQ(of({1, 3}), "--input-shape h:1x3: output 'h_out' is float32 1x2");
}

TEST(State, WhatDoesNotFitIsSaid) {
  const Model model = sums();
  const auto of = [&](const std::string& output, const std::string& input) {
    return refusal([&] { find_states(model, {{output, input}}); });
  };
  EXPECT_EQ(of("h_ut", "h"),
            "--state: the model has no output 'h_ut'; it has 'y', 'h_out'; did you mean 'h_out'?");
  EXPECT_THAT(of("h_out", "g"), HasSubstr("no input that must be given 'g'; it has 'x', 'h'"));
  EXPECT_THAT(refusal([&] {
                find_states(model, {{"h_out", "h"}, {"y", "h"}});
              }),
              HasSubstr("in another --state"));
  const Model four = sums(4);
  EXPECT_THAT(refusal([&] { ModelData(four, *steps(), {}, with_state()); }),
              HasSubstr("takes batches of 4, expected 1"));
  EXPECT_THAT(
      refusal([&] { ModelData(model, *steps(), {}, {}); }),
      HasSubstr("nothing for input 'h'; where that is what an output of the step before was, say so: --state "
                "h_out=h"));
  EXPECT_EQ(likely_state(model, *model.graph->find("h"))->name(), "h_out");
}

TEST(State, ShapesMustAgree) {
  Model model = sums();
  model.graph->set_type(*model.graph->find("y"), Type::tensor(DType::kFloat, {1, 3}));
  EXPECT_EQ(
      refusal([&] {
        find_states(model, {{"y", "h"}});
      }),
      "--state y=h: the output is float32 1x3 and the input is float32 1x2, expected the same; did you mean "
      "h_out=h?");
}

// ---- speech enhancement: frames of a spectrum, one after the other

fs::path shared(const char* variable, const char* folder) {
  const char* given = std::getenv(variable);
  return given ? fs::path(given) : fs::path(COMPRESSOR_SOURCE_DIR) / "../shared" / folder;
}

TEST(State, LongSpeechIsEnhancedAsItsAuthorsFileSays) {
  const fs::path model_path = shared("COMPRESSOR_MODELS", "models") / "se_gtcrn_simple.onnx";
  const fs::path noisy = shared("COMPRESSOR_DATA", "data") / "audio/gtcrn_mix.wav";
  if (!fs::exists(model_path) || !fs::exists(noisy)) {
    GTEST_SKIP() << "NO REAL DATA: set COMPRESSOR_MODELS and COMPRESSOR_DATA";
  }
  OpenOptions opening;
  opening.frames = parse_preprocess("gtcrn").frames;
  const auto data = open_dataset(noisy.string(), opening);
  const Model model = load_model(model_path.string());
  LoaderOptions options;
  options.batch = 0;
  options.states = {
      {"conv_cache_out", "conv_cache"}, {"tra_cache_out", "tra_cache"}, {"inter_cache_out", "inter_cache"}};
  const ModelData inputs(model, *data, {}, options);
  set_threads(1);  // two that wait for one another after every small operator are slow on a busy machine
  const Evaluation e = evaluate(model, *data, inputs, {"snr"});
  set_threads(0);
  EXPECT_NEAR(e.metrics[0].value, 71.1, 0.3);
}

}  // namespace
}  // namespace compressor
