// sequence_test: language models and text recognisers.
#include <gmock/gmock.h>
#include <unistd.h>

#include <cmath>
#include <functional>

#include "metrics/ctc.h"
#include "metrics/edit_distance.h"
#include "metrics/made.h"

namespace compressor {
namespace {

using ::testing::HasSubstr;

class Characters {
 public:
  explicit Characters(const std::string& text)
      : path_(::testing::TempDir() + "metrics_characters_" + std::to_string(getpid()) + ".txt") {
    std::ofstream(path_) << text;
  }
  ~Characters() { std::remove(path_.c_str()); }
  Characters(const Characters&) = delete;
  Characters& operator=(const Characters&) = delete;
  std::string option(const std::string& metric) const { return metric + ":characters=" + path_; }

 private:
  std::string path_;
};

TEST(NextToken, NatsAndPerplexityOverTheTokensThatAreAsked) {
  made::Seeded random(31);
  const std::vector<float> logits = made::noise(random, 2 * 5 * 11, 2);
  const std::vector<std::vector<std::int64_t>> next = {{3, 0, 10, Truth::kNoTarget, 1},
                                                       {Truth::kNoTarget, 9, 9, 2, Truth::kNoTarget}};
  auto items = made::items(2);
  double sum = 0, tokens = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    items[i].truth.target = Tensor::of({5}, std::span<const std::int64_t>(next[i]));
    for (std::size_t t = 0; t < 5; ++t) {
      if (next[i][t] < 0) continue;
      double total = 0;
      const auto z = [&](std::size_t v) { return static_cast<double>(logits[(i * 5 + t) * 11 + v]); };
      for (std::size_t v = 0; v < 11; ++v) total += std::exp(z(v));
      sum += std::log(total) - z(static_cast<std::size_t>(next[i][t]));
      tokens += 1;
    }
  }
  const Outputs outputs = made::output("logits", {2, 5, 11}, logits);
  EXPECT_NEAR(made::once("nats_per_token", outputs, items), sum / tokens, 1e-12);
  EXPECT_NEAR(made::once("perplexity", outputs, items), std::exp(sum / tokens), 1e-9);
  EXPECT_NEAR(made::once("perplexity", made::output("y", {1, 4, 7}, std::vector<float>(28, 0.5F)),
                         [] {
                           auto one = made::items(1);
                           one[0].truth.target = Tensor::of({4}, std::vector<std::int64_t>{0, 1, 2, 3});
                           return one;
                         }()),
              7, 1e-9);
}

TEST(NextToken, RefusesWhatDoesNotFit) {
  const Outputs outputs = made::output("logits", {1, 2, 4}, std::vector<float>(8, 0.F));
  auto items = made::items(1);
  EXPECT_EQ(made::refused([&] { made::once("perplexity", outputs, items); }),
            "perplexity: sample 'sample0' has no next tokens, expected 2 of them");
  items[0].truth.target = Tensor::of({3}, std::vector<std::int64_t>{1, 1, 1});
  EXPECT_THAT(made::refused([&] { made::once("perplexity", outputs, items); }),
              HasSubstr("has 3 next tokens, expected 2"));
  items[0].truth.target = Tensor::of({2}, std::vector<std::int64_t>{1, 4});
  EXPECT_THAT(made::refused([&] { made::once("perplexity", outputs, items); }),
              HasSubstr("has token 4, expected 0 to 3"));
  EXPECT_THAT(
      made::refused([&] {
        made::once("perplexity", made::output("y", {2, 4}, std::vector<float>(8, 0.F)), made::items(2));
      }),
      HasSubstr("expected logits 2 x tokens x vocabulary"));
}

TEST(EditDistance, IsTheShortestPathOfSingleEdits) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    made::Seeded random(seed);
    const auto word = [&] {
      std::vector<int> w(random.below(6));
      for (int& c : w) c = static_cast<int>(random.below(3));
      return w;
    };
    const std::vector<int> a = word(), b = word();
    const std::function<std::int64_t(std::size_t, std::size_t)> plain = [&](std::size_t i,
                                                                            std::size_t j) -> std::int64_t {
      if (i == a.size()) return static_cast<std::int64_t>(b.size() - j);
      if (j == b.size()) return static_cast<std::int64_t>(a.size() - i);
      return std::min(
          {plain(i + 1, j + 1) + (a[i] == b[j] ? 0 : 1), plain(i + 1, j) + 1, plain(i, j + 1) + 1});
    };
    EXPECT_EQ(metrics::edit_distance(a, b), plain(0, 0));
  }
}

TEST(EditDistance, CharactersAreThoseOfUtf8) {
  EXPECT_EQ(metrics::characters_of("a\xC3\xA9\xE7\x96\x97\xF0\x9F\x98\x80z").size(), 5U);
  EXPECT_EQ(metrics::characters_of("\xE7\x96").size(), 2U);  // cut short: a byte each
  EXPECT_EQ(metrics::words_of("  two\twords \n"), (std::vector<std::string>{"two", "words"}));
  EXPECT_TRUE(metrics::words_of(" ").empty());
}

TEST(Ctc, EqualNeighboursBecomeOneAndBlanksGo) {
  const std::vector<std::string> symbols = {"", "a", "b", "l"};
  EXPECT_EQ(metrics::collapse({0, 1, 1, 0, 1, 2, 2, 3, 0, 3, 0}, 0, symbols), "aabll");
  EXPECT_EQ(metrics::collapse({}, 0, symbols), "");
  EXPECT_EQ(metrics::collapse({0, 0, 7, -1}, 0, symbols), "");
}

/// Scores [T, C] whose best path spells `path`.
std::vector<float> spelled(const std::vector<std::size_t>& path, std::size_t classes) {
  std::vector<float> scores(path.size() * classes, 0.1F);
  for (std::size_t t = 0; t < path.size(); ++t) scores[t * classes + path[t]] = 0.9F;
  return scores;
}

TEST(Ctc, CharactersWordsAndTexts) {
  const Characters file("a\nb\r\nc\n");
  // blank a b c and a space that the list does not name
  std::vector<float> scores = spelled({1, 1, 0, 1, 2, 4, 3, 3}, 5);        // "aab c"
  const std::vector<float> second = spelled({1, 0, 2, 4, 4, 2, 0, 0}, 5);  // "ab b"
  scores.insert(scores.end(), second.begin(), second.end());
  const Outputs outputs = made::output("y", {2, 8, 5}, scores);
  auto items = made::items(2);
  items[0].truth.text = "aab c";
  items[1].truth.text = "ab cc";
  EXPECT_NEAR(made::once(file.option("char_accuracy"), outputs, items), 100 * (1 - 2.0 / 10), 1e-9);
  EXPECT_NEAR(made::once(file.option("word_accuracy"), outputs, items), 100 * (1 - 1.0 / 4), 1e-9);
  EXPECT_NEAR(made::once(file.option("text_accuracy"), outputs, items), 50, 1e-9);
  items[0].truth.text = "AABC";
  EXPECT_NEAR(
      made::once(file.option("text_accuracy") + ",ignore-case=true,ignore-space=true", outputs, items), 50,
      1e-9);

  std::vector<float> steps_first(scores.size());
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t t = 0; t < 8; ++t) {
      for (std::size_t c = 0; c < 5; ++c) steps_first[(t * 2 + i) * 5 + c] = scores[(i * 8 + t) * 5 + c];
    }
  }
  items[0].truth.text = "aab c";
  EXPECT_NEAR(made::once(file.option("char_accuracy"), made::output("y", {8, 2, 5}, steps_first), items), 80,
              1e-9);
  const std::vector<std::int64_t> last = {0, 0, 3, 1};  // a, blank last, b
  auto one = made::items(1);
  one[0].truth.text = "ab";
  EXPECT_NEAR(made::once(file.option("text_accuracy") + ",blank=last", made::output("y", {1, 4}, last), one),
              100, 1e-9);
}

TEST(Ctc, RefusesWhatDoesNotFit) {
  const Characters file("a\nb\nc\n");
  auto items = made::items(1);
  const Outputs outputs = made::output("y", {1, 4, 9}, std::vector<float>(36, 0.F));
  EXPECT_THAT(made::refused([&] { made::once(file.option("char_accuracy"), outputs, items); }),
              HasSubstr("output 'y' (float32 1x4x9): 9 classes, expected 4 for the characters"));
  EXPECT_THAT(made::refused([&] {
                made::once(file.option("char_accuracy"),
                           made::output("y", {1, 4, 4}, std::vector<float>(16, 0.F)), items);
              }),
              HasSubstr("sample 'sample0' has no text"));
  EXPECT_THROW(make_metric("char_accuracy:characters=/no/such/file"), Error);
  EXPECT_THAT(made::refused([&] { made::once("char_accuracy", outputs, items); }),
              HasSubstr("needs the characters that the model knows: --characters FILE"));
}

TEST(Ctc, CharactersOfTheData) {
  auto items = made::items(1);
  items[0].truth.text = "ba";
  const auto metric = make_metric("text_accuracy", {.classes = {"a", "b"}});
  metric->update(made::output("y", {1, 3, 3}, spelled({2, 0, 1}, 3)), {.items = items});
  EXPECT_EQ(metric->value(), 100);
}

}  // namespace
}  // namespace compressor
