// Every real model: simplified it loads, answers the same within 1e-5, and simplifying again changes nothing.
#include <cctype>
#include <filesystem>

#include "compressor/onnx/load.h"
#include "passes/simplify/small_net.h"

namespace compressor::judge {
namespace {

class RealModel : public ::testing::TestWithParam<std::string> {};

TEST_P(RealModel, SimplifiesToTheSame) {
  if (GetParam().empty()) GTEST_SKIP() << "NO REAL MODELS: set COMPRESSOR_MODELS to a folder of .onnx files";
  const Model model = load_model(GetParam());
  const Simplified s = simplify(model);
  EXPECT_LE(s.graph().nodes().size(), model.graph->nodes().size());
  REQUIRE_REFEREE();
  Conditions conditions;
  if (GetParam().ends_with("vad_silero.onnx"))
    conditions.shapes = {{"input", {1, 256}}, {"state", {2, 1, 128}}};  // a frame of 8 kHz
  expect_same_numbers(s, conditions);
}

std::vector<std::string> models_or_nothing() {
  auto files = real_models();
  if (files.empty()) files.emplace_back();
  return files;
}

INSTANTIATE_TEST_SUITE_P(Folder, RealModel, ::testing::ValuesIn(models_or_nothing()), [](const auto& c) {
  std::string name = std::filesystem::path(c.param).stem().string();
  for (char& letter : name) letter = std::isalnum(static_cast<unsigned char>(letter)) ? letter : '_';
  return name.empty() ? std::string("none") : name;
});

}  // namespace
}  // namespace compressor::judge
