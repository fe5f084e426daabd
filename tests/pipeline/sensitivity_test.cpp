// sensitivity: layers alone and kept, on nets whose most sensitive layer is known.
#include "compressor/pipeline/sensitivity.h"

#include <gmock/gmock.h>

#include "compressor/base/error.h"
#include "compressor/pipeline/registry.h"
#include "pipeline/chain.h"

namespace compressor {
namespace {

using testing_chain::chain;
using testing_chain::inputs_of;
using testing_chain::kSpoiled;

TEST(Trials, LayersAreThoseThatThePassChanges) {
  const Model model = chain();
  const auto pass = make_pass("quantize");
  Trials trials(*pass, model, {});
  ASSERT_EQ(trials.layers().size(), 3U);
  EXPECT_EQ(trials.layers()[1].node, kSpoiled);
  EXPECT_EQ(trials.layers()[1].pattern, "^layer\\.2$");
  const auto quantized = [](const PassResult& r) {
    std::vector<std::string> names;
    for (const LayerRecord& l : r.layers) {
      if (l.action == "quantized") names.push_back(l.node);
    }
    return names;
  };
  EXPECT_THAT(quantized(trials.whole().result), testing::ElementsAre("layer.1", "layer.2", "layerA2"));
  EXPECT_THAT(quantized(trials.only({kSpoiled})->result), testing::ElementsAre("layer.2"));
  EXPECT_THAT(quantized(trials.without({kSpoiled})->result), testing::ElementsAre("layer.1", "layerA2"));
  EXPECT_FALSE(trials.without({"layer.1", "layer.2", "layerA2"})) << "nothing is left to do";
}

TEST(Trials, PassesThatCutAcrossLayersAreRefused) {
  const Model model = chain();
  const auto pass = make_pass("prune");
  EXPECT_THROW(Trials(*pass, model, {}), Error);
}

TEST(Trials, StatisticsAreGatheredOnce) {
  const Model model = chain();
  const auto pass = make_pass("quantize");
  int passes = 0;
  PassContext context;
  const auto feeds = inputs_of(3);
  context.batches = [&](const std::function<void(const PassContext::Inputs&)>& visit) {
    ++passes;
    for (const auto& f : feeds) visit({{"x", f.at("x").tensor}});
  };
  Trials trials(*pass, model, context);
  const int first = passes;
  EXPECT_GE(first, 1);
  for (const TrialLayer& layer : trials.layers()) {
    ASSERT_TRUE(trials.only({layer.node}));
    ASSERT_TRUE(trials.without({layer.node}));
  }
  EXPECT_EQ(passes, first);
}

TEST(Sensitivity, TheSpoiledLayerComesFirst) {
  const Model model = chain();
  const auto pass = make_pass("quantize");
  pass->find_option("bits")->parse("4");
  pass->find_option("granularity")->parse("tensor");
  pass->find_option("clip")->parse("minmax");
  const auto feeds = inputs_of(4);
  const Yardstick yardstick(model,
                            [&](const auto& visit) {
                              for (const auto& f : feeds) visit(YardstickBatch{.feeds = f});
                            },
                            nullptr, {});
  EXPECT_EQ(yardstick.reference().noise, 0);
  EXPECT_EQ(yardstick.read(model).noise, 0);
  Trials trials(*pass, model, {});
  const double whole = yardstick.read(trials.whole().model).noise;
  std::vector<std::string> said;
  const SensitivityOptions options{
      .progress = [&](const std::string& what, double) { said.push_back(what); }};
  auto layers = measure_sensitivity(trials, yardstick, options);
  EXPECT_EQ(said.size(), 3U);
  sort_by_damage(layers, yardstick);
  EXPECT_EQ(layers[0].layer.node, kSpoiled);
  EXPECT_GT(layers[0].alone->noise, 4 * layers[1].alone->noise);
  EXPECT_LT(layers[0].kept->noise, whole / 2) << "without it most of the damage is gone";
  for (const LayerSensitivity& s : layers) EXPECT_GT(s.alone->noise, 0);
  // Only one of the two.
  const SensitivityOptions kept{.alone = false, .progress = {}};
  layers = measure_sensitivity(trials, yardstick, kept);
  sort_by_damage(layers, yardstick);
  EXPECT_EQ(layers[0].layer.node, kSpoiled);
  EXPECT_FALSE(layers[0].alone);
}

}  // namespace
}  // namespace compressor
