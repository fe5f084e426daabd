// run: compare and bench, as a shell sees them.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "program.h"

namespace compressor::test {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Run : public ProgramTest {
 protected:
  static constexpr const char* kModel = "resnet8_fashion.onnx";
  Run() { bring(kModel); }
};

TEST_F(Run, AModelIsEqualToItself) {
  const Outcome o = run({"compare", "--json", "--min-snr", "300", "--max-abs", "0", kModel, kModel});
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_THAT(o.err, IsEmpty());
  const Json j = Json::parse(o.out);
  EXPECT_TRUE(j["outputs"][0]["equal"]);
  EXPECT_EQ(j["outputs"][0]["cosine"], 1);
  EXPECT_EQ(j["samples"], 4);
  EXPECT_THAT(j["on"].get<std::string>(), HasSubstr("seed 0"));
  ASSERT_EQ(j["layers"].size(), 31U) << "a value of every node";
  for (const Json& layer : j["layers"]) EXPECT_TRUE(layer["equal"]) << layer;
  EXPECT_TRUE(j["left_out"].empty());
}

TEST_F(Run, BoundsThatDoNotHoldAreExitFour) {
  ASSERT_EQ(run({"quantize", "--bits", "4", "-o", "q.onnx", kModel}).code, 0);
  const Json j = Json::parse(run({"compare", "--json", kModel, "q.onnx"}).out);
  const double snr = j["outputs"][0]["snr_db"];
  EXPECT_GT(snr, 3);
  EXPECT_LT(snr, 40);
  const double largest = j["outputs"][0]["max_abs"];
  const auto code = [&](const char* gate, double bound) {
    return run({"compare", gate, std::to_string(bound), kModel, "q.onnx"}).code;
  };
  EXPECT_EQ(code("--min-snr", snr - 0.1), 0);
  EXPECT_EQ(code("--min-snr", snr + 0.1), 4);
  EXPECT_EQ(code("--max-abs", largest * 1.01), 0);
  EXPECT_EQ(code("--max-abs", largest * 0.99), 4);
  EXPECT_EQ(code("--min-cosine", 0.999999), 4);
  const Json& layers = j["layers"];
  for (std::size_t i = 1; i < layers.size(); ++i) {
    EXPECT_GE(layers[i - 1]["noise_entered"], layers[i]["noise_entered"]);
  }
}

TEST_F(Run, APrunedModelIsComparedAtWhatIsLeft) {
  ASSERT_EQ(run({"prune", "--ratio", "0.25", "-o", "p.onnx", "--report", "p.json", kModel}).code, 0);
  const Json blind = Json::parse(run({"compare", "--json", kModel, "p.onnx"}).out);
  EXPECT_FALSE(blind["left_out"].empty());
  const Outcome o = run({"compare", "--json", "--report", "p.json", kModel, "p.onnx"});
  ASSERT_EQ(o.code, 0) << o.err;
  const Json seeing = Json::parse(o.out);
  EXPECT_GT(seeing["layers"].size(), blind["layers"].size() + 20);
  int equal = 0;
  for (const Json& layer : seeing["layers"]) {
    // The first layer reads the input: the channels that are left hold what they held.
    if (layer["name"] != "/conv/Conv_output_0") continue;
    EXPECT_TRUE(layer["selected"]);
    EXPECT_LT(layer["relative"], 1e-5);
    ++equal;
  }
  EXPECT_EQ(equal, 1);
  EXPECT_TRUE(seeing["left_out"].empty())
      << "the cut is followed through Flatten too: " << seeing["left_out"];
  // A report of another model.
  const Outcome other = run({"compare", "--report", "p.json", "p.onnx", kModel});
  EXPECT_EQ(other.code, 2);
  EXPECT_THAT(other.err, HasSubstr("the report cuts"));
}

TEST_F(Run, BadQuestionsAreUsageErrors) {
  EXPECT_EQ(run({"compare", kModel}).code, 2);
  EXPECT_EQ(run({"compare", kModel, "missing.onnx"}).code, 6);
  const Outcome drop = run({"compare", "--max-drop", "1", kModel, kModel});
  EXPECT_EQ(drop.code, 2);
  EXPECT_THAT(drop.err, HasSubstr("--data"));
  EXPECT_EQ(run({"compare", "--report", "missing.json", kModel, kModel}).code, 6);
  make_wide("wide.onnx", 4, 3);
  EXPECT_EQ(run({"compare", kModel, "wide.onnx"}).code, 2) << "other shapes";
  EXPECT_EQ(run({"bench"}).code, 2);
  EXPECT_EQ(run({"bench", "--runs", "0", kModel}).code, 2);
  const Outcome fixed = run({"bench", "--batch", "3", "wide.onnx"});
  EXPECT_EQ(fixed.code, 2);
  EXPECT_THAT(fixed.err, HasSubstr("fixed"));
}

TEST_F(Run, BenchTimesEveryModelInEveryRound) {
  const Outcome o =
      run({"bench", "--json", "--runs", "5", "--warmup", "1", "--batch", "2", "--profile", kModel, kModel});
  ASSERT_EQ(o.code, 0) << o.err;
  const Json j = Json::parse(o.out);
  ASSERT_EQ(j["models"].size(), 2U);
  for (const Json& m : j["models"]) {
    EXPECT_EQ(m["seconds"].size(), 5U);
    EXPECT_EQ(m["inputs"]["image"], Json({2, 1, 28, 28}));
    EXPECT_GT(m["median"], 0);
    EXPECT_LE(m["fastest"], m["median"]);
    EXPECT_LE(m["median"], m["slowest"]);
#if !defined(__SANITIZE_ADDRESS__)  // with sanitizers memory is the system's and not counted
    EXPECT_GT(m["activation_bytes"], 2 * 28 * 28 * 16 * 4) << "at least the largest value";
#endif
    EXPECT_FALSE(m["profile"].empty());
  }
  EXPECT_GT(j["models"][1]["speedup"]["median"], 0);
  EXPECT_FALSE(j["models"][0].contains("speedup"));
  EXPECT_THAT(run({"bench", "--runs", "2", kModel}).out, HasSubstr("random, seed 0"));
}

}  // namespace
}  // namespace compressor::test
