// hold: the fewest steps, and the fewest layers, with which a bound holds.
#include "compressor/pipeline/hold.h"

#include <gmock/gmock.h>

#include "compressor/pipeline/registry.h"
#include "compressor/pipeline/yardstick.h"
#include "pipeline/chain.h"

namespace compressor {
namespace {

TEST(Fewest, FindsTheFirstThatHoldsInFewQuestions) {
  for (std::size_t n = 0; n <= 70; ++n) {
    for (std::size_t first = 0; first <= n + 1; ++first) {
      int asked = 0;
      const auto found = fewest(n, [&](std::size_t k) {
        EXPECT_LE(k, n);
        ++asked;
        return k >= first;
      });
      if (first > n) {
        EXPECT_FALSE(found);
      } else {
        EXPECT_EQ(found, first) << "of " << n;
      }
      EXPECT_LE(asked, 15) << first << " of " << n;
    }
  }
}

class HoldGate : public testing::Test {
 protected:
  HoldGate() : pass_(make_pass("quantize")) {
    pass_->find_option("bits")->parse("4");
    pass_->find_option("granularity")->parse("tensor");
    pass_->find_option("clip")->parse("minmax");
    trials_.emplace(*pass_, model_, PassContext{});
    yardstick_.emplace(
        model_,
        [this](const auto& visit) {
          for (const auto& f : feeds_) visit(YardstickBatch{.feeds = f});
        },
        nullptr, std::vector<std::string>{});
  }
  std::optional<Held> hold(double noise, const std::vector<std::string>& order) {
    return hold_gate(*trials_, order, [&](const Model& m) { return yardstick_->read(m).noise <= noise; }, {});
  }
  double noise_without(const Trials::Labels& labels) {
    return yardstick_->read(trials_->without(labels)->model).noise;
  }

  Model model_ = testing_chain::chain();
  std::vector<Executor::Feeds> feeds_ = testing_chain::inputs_of(3);
  std::unique_ptr<Pass> pass_;
  std::optional<Trials> trials_;
  std::optional<Yardstick> yardstick_;
};

TEST_F(HoldGate, KeepsNoLayerWhereTheBoundHolds) {
  const auto held = hold(1e9, {"layer.1", "layer.2", "layerA2"});
  ASSERT_TRUE(held);
  EXPECT_TRUE(held->kept.empty());
  EXPECT_EQ(held->tries, 1);
}

TEST_F(HoldGate, KeepsTheOneThatHelps) {
  const double bound = noise_without({"layer.2"}) * 1.01;
  ASSERT_GT(noise_without({"layer.1"}), bound);
  for (const std::vector<std::string>& order :
       {std::vector<std::string>{"layer.2", "layer.1", "layerA2"}, {"layer.1", "layer.2", "layerA2"}}) {
    const auto held = hold(bound, order);
    ASSERT_TRUE(held);
    EXPECT_THAT(held->kept, testing::ElementsAre("layer.2")) << "also when it does not come first";
    EXPECT_LE(yardstick_->read(held->trial.model).noise, bound);
  }
}

TEST_F(HoldGate, SaysSoWhenNothingHelps) {
  EXPECT_FALSE(hold(0, {"layer.2", "layer.1", "layerA2"}));
}

}  // namespace
}  // namespace compressor
