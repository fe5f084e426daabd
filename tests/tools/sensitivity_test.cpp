// sensitivity: the command, the files it writes, --config, and bounds that keep layers, as a shell sees them.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "compressor/base/random.h"
#include "compressor/data/numpy.h"
#include "program.h"

namespace compressor::test {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;

constexpr std::uint64_t kSeed = 21;
constexpr std::int64_t kSamples = 40;

class Sensitivity : public ProgramTest {
 protected:
  static constexpr const char* kModel = "resnet8_fashion.onnx";
  Sensitivity() { bring(kModel); }

  Json layers_of(const std::string& report) const { return Json::parse(read(report))["layers"]; }
  static std::size_t count(const Json& layers, const std::string& action) {
    return static_cast<std::size_t>(
        std::count_if(layers.begin(), layers.end(), [&](const Json& l) { return l["action"] == action; }));
  }
};

TEST_F(Sensitivity, EveryLayerIsTriedAndTheWorstComesFirst) {
  const Outcome o = run({"sensitivity", "--json", "--bits", "2", "--inputs", "2", kModel});
  ASSERT_EQ(o.code, 0) << o.err;
  const Json j = Json::parse(o.out);
  EXPECT_EQ(j["samples"], 2);
  ASSERT_GE(j["layers"].size(), 9U);
  for (std::size_t i = 1; i < j["layers"].size(); ++i)
    EXPECT_LE(j["layers"][i - 1]["alone"]["snr_db"], j["layers"][i]["alone"]["snr_db"]);
  for (const Json& l : j["layers"]) {
    EXPECT_GT(l["alone"]["snr_db"], j["whole"]["snr_db"]) << l["node"] << ": one layer harms less than all";
  }
  EXPECT_EQ(run({"sensitivity", "--json", "--bits", "2", "--inputs", "2", kModel}).out, o.out);
  const Outcome csv =
      run({"sensitivity", "--csv", "--bits", "2", "--measure", "alone", "--top", "1", kModel});
  EXPECT_EQ(std::count(csv.out.begin(), csv.out.end(), '\n'),
            static_cast<std::ptrdiff_t>(j["layers"].size()) + 1);
  EXPECT_THAT(run({"sensitivity", "--top", "1", kModel}).out, HasSubstr("more layers"));
}

TEST_F(Sensitivity, AnExcludeListGoesBackIntoQuantize) {
  const Outcome o =
      run({"sensitivity", "--bits", "4", "--write", "keep.yaml", "--keep", "2", "--json", kModel});
  ASSERT_EQ(o.code, 0) << o.err;
  const Json j = Json::parse(o.out);
  EXPECT_THAT(read("keep.yaml"), HasSubstr("bits: \"4\""));
  ASSERT_EQ(run({"quantize", "--config", "keep.yaml", "-o", "q.onnx", "--report", "q.json", kModel}).code, 0);
  const Json layers = layers_of("q.json");
  EXPECT_EQ(count(layers, "skipped"), 2U);
  for (const Json& l : layers) {
    const bool worst = l["node"] == j["layers"][0]["node"] || l["node"] == j["layers"][1]["node"];
    EXPECT_EQ(l["action"], worst ? "skipped" : "quantized") << l;
    if (!worst) {
      EXPECT_THAT(l["detail"].get<std::string>(), HasSubstr("int4"));
    }
  }
  // Ours may be written again, another's not.
  EXPECT_EQ(run({"sensitivity", "--write", "keep.yaml", "--keep", "1", kModel}).code, 0);
  write("other.yaml", "exclude: []\n");
  EXPECT_EQ(run({"sensitivity", "--write", "other.yaml", "--keep", "1", kModel}).code, 6);
}

TEST_F(Sensitivity, ABoundOnNoiseIsHeldByTheFileThatIsWritten) {
  const Json whole = Json::parse(run({"sensitivity", "--json", "--bits", "4", kModel}).out)["whole"];
  const double bound = whole["snr_db"].get<double>() + 3;
  const std::string text = std::to_string(bound);
  const auto snr = [&](const char* config) {
    EXPECT_EQ(run({"quantize", "--mode", "weight-only", "--config", config, "-o", "q.onnx", "--force",
                   "--report", "q.json", kModel})
                  .code,
              0);
    return Json::parse(run({"compare", "--json", kModel, "q.onnx"}).out)["outputs"][0]["snr_db"]
        .get<double>();
  };
  Outcome o = run({"sensitivity", "--bits", "4", "--write", "exclude.yaml", "--min-snr", text, kModel});
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_GE(snr("exclude.yaml"), bound - 1e-6);
  EXPECT_GT(count(layers_of("q.json"), "skipped"), 0U);
  EXPECT_GT(count(layers_of("q.json"), "quantized"), 0U);
  o = run({"sensitivity", "--write", "bits.yaml", "--plan", "bits", "--min-snr", text, kModel});
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_GE(snr("bits.yaml"), bound - 1e-6);
  std::set<std::string> types;
  for (const Json& l : layers_of("q.json")) {
    const auto detail = l["detail"].get<std::string>();
    for (const char* type : {"int8", " int4", "uint2"}) {
      if (detail.find(type) != std::string::npos) types.insert(type);
    }
  }
  EXPECT_GT(types.size(), 1U) << "not all layers have the same bits";
  const Outcome never =
      run({"sensitivity", "--write", "never.yaml", "--plan", "bits", "--min-snr", "300", kModel});
  EXPECT_EQ(never.code, 4);
  EXPECT_THAT(files(), testing::Not(testing::Contains("never.yaml")));
}

TEST_F(Sensitivity, QuantizeKeepsTheFewestLayersThatABoundNeeds) {
  make_labelled(kModel, kSamples, kSeed);
  const Words call = {"quantize", "--bits",      "2",        "--granularity", "tensor", "--clip",
                      "minmax",   "--eval-data", "data.npz", "--max-drop",    "10",     "-o",
                      "q.onnx",   "--report",    "q.json",   kModel};
  Words gate_only = call;
  gate_only.insert(gate_only.begin() + 1, "--no-keep-sensitive");
  const Outcome refused = run(gate_only);
  ASSERT_EQ(refused.code, 4) << refused.err;
  const Outcome o = run(call);
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_THAT(o.out, HasSubstr("stay as they were"));
  const Json report = Json::parse(read("q.json"));
  EXPECT_GE(report["metrics"]["top1.after"], 90.0);
  const std::size_t kept = count(report["layers"], "skipped");
  EXPECT_GT(kept, 0U);
  EXPECT_LT(kept, report["layers"].size());
  EXPECT_THAT(report["coverage"]["reasons"][0]["why"].get<std::string>(),
              HasSubstr("so that the bound holds"));
  const Json eval = Json::parse(run({"eval", "--json", "--data", "data.npz", "q.onnx"}).out);
  EXPECT_EQ(eval["metrics"][0]["value"], report["metrics"]["top1.after"]);
  const std::string bytes = read("q.onnx");
  ASSERT_EQ(run(call).code, 0);
  EXPECT_EQ(read("q.onnx"), bytes) << "the same again";
}

TEST_F(Sensitivity, TheReportSaysWhichGridEveryTensorLiesOn) {
  make_labelled(kModel, kSamples, kSeed);
  ASSERT_EQ(run({"quantize", "--data", "data.npz", "-o", "q.onnx", "--report", "q.json", kModel}).code, 0);
  const Json report = Json::parse(read("q.json"));
  std::size_t weights = 0;
  for (const Json& l : report["layers"]) {
    if (l["action"] != "quantized") continue;
    ASSERT_TRUE(l.contains("grids")) << l;
    for (const Json& g : l["grids"]) {
      EXPECT_LT(g["low"], g["high"]) << g;
      EXPECT_GT(g["scale_min"], 0) << g;
      if (g["role"] == "weight") {
        ++weights;
        EXPECT_EQ(g["type"], "int8");
        EXPECT_EQ(g["zero"], 0);
        EXPECT_GT(g["snr_db"], 30);
        // What the report says in words.
        char words[32];
        std::snprintf(words, sizeof words, "SNR %.1f dB", g["snr_db"].get<double>());
        EXPECT_THAT(l["detail"].get<std::string>(), HasSubstr(words));
      } else {
        EXPECT_EQ(g["type"], "uint8");
        EXPECT_NEAR(g["high"].get<double>() - g["low"].get<double>(), 255 * g["scale_min"].get<double>(),
                    1e-6);
        EXPECT_GT(g["snr_db"], 20) << g;
      }
    }
    EXPECT_EQ(l["grids"][0]["role"], "input");
  }
  EXPECT_EQ(weights, 10U);
  const Json& shares = report["coverage"]["shares"];
  EXPECT_GT(shares["integer_macs"], 0.999) << "all convolutions and the product";
  EXPECT_LE(shares["integer_macs"], 1);
  EXPECT_GT(shares["quantized_weight_bytes"], 0.95);
  EXPECT_LT(shares["quantized_weight_bytes"], 1) << "norms are weights, too";
  ASSERT_EQ(run({"quantize", "--exclude", "op:Gemm", "--report", "w.json", "-o", "w.onnx", kModel}).code, 0);
  const Json alone = Json::parse(read("w.json"));
  EXPECT_FALSE(alone["coverage"]["shares"].contains("integer_macs"));
  EXPECT_LT(alone["coverage"]["shares"]["quantized_weight_bytes"], shares["quantized_weight_bytes"]);
}

TEST_F(Sensitivity, FilesOfOptionsAreReadStrictly) {
  const auto refuses = [&](const std::string& text, const char* part, const Words& flags = {}) {
    write("c.yaml", text);
    Words words{"quantize", "--config", "c.yaml", "--dry-run"};
    words.insert(words.end(), flags.begin(), flags.end());
    words.emplace_back(kModel);
    const Outcome o = run(words);
    EXPECT_EQ(o.code, 2) << text;
    EXPECT_THAT(o.err, HasSubstr(part)) << text;
  };
  refuses("bitz: 4\n", "c.yaml: line 1: unknown option 'bitz'; did you mean 'bits'?");
  refuses("mode: auto\nbits: 3\n", "c.yaml: line 2: --bits: found '3'");
  refuses("config: other.yaml\n", "cannot set 'config'");
  refuses("bits: [4, 8]\n", "has a list");
  refuses("bits: 4\nbits: 8\n", "twice");
  refuses("- 4\n", "expected lines of");
  refuses("layers: {block1: {bitts: 8}}\n", "did you mean 'bits'?");
  refuses("layers: {block1: {bits: 3}}\n", "'block1': --bits: found '3'");
  refuses("layers: {nosuch: {bits: 8}}\n", "matches no node");
  refuses("layers: {'(': {bits: 8}}\n", "is not a regular expression");
  refuses("layers: {block1: 8}\n", "expected options and values");
  refuses("layers: {block1: {exclude: perhaps}}\n", "expected true or false");
  refuses("layers: {block1: {bits: 8}}\n", "does not go with mode dynamic", {"--mode", "dynamic"});
  EXPECT_EQ(run({"quantize", "--config", "missing.yaml", kModel}).code, 6);
  // Flags go before the file, and settings of a layer before both.
  write("c.yaml",
        "bits: 2\nexclude: [op:Gemm]\nlayers:\n  block1/conv1: {bits: 8}\n  block1: {exclude: true}\n");
  ASSERT_EQ(
      run({"quantize", "--config", "c.yaml", "--bits", "4", "-o", "q.onnx", "--report", "q.json", kModel})
          .code,
      0);
  for (const Json& l : layers_of("q.json")) {
    const auto node = l["node"].get<std::string>(), detail = l["detail"].get<std::string>();
    const bool out = l["op"] == "Gemm" || node == "/block1/conv2/Conv";
    EXPECT_EQ(l["action"], out ? "skipped" : "quantized") << node;
    if (!out) {
      EXPECT_THAT(detail, HasSubstr(node == "/block1/conv1/Conv" ? "int8" : "int4")) << node;
    }
  }
}

TEST_F(Sensitivity, BadQuestionsAreUsageErrors) {
  const auto refuses = [&](Words words, const char* part) {
    words.insert(words.begin(), "sensitivity");
    words.emplace_back(kModel);
    const Outcome o = run(words);
    EXPECT_EQ(o.code, 2) << part;
    EXPECT_THAT(o.err, HasSubstr(part));
  };
  refuses({"--json", "--csv"}, "expected one of them");
  refuses({"--metric", "top1"}, "--metric needs data");
  refuses({"--metric", "top11", "--data", "data.npz"}, "did you mean");
  refuses({"--keep", "2"}, "--keep needs --write");
  refuses({"--write", "f.yaml"}, "--write needs a bound");
  refuses({"--write", "f.yaml", "--keep", "1", "--min-snr", "3"}, "--keep does not go with");
  refuses({"--write", "f.yaml", "--max-drop", "1"}, "--max-drop needs --metric");
  refuses({"--write", "f.yaml", "--min-snr", "3", "--plan", "bits", "--mode", "dynamic"}, "weight-only");
  refuses({"--write", kModel, "--keep", "1"}, "is the input itself");
  refuses({"--bits", "3"}, "expected 8|4|2");
}

}  // namespace
}  // namespace compressor::test
