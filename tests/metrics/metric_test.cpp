// metric_test: names, options and merging of all metrics.
#include "compressor/metrics/metric.h"

#include <gmock/gmock.h>

#include <set>

#include "metrics/made.h"

namespace compressor {
namespace {

using ::testing::HasSubstr;

TEST(Metric, EveryNameIsThereOnceAndMakesItself) {
  std::set<std::string> names;
  for (const MetricInfo& info : all_metrics()) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_FALSE(info.summary.empty()) << info.name;
    if (info.name.ends_with("_accuracy")) continue;  // these need a character list
    const auto metric = make_metric(info.name);
    EXPECT_EQ(metric->name(), info.name);
    EXPECT_EQ(metric->text(), info.name);
    EXPECT_THAT(made::refused([&] { metric->value(); }), HasSubstr(info.name + ": no "));
  }
  for (const char* wanted :
       {"top1", "top5", "cross_entropy", "ap", "ap50", "ap75", "miou", "perplexity", "nats_per_token",
        "char_accuracy", "word_accuracy", "text_accuracy", "snr", "cosine", "max_abs"})
    EXPECT_EQ(names.count(wanted), 1U) << wanted;
}

TEST(Metric, MisspeltNamesAndOptionsAreRefusedWithASuggestion) {
  EXPECT_THAT(made::refused([] { make_metric("top11"); }), HasSubstr("unknown metric 'top11'"));
  EXPECT_THAT(made::refused([] { make_metric("miuo"); }), HasSubstr("did you mean 'miou'?"));
  EXPECT_EQ(made::refused([] { make_metric("top1:outpt=x"); }),
            "metric top1: unknown option 'outpt', expected one of output, offset; did you mean 'output'?");
  EXPECT_EQ(made::refused([] { make_metric("top1:logits"); }),
            "metric top1: found 'logits', expected option=value");
  EXPECT_EQ(made::refused([] { make_metric("ap:score=2"); }),
            "metric ap: score: found '2', expected a number in [0, 1]");
  EXPECT_THAT(made::refused([] { make_metric("ap:decoder=yolo9"); }), HasSubstr("did you mean 'yolo'?"));
  EXPECT_THAT(made::refused([] { make_metric("ap:decoder=yolox,stride=8"); }),
              HasSubstr("unknown option 'stride'"));
  EXPECT_THAT(made::refused([] { make_metric("ap:decoder=yolox,stride=8"); }),
              HasSubstr("did you mean 'strides'?"));
  EXPECT_THAT(made::refused([] { make_metric("ap:decoder=yolox,strides=8,x"); }), HasSubstr("found '8,x'"));
  EXPECT_THAT(made::refused([] { make_metric("ap:decoder=fastestdet,priors=a.npy"); }),
              HasSubstr("metric ap with decoder=fastestdet: unknown option 'priors'"));
  EXPECT_THAT(made::refused([] { make_metric("ap:priors=a,strides=8"); }),
              HasSubstr("choose one with decoder="));
}

TEST(Metric, MergingIsSeeingBothInTurn) {
  made::Seeded random(5);
  for (const char* name : {"top1", "top5", "cross_entropy"}) {
    const auto all = make_metric(name), first = make_metric(name), second = make_metric(name);
    for (int n = 0; n < 6; ++n) {
      const Outputs outputs = made::output("y", {3, 8}, made::noise(random, 24));
      const auto items = made::labelled({static_cast<std::int64_t>(random.below(8)), 2, 7});
      all->update(outputs, {.items = items});
      (n < 2 ? first : second)->update(outputs, {.items = items});
    }
    first->merge(*second);
    EXPECT_NEAR(first->value(), all->value(), 1e-12) << name;
  }
  EXPECT_ANY_THROW(make_metric("top1")->merge(*make_metric("top5")));
  EXPECT_ANY_THROW(make_metric("top1")->merge(*make_metric("snr")));
}

}  // namespace
}  // namespace compressor
