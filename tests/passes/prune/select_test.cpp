// select_test: which units go, by ratio, scope and rounding.
#include "passes/prune/select.h"

#include <gtest/gtest.h>

namespace compressor::prune {
namespace {

/// A group of n units whose roots are first, first + 1, ...
ChannelGroup group(Atom first, std::size_t n) {
  ChannelGroup g;
  for (std::size_t i = 0; i < n; ++i) g.units.push_back({.root = first + static_cast<Atom>(i), .slices = {}});
  return g;
}

Candidate candidate(const ChannelGroup& g, std::vector<double> scores, double ratio) {
  Candidate c;
  c.group = &g;
  c.scores = std::move(scores);
  c.ratio = ratio;
  return c;
}

TEST(Select, TakesTheLowestOfEveryGroup) {
  const ChannelGroup a = group(0, 4);
  const ChannelGroup b = group(10, 3);
  const auto removed = select({candidate(a, {4, 1, 3, 2}, 0.5), candidate(b, {1, 2, 3}, 0.5)}, {});
  EXPECT_EQ(removed, (std::set<Atom>{1, 3, 10}));
}

TEST(Select, ARatioThatIsNearlyAWholeNumberIsOne) {
  const ChannelGroup a = group(0, 10);
  EXPECT_EQ(select({candidate(a, std::vector<double>(10, 1), 0.3)}, {}).size(), 3U);
  const ChannelGroup b = group(0, 30);
  EXPECT_EQ(select({candidate(b, std::vector<double>(30, 1), 0.1)}, {}).size(), 3U);
}

TEST(Select, EqualScoresGoInOrder) {
  const ChannelGroup a = group(0, 4);
  EXPECT_EQ(select({candidate(a, {5, 5, 5, 5}, 0.5)}, {}), (std::set<Atom>{0, 1}));
}

TEST(Select, KeepsAtLeastAndRounds) {
  const ChannelGroup a = group(0, 10);
  const std::vector<double> scores = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  EXPECT_EQ(select({candidate(a, scores, 0.99)}, {.min_keep = 4}).size(), 6U);
  EXPECT_EQ(select({candidate(a, scores, 0.5)}, {.round_to = 4}).size(), 2U);  // keeps 8, not 5
  EXPECT_EQ(select({candidate(a, scores, 0.1)}, {.round_to = 4}).size(), 0U);  // 12 is more than there are
  EXPECT_EQ(select({candidate(a, scores, 0.999)}, {}).size(), 9U);
}

TEST(Select, AGlobalRankingComparesWithTheGroupsMean) {
  const ChannelGroup a = group(0, 4);
  const ChannelGroup b = group(10, 4);
  // b is a hundred times larger all over; relative to its mean its first unit is the weakest of all.
  const SelectOptions options{.global = true, .ratio = 0.25};
  const auto removed =
      select({candidate(a, {1, 1, 1, 0.5}, 0), candidate(b, {1, 130, 130, 139}, 0)}, options);
  EXPECT_EQ(removed, (std::set<Atom>{3, 10}));
}

TEST(Select, AGlobalRankingNeverEmptiesAGroup) {
  const ChannelGroup a = group(0, 4);
  const ChannelGroup b = group(10, 4);
  const SelectOptions options{.global = true, .ratio = 0.75};
  const auto removed = select({candidate(a, {0, 0, 0, 0}, 0), candidate(b, {1, 1, 1, 1}, 0)}, options);
  EXPECT_EQ(removed.size(), 6U);
  EXPECT_LT(std::count_if(removed.begin(), removed.end(), [](Atom r) { return r < 10; }), 4);
}

TEST(Select, ARatioOfItsOwnStaysOutOfTheRanking) {
  const ChannelGroup a = group(0, 4);
  const ChannelGroup b = group(10, 4);
  Candidate own = candidate(a, {1, 2, 3, 4}, 0);
  own.own_ratio = true;
  const auto removed = select({own, candidate(b, {1, 2, 3, 4}, 0)}, {.global = true, .ratio = 0.5});
  EXPECT_EQ(removed, (std::set<Atom>{10, 11}));
}

}  // namespace
}  // namespace compressor::prune
