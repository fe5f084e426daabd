// data: eval, infer and the gates of passes, as a shell sees them, on arrays that the test makes.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "compressor/base/random.h"
#include "compressor/data/numpy.h"
#include "program.h"

namespace compressor::test {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;

constexpr std::uint64_t kSeed = 9;
constexpr std::int64_t kSamples = 40;

/// An npz of pictures whose labels are what the network says of them, so that its accuracy is 100 %.
class Data : public ProgramTest {
 protected:
  static constexpr const char* kModel = "resnet8_fashion.onnx";
  Data() {
    bring(kModel);
    make_labelled(kModel, kSamples, kSeed);
  }
  bool exists(const std::string& name) const { return std::filesystem::exists(path(name)); }
};

TEST_F(Data, EvalMeasures) {
  const Outcome o = run({"eval", "--json", "--data", "data.npz", "--metric", "top1", "--metric",
                         "cross_entropy", "--batch", "7", kModel});
  ASSERT_EQ(o.code, 0) << o.err;
  const Json j = Json::parse(o.out);
  EXPECT_EQ(j["schema_version"], 1);
  EXPECT_EQ(j["samples"], kSamples);
  EXPECT_EQ(j["metrics"][0]["value"], 100.0);
  EXPECT_EQ(j["metrics"][1]["name"], "cross_entropy");
  EXPECT_THAT(run({"eval", "--data", "data.npz", kModel}).out, HasSubstr("top1  100.00 %"));
}

TEST_F(Data, EvalRecordsInputsAndMeasuresGivenOutputs) {
  ASSERT_EQ(run({"eval", "--data", "data.npz", "--batch", "7", "--record", "rec", kModel}).code, 0);
  const std::vector<const char*> replay = {"eval", "--json",   "--data", "data.npz", "--batch",
                                           "7",    "--replay", "out",    kModel};
  const auto again = [&] { return run(std::vector<std::string>(replay.begin(), replay.end())); };
  EXPECT_EQ(again().code, 6);
  // Another runtime: what it gives is believed.
  std::filesystem::create_directory(path("out"));
  std::int64_t samples = 0;
  for (int batch = 0; exists(fmt::format("rec/batch_{:05}.npz", batch)); ++batch) {
    const Tensor image = read_npz(path(fmt::format("rec/batch_{:05}.npz", batch))).at("image");
    samples += image.shape[0];
    const Outcome ran = run({"infer", "--input", fmt::format("rec/batch_{:05}.npz", batch), "-o",
                             fmt::format("out/batch_{:05}.npz", batch), kModel});
    ASSERT_EQ(ran.code, 0) << ran.err;
  }
  EXPECT_EQ(samples, kSamples);
  EXPECT_EQ(Json::parse(again().out)["metrics"][0]["value"], 100.0);
  std::vector<float> wrong = to_floats(read_npz(path("out/batch_00000.npz")).at("logits"));
  for (float& v : wrong) v = -v;
  write_npz(path("out/batch_00000.npz"), {{"logits", Tensor::of({7, 10}, std::span<const float>(wrong))}});
  EXPECT_NEAR(Json::parse(again().out)["metrics"][0]["value"].get<double>(),
              100.0 * (kSamples - 7) / kSamples, 1e-6);
  write_npz(path("out/batch_00000.npz"), {{"other", Tensor::of({7, 10}, std::span<const float>(wrong))}});
  const Outcome lacks = again();
  EXPECT_EQ(lacks.code, 2);
  EXPECT_THAT(lacks.err, HasSubstr("logits"));
}

TEST_F(Data, EvalSaysWhatDoesNotFit) {
  EXPECT_EQ(run({"eval", kModel}).code, 2);
  const Outcome typo = run({"eval", "--data", "data.npz", "--metric", "top11", kModel});
  EXPECT_EQ(typo.code, 2);
  EXPECT_THAT(typo.err, HasSubstr("did you mean"));
  EXPECT_EQ(run({"eval", "--data", "nosuch", kModel}).code, 6);
  const Tensor small = Tensor::of({2, 1, 3, 3}, std::span<const float>(std::vector<float>(18)));
  write_npz(path("small.npz"), {{"image", small}});
  const Outcome shape = run({"eval", "--data", "small.npz", "--metric", "top1", kModel});
  EXPECT_EQ(shape.code, 2);
  EXPECT_THAT(shape.err, HasSubstr("image"));
}

TEST_F(Data, InferShowsWhatItWasGiven) {
  const Outcome o = run({"infer", "--json", "--random", "--seed", "3", "--tap", "logits", kModel});
  ASSERT_EQ(o.code, 0) << o.err;
  const Json j = Json::parse(o.out);
  EXPECT_THAT(j["inputs"][0].get<std::string>(), HasSubstr("seed 3"));
  EXPECT_EQ(j["outputs"][0]["shape"], Json({1, 10}));
  EXPECT_EQ(run({"infer", kModel}).code, 2);
  EXPECT_EQ(run({"infer", "--random", "--tap", "nosuch", kModel}).code, 2);
  EXPECT_EQ(run({"infer", "--input", "nosuch.npy", kModel}).code, 6);
  EXPECT_EQ(run({"infer", "--input", "y=x.npy", kModel}).code, 2);
}

TEST_F(Data, GatesKeepAResultFromBeingWritten) {
  const Outcome drop =
      run({"prune", "--ratio", "0.9", "-o", "p.onnx", "--eval-data", "data.npz", "--max-drop", "1", kModel});
  EXPECT_EQ(drop.code, 4) << drop.out;
  EXPECT_THAT(drop.err, HasSubstr("--max-drop: top1 went from 100.0000"));
  EXPECT_FALSE(exists("p.onnx"));
  EXPECT_EQ(run({"prune", "--ratio", "0.9", "-o", "p.onnx", "--verify", "2", "--min-snr", "60", kModel}).code,
            4);
  EXPECT_FALSE(exists("p.onnx"));
  const Outcome kept = run({"simplify", "-o", "s.onnx", "--verify", "2", "--eval-data", "data.npz",
                            "--max-drop", "0", "--report", "s.json", kModel});
  EXPECT_EQ(kept.code, 0) << kept.err;
  EXPECT_TRUE(exists("s.onnx"));
}

TEST_F(Data, CalibrationQuantizesActivations) {
  const Outcome o = run({"quantize", "--json", "--data", "data.npz", "-o", "q.onnx", "--eval-data",
                         "data.npz", "--max-drop", "20", kModel});
  ASSERT_EQ(o.code, 0) << o.err;
  const Json j = Json::parse(o.out);
  EXPECT_EQ(j["metrics"]["top1.before"], 100.0);
  EXPECT_GE(j["metrics"]["top1.after"], 80.0);
  const Outcome again = run({"quantize", "--data", "data.npz", "-j", "1", "-o", "q1.onnx", kModel});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(run({"compare", "--max-abs", "0", "q.onnx", "q1.onnx"}).code, 0) << "other bytes with one thread";
}

}  // namespace
}  // namespace compressor::test
