// atoms_test: joining, splitting and merging positions, and what falls together.
#include "compressor/ops/atoms.h"

#include <gtest/gtest.h>

#include <set>

namespace compressor {
namespace {

using Factors = std::vector<std::int64_t>;
const Reason kWhy{7, "test"};

/// Positions of `list` that go when class `gone` does.
std::vector<std::size_t> falling(Atoms& atoms, const Places& list, Atom gone) {
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < list.size(); ++i) {
    for (const Atom a : atoms.classes(list[i])) {
      if (a == gone) result.push_back(i);
    }
  }
  return result;
}

std::set<Atom> classes(Atoms& atoms, const Places& list) {
  std::set<Atom> all;
  for (const Place p : list) {
    for (const Atom a : atoms.classes(p)) all.insert(a);
  }
  return all;
}

TEST(Atoms, JoinTiesPositionByPosition) {
  Atoms atoms;
  const Places a = atoms.fresh(3);
  const Places b = atoms.fresh(3);
  atoms.join(a, b, kWhy);
  EXPECT_EQ(atoms.classes(a[1]), atoms.classes(b[1]));
  EXPECT_NE(atoms.classes(a[1]), atoms.classes(a[2]));
  EXPECT_EQ(classes(atoms, a).size(), 3U);
}

TEST(Atoms, AnUntrackedAxisFreezesWhatMeetsIt) {
  Atoms atoms;
  const Places a = atoms.fresh(2);
  atoms.join(a, {}, kWhy);
  for (const Place p : a) EXPECT_NE(atoms.frozen(atoms.classes(p)[0]), nullptr);
}

TEST(Atoms, SplitRefinesAFlatAxisIntoItsFactors) {
  Atoms atoms;
  const Places flat = atoms.fresh(6);
  const auto parts = atoms.split(flat, Factors{2, 3}, kWhy);
  ASSERT_EQ(parts[0].size(), 2U);
  ASSERT_EQ(parts[1].size(), 3U);
  EXPECT_EQ(falling(atoms, flat, atoms.classes(parts[0][1])[0]), (std::vector<std::size_t>{3, 4, 5}));
  EXPECT_EQ(falling(atoms, flat, atoms.classes(parts[1][2])[0]), (std::vector<std::size_t>{2, 5}));
}

TEST(Atoms, SplittingTwiceInTheSameWayGivesTheSameFactors) {
  Atoms atoms;
  const Places flat = atoms.fresh(24);
  const auto first = atoms.split(flat, Factors{2, 3, 4}, kWhy);
  const auto again = atoms.split(flat, Factors{6, 4}, kWhy);
  EXPECT_EQ(classes(atoms, again[1]), classes(atoms, first[2]));
  EXPECT_EQ(classes(atoms, flat).size(), 2U + 3U + 4U);
}

TEST(Atoms, ACutInsideAFactorSplitsThatFactor) {
  Atoms atoms;
  const Places flat = atoms.fresh(24);
  const auto coarse = atoms.split(flat, Factors{2, 12}, kWhy);
  const auto fine = atoms.split(flat, Factors{8, 3}, kWhy);  // 8 = 2 x 4, 12 = 4 x 3
  ASSERT_FALSE(fine[1].empty());
  EXPECT_EQ(classes(atoms, flat).size(), 2U + 4U + 3U);
  EXPECT_EQ(atoms.frozen(atoms.classes(fine[1][0])[0]), nullptr);
  EXPECT_EQ(atoms.classes(coarse[1][0]).size(), 2U);
}

TEST(Atoms, FactorsThatDoNotDivideTieTheInnerIndex) {
  // 2 x 15 and 3 x 10 are both rectangles after position r goes from every block of 5.
  Atoms atoms;
  const Places flat = atoms.fresh(30);
  atoms.split(flat, Factors{2, 15}, kWhy);
  const auto parts = atoms.split(flat, Factors{3, 10}, kWhy);
  EXPECT_TRUE(parts[0].empty());
  ASSERT_EQ(parts[1].size(), 10U);
  for (const Atom a : classes(atoms, flat)) {
    const auto gone = falling(atoms, flat, a);
    if (gone.size() == flat.size()) continue;  // the outer index of 2, all in one
    EXPECT_EQ(gone.size(), 6U);
    for (const std::size_t i : gone) EXPECT_EQ(i % 5, gone[0]);
  }
}

TEST(Atoms, ListsEndToEndAreTiedWhenTheyAreCutInHalf) {
  // The second unit of ShuffleNet v2: half of a shuffled list beside new channels, then [2, 4].
  Atoms atoms;
  const auto parts = atoms.split(atoms.fresh(8), Factors{2, 4}, kWhy);
  const std::vector<Places> swapped = {parts[1], parts[0]};
  const Places shuffled = atoms.merge(swapped, Factors{4, 2});
  Places both(shuffled.begin(), shuffled.begin() + 4);
  const Places fresh = atoms.fresh(4);
  both.insert(both.end(), fresh.begin(), fresh.end());
  const auto halves = atoms.split(both, Factors{2, 4}, kWhy);
  EXPECT_TRUE(halves[0].empty());
  EXPECT_EQ(halves[1], Places(shuffled.begin(), shuffled.begin() + 4));
  EXPECT_EQ(atoms.classes(fresh[1]), atoms.classes(shuffled[1]));
  for (const Atom a : classes(atoms, both)) EXPECT_EQ(atoms.frozen(a), nullptr);
}

TEST(Atoms, MergeAfterTransposeIsAShuffle) {
  // [g, k] -> [k, g]: position k * G + g of the result is position g * K + k of the source.
  Atoms atoms;
  const Places flat = atoms.fresh(6);
  const auto parts = atoms.split(flat, Factors{2, 3}, kWhy);
  const std::vector<Places> swapped = {parts[1], parts[0]};
  const Places shuffled = atoms.merge(swapped, Factors{3, 2});
  ASSERT_EQ(shuffled.size(), 6U);
  const Atom k1 = atoms.classes(parts[1][1])[0];
  EXPECT_EQ(falling(atoms, shuffled, k1), (std::vector<std::size_t>{2, 3}));
  EXPECT_EQ(falling(atoms, flat, k1), (std::vector<std::size_t>{1, 4}));
}

TEST(Atoms, AnUntrackedAxisRepeatsInAMerge) {
  Atoms atoms;
  const Places channels = atoms.fresh(2);
  const std::vector<Places> axes = {channels, {}};
  const Places flat = atoms.merge(axes, Factors{2, 3});
  EXPECT_EQ(falling(atoms, flat, atoms.classes(channels[1])[0]), (std::vector<std::size_t>{3, 4, 5}));
  const auto back = atoms.split(flat, Factors{2, 3}, kWhy);
  EXPECT_EQ(classes(atoms, back[0]), classes(atoms, channels));
  EXPECT_TRUE(back[1].empty());
}

TEST(Atoms, GroupedQueryHeadsAreKvHeadAndRepeat) {
  // 6 query heads of 4; 2 kv heads expanded 3 times: (kv, repeat, dim) meets (head, dim).
  Atoms atoms;
  const Places query = atoms.fresh(24);
  const auto q = atoms.split(query, Factors{6, 4}, kWhy);
  const Places kv = atoms.fresh(2);
  const Places repeat = atoms.fresh(3);
  const Places dim = atoms.fresh(4);
  const std::vector<Places> axes = {kv, repeat, dim};
  const Places merged = atoms.merge(axes, Factors{2, 3, 4});
  atoms.join(query, merged, kWhy);
  EXPECT_EQ(atoms.classes(q[0][4]).size(), 2U);  // head 4 = (kv 1, repeat 1)
  EXPECT_EQ(atoms.classes(q[0][4])[0], atoms.classes(kv[1])[0]);
  EXPECT_EQ(atoms.classes(q[0][4])[1], atoms.classes(repeat[1])[0]);
  EXPECT_EQ(atoms.classes(q[1][2]), atoms.classes(dim[2]));
  EXPECT_EQ(atoms.frozen(atoms.classes(kv[0])[0]), nullptr);
}

TEST(Atoms, AFrozenPositionFreezesTheFactorsItIsMadeOf) {
  Atoms atoms;
  const Places flat = atoms.fresh(6);
  atoms.freeze_place(flat[4], kWhy);  // (1, 1) of 2 x 3
  const auto parts = atoms.split(flat, Factors{2, 3}, kWhy);
  EXPECT_NE(atoms.frozen(atoms.classes(parts[0][1])[0]), nullptr);
  EXPECT_NE(atoms.frozen(atoms.classes(parts[1][1])[0]), nullptr);
  EXPECT_EQ(atoms.frozen(atoms.classes(parts[0][0])[0]), nullptr);
  EXPECT_EQ(atoms.frozen(atoms.classes(parts[1][0])[0]), nullptr);
}

}  // namespace
}  // namespace compressor
