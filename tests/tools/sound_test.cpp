// sound: a WAV file as the frames that a network with state takes, as a shell runs it.
#include <gmock/gmock.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "compressor/base/random.h"
#include "compressor/data/numpy.h"
#include "compressor/onnx/save.h"
#include "program.h"

namespace compressor::test {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;

constexpr std::uint64_t kSeed = 31;
constexpr std::int64_t kValues = 400, kBins = 17;

/// Float, one channel, 16 kHz.
std::string wav_of(const std::vector<float>& values) {
  const auto number = [](std::uint32_t v, int bytes) {
    std::string text(4, '\0');
    std::memcpy(text.data(), &v, 4);
    return text.substr(0, static_cast<std::size_t>(bytes));
  };
  const std::string data(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  const auto size = static_cast<std::uint32_t>(data.size());
  return "RIFF" + number(size + 36, 4) + "WAVEfmt " + number(16, 4) + number(3, 2) + number(1, 2) +
         number(16000, 4) + number(64000, 4) + number(4, 2) + number(32, 2) + "data" + number(size, 4) + data;
}

/// y = x W with W half the identity, over both parts of 17 frequencies; h_out = h + 1. x_noisy.wav is noise
/// and x_clean.wav half of it.
class Sound : public ProgramTest {
 protected:
  Sound() {
    Model model;
    model.ir_version = 8;
    model.opsets = {{"", 17}};
    Graph& g = *model.graph;
    const Type spectrum = Type::tensor(DType::kFloat, {1, 2, kBins}),
               state = Type::tensor(DType::kFloat, {1, 4});
    const Value* x = g.add_input("x", Type::tensor(DType::kFloat, {1, kBins, 2}));
    const Value* h = g.add_input("h", state);
    std::vector<float> half(kBins * kBins);
    for (std::size_t i = 0; i < kBins; ++i) half[i * (kBins + 1)] = 0.5F;
    const Value* w = g.add_initializer("w", Tensor::of({kBins, kBins}, half));
    const Value* one = g.add_initializer("one", Tensor::of({1}, std::vector<float>{1}));
    const Node& turn = g.add_node({.op = "Transpose", .inputs = {x}, .outputs = {"xt"}, .name = "turn"});
    const Node& product =
        g.add_node({.op = "MatMul", .inputs = {turn.output(0), w}, .outputs = {"yt"}, .name = "half"});
    const Node& back =
        g.add_node({.op = "Transpose", .inputs = {product.output(0)}, .outputs = {"y"}, .name = "back"});
    const Node& add = g.add_node({.op = "Add", .inputs = {h, one}, .outputs = {"h_out"}, .name = "count"});
    for (const Node* n : {&turn, &back}) g.set_attribute(*n, {"perm", std::vector<std::int64_t>{0, 2, 1}});
    g.set_type(*turn.output(0), spectrum);
    g.set_type(*product.output(0), spectrum);
    g.set_type(*back.output(0), x->type());
    g.set_type(*add.output(0), state);
    g.add_output(*back.output(0));
    g.add_output(*add.output(0));
    save_model(model, path("m.onnx"));
    Random random(kSeed);
    std::vector<float> noisy(kValues), clean;
    for (float& v : noisy) v = static_cast<float>(0.3 * random.normal());
    for (const float v : noisy) clean.push_back(0.5F * v);
    write("x_noisy.wav", wav_of(noisy));
    write("x_clean.wav", wav_of(clean));
  }
  const std::string frames_ = "frame=32,hop=16,window=sqrt_hann,spectrum=complex,edges=mirror";
};

TEST_F(Sound, EvalComparesWhatIsLaidBack) {
  const Outcome o = run(
      {"eval", "--json", "--data", "x_noisy.wav", "--preprocess", frames_, "--state", "h_out=h", "m.onnx"});
  ASSERT_EQ(o.code, 0) << o.err;
  const Json j = Json::parse(o.out);
  EXPECT_EQ(j["samples"], kValues / 16 + 1);
  EXPECT_EQ(j["metrics"][0]["name"], "snr");
  EXPECT_GT(j["metrics"][0]["value"], 100.0) << "seed " << kSeed;
  EXPECT_EQ(j["data"]["preprocess"], frames_ + ",answer=same");
  const Outcome forgotten = run({"eval", "--data", "x_noisy.wav", "--preprocess", frames_, "m.onnx"});
  EXPECT_EQ(forgotten.code, 2);
  EXPECT_THAT(forgotten.err, HasSubstr("--state h_out=h")) << "x is what the frames fit";
  const Outcome alone = run({"eval", "--data", "x_clean.wav", "--preprocess", frames_, "--metric", "snr",
                             "--state", "h_out=h", "m.onnx"});
  EXPECT_EQ(alone.code, 2);
  EXPECT_THAT(alone.err, HasSubstr("nothing says what 'x_clean.wav[0]' should become"));
}

TEST_F(Sound, CalibrationAndComparisonStartFromIt) {
  const Outcome o =
      run({"quantize", "--mode", "static", "--data", "x_noisy.wav", "--preprocess", frames_, "--state",
           "h_out=h", "--metric", "snr", "-o", "q.onnx", "--report", "q.json", "m.onnx"});
  ASSERT_EQ(o.code, 0) << o.err;
  const Json j = Json::parse(read("q.json"));
  EXPECT_GT(j["metrics"]["snr.before"], 100.0);
  EXPECT_GT(j["metrics"]["snr.after"], 30.0);
  EXPECT_LT(j["metrics"]["snr.after"], 70.0);
  const Outcome c = run({"compare", "--data", "x_noisy.wav", "--preprocess", frames_, "--state", "h_out=h",
                         "--min-snr", "30", "m.onnx", "q.onnx"});
  EXPECT_EQ(c.code, 0) << c.err;
}

TEST_F(Sound, InferTakesItsFrames) {
  const Outcome o = run({"infer", "--input", "x_noisy.wav", "--preprocess", frames_, "--state", "h_out=h",
                         "-o", "out.npz", "m.onnx"});
  ASSERT_EQ(o.code, 0) << o.err;
  const auto out = read_npz(path("out.npz"));
  EXPECT_EQ(out.at("y").shape, (Dims{kValues / 16 + 1, 1, kBins, 2}));
  EXPECT_EQ(to_floats(out.at("h_out")).back(), kValues / 16 + 1);
  for (const Words& bad : {Words{"--input", "x_noisy.wav", "--preprocess", "imagenet", "--state", "h_out=h"},
                           Words{"--input", "x_noisy.wav", "--preprocess", frames_},
                           Words{"--random", "--preprocess", frames_, "--state", "h_out=h"}}) {
    Words words = {"infer"};
    words.insert(words.end(), bad.begin(), bad.end());
    words.push_back("m.onnx");
    EXPECT_EQ(run(words).code, 2) << bad[1];
  }
}

}  // namespace
}  // namespace compressor::test
