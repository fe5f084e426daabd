// closeness_test: SNR, cosine and largest difference against plain formulas, with a reference and with
// targets.
#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "metrics/made.h"

namespace compressor {
namespace {

using ::testing::HasSubstr;

double against(const std::string& metric, const Outputs& outputs, const Outputs& reference) {
  const auto m = make_metric(metric);
  m->update(outputs, {.items = {}, .reference = &reference});
  return m->value();
}

TEST(Closeness, IsThatOfTheWorstOutputOverAllBatches) {
  made::Seeded random(41);
  const auto snr = make_metric("snr"), cosine = make_metric("cosine"), largest = make_metric("max_abs"),
             only_a = make_metric("snr:output=a"), other = make_metric("snr");
  std::vector<double> signal(2, 0), noise(2, 0), dot(2, 0), own(2, 0);
  double most = 0;
  for (int batch = 0; batch < 3; ++batch) {
    Outputs outputs, reference;
    for (std::size_t o = 0; o < 2; ++o) {
      const std::string name(1, static_cast<char>('a' + o));
      const std::vector<float> r = made::noise(random, 12);
      std::vector<float> x = r;
      for (float& v : x) v += static_cast<float>(random.normal() * (o == 0 ? 0.01 : 0.1));
      for (std::size_t i = 0; i < 12; ++i) {
        const auto xi = static_cast<double>(x[i]), ri = static_cast<double>(r[i]);
        signal[o] += ri * ri, noise[o] += (xi - ri) * (xi - ri), dot[o] += xi * ri, own[o] += xi * xi;
        most = std::max(most, std::abs(xi - ri));
      }
      outputs.push_back(made::output(name, {3, 4}, x)[0]);
      reference.insert(reference.begin(), made::output(name, {3, 4}, r)[0]);  // order does not matter
    }
    for (const auto* m : {&snr, &cosine, &largest, &only_a})
      (*m)->update(outputs, {.items = {}, .reference = &reference});
    if (batch == 0) other->update(outputs, {.items = {}, .reference = &reference});
  }
  EXPECT_NEAR(snr->value(), 10 * std::log10(signal[1] / noise[1]), 1e-9);
  EXPECT_NEAR(only_a->value(), 10 * std::log10(signal[0] / noise[0]), 1e-9);
  EXPECT_NEAR(cosine->value(), dot[1] / std::sqrt(signal[1] * own[1]), 1e-12);
  EXPECT_NEAR(largest->value(), most, 1e-12);
  const double before = snr->value();
  other->merge(*snr);
  EXPECT_LT(std::abs(other->value() - before), 3);
}

TEST(Closeness, AnswersToFramesAreComparedAsSound) {
  // Frames of 4 every 2, each twice what it should be: 1 2 3 4 5 6 becomes 2 4 6 8 10 12 where it should be
  // 1 2 3 4 (what comes after is not known, the last two are not complete).
  const auto frames = std::make_shared<Frames>();
  frames->frame = 4;
  frames->hop = 2;
  std::vector<BatchItem> items(2);
  for (std::size_t i = 0; i < 2; ++i) {
    items[i].name = "x.wav";
    const auto from = static_cast<float>(2 * i);
    items[i].truth.frame = FrameTruth{.frames = frames,
                                      .begin = static_cast<std::int64_t>(2 * i),
                                      .spectrum = {},
                                      .wanted = std::vector<float>{from + 1, from + 2}};
  }
  const Outputs outputs = {made::output("state", {2, 3}, std::vector<float>(6))[0],
                           made::output("y", {2, 1, 4}, std::vector<float>{2, 4, 6, 8, 6, 8, 10, 12})[0]};
  const auto snr = make_metric("snr"), largest = make_metric("max_abs");
  for (const auto* m : {&snr, &largest}) (*m)->update(outputs, {.items = items});
  EXPECT_NEAR(snr->value(), 0, 1e-9) << "the noise is as large as the signal";
  EXPECT_NEAR(largest->value(), 4, 1e-9);
  const auto refused = [&](const std::string& metric, const Outputs& given) {
    try {
      make_metric(metric)->update(given, {.items = items});
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("nothing was refused");
  };
  EXPECT_THAT(refused("snr:output=state", outputs), HasSubstr("expected 4 numbers for a frame"));
  items[1].truth.frame->wanted.reset();
  EXPECT_THAT(refused("snr", outputs), HasSubstr("nothing says what 'x.wav' should become"));
}

TEST(Closeness, ExtremesHaveValues) {
  const double inf = std::numeric_limits<double>::infinity();
  const Outputs zero = made::output("y", {2}, std::vector<float>{0, 0}),
                one = made::output("y", {2}, std::vector<float>{0, 1});
  const Outputs nan = made::output("y", {2}, std::vector<float>{0, std::nanf("")});
  EXPECT_EQ(against("snr", one, one), inf);
  EXPECT_EQ(against("snr", one, zero), -inf);
  EXPECT_EQ(against("cosine", zero, zero), 1);
  EXPECT_EQ(against("cosine", one, zero), 0);
  EXPECT_EQ(against("max_abs", one, zero), 1);
  for (const char* metric : {"snr", "cosine", "max_abs"})
    EXPECT_TRUE(std::isnan(against(metric, nan, one))) << metric;
  const Outputs large = made::output("y", {1}, std::vector<float>{std::numeric_limits<float>::infinity()});
  EXPECT_EQ(against("max_abs", large, large), 0);
}

TEST(Closeness, TargetsOfTheDataAndFilledBatches) {
  auto items = made::items(2);
  items[0].truth.target = Tensor::of({3}, std::vector<float>{1, 2, 3});
  items[1].truth.target = Tensor::of({3}, std::vector<float>{4, 5, 6});
  const std::vector<float> x = {1, 2, 3.5F, 4, 5, 6};
  EXPECT_NEAR(made::once("max_abs", made::output("y", {2, 1, 3}, x), items), 0.5, 1e-12);
  const auto metric = make_metric("max_abs");
  const Outputs a = made::output("y", {3, 2}, std::vector<float>{1, 1, 2, 2, 9, 9}),
                b = made::output("y", {3, 2}, std::vector<float>{1, 1, 2, 3, 0, 0});
  metric->update(a, {.items = items, .rows = 3, .reference = &b});
  EXPECT_EQ(metric->value(), 1);
}

TEST(Closeness, RefusesWhatDoesNotFit) {
  const Outputs a = made::output("a", {2}, std::vector<float>{1, 2}),
                wide = made::output("a", {2, 1}, std::vector<float>{1, 2});
  EXPECT_EQ(made::refused([&] { against("snr", a, wide); }),
            "snr: output 'a' (float32 2), expected 2x1 as in the reference");
  EXPECT_THAT(made::refused([&] { against("snr:output=b", a, a); }),
              HasSubstr("no output 'b', found a (float32 2)"));
  EXPECT_EQ(against("max_abs", a, made::output("b", {2}, std::vector<float>{1, 2})), 0);  // by order
  EXPECT_THAT(made::refused([&] { made::once("snr", a, made::items(1)); }), HasSubstr("has no target"));
}

}  // namespace
}  // namespace compressor
