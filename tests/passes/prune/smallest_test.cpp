// smallest: exact choice against sorting, with ties, over several sources and at any number of threads.
#include "passes/prune/smallest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "compressor/base/error.h"
#include "compressor/base/random.h"
#include "compressor/base/threads.h"

namespace compressor::prune {
namespace {

constexpr std::uint64_t kSeed = 7;

template <class Key>
using Lists = std::vector<std::vector<Key>>;

template <class Key>
std::vector<KeySource<Key>> sources_of(const Lists<Key>& lists) {
  std::vector<KeySource<Key>> sources;
  for (const std::vector<Key>& list : lists) {
    sources.push_back({.size = list.size(), .read = [&list](std::uint64_t first, std::span<Key> keys) {
                         std::copy_n(list.begin() + static_cast<std::ptrdiff_t>(first), keys.size(),
                                     keys.begin());
                       }});
  }
  return sources;
}

/// Positions (of all sources laid end to end) that a stable sort puts first.
template <class Key>
std::vector<bool> expected(const Lists<Key>& lists, std::uint64_t count) {
  std::vector<Key> all;
  for (const auto& list : lists) all.insert(all.end(), list.begin(), list.end());
  std::vector<std::size_t> order(all.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return all[a] < all[b]; });
  std::vector<bool> taken(all.size(), false);
  for (std::uint64_t i = 0; i < count; ++i) taken[order[i]] = true;
  return taken;
}

template <class Key>
std::vector<bool> found(const Lists<Key>& lists, std::uint64_t count, std::uint64_t small) {
  const std::vector<KeySource<Key>> sources = sources_of(lists);
  const Cut<Key> cut = smallest(std::span<const KeySource<Key>>(sources), count, small);
  std::vector<bool> taken;
  for (std::size_t s = 0; s < cut.zeros.size(); ++s) {
    EXPECT_EQ(cut.zeros[s], static_cast<std::uint64_t>(std::count(lists[s].begin(), lists[s].end(), Key{0})));
  }
  for (std::size_t s = 0; s < lists.size(); ++s) {
    for (std::size_t i = 0; i < lists[s].size(); ++i) taken.push_back(cut.takes(lists[s][i], s, i));
  }
  return taken;
}

template <class Key>
void expect_exact(const Lists<Key>& lists) {
  std::uint64_t total = 0;
  for (const auto& list : lists) total += list.size();
  for (const std::uint64_t count :
       {std::uint64_t{0}, std::uint64_t{1}, total / 3, total / 2, total - 1, total}) {
    SCOPED_TRACE(fmt::format("{} of {}, seed {}", count, total, kSeed));
    const std::vector<bool> wanted = expected(lists, count);
    EXPECT_EQ(found(lists, count, 0), wanted) << "by digits";
    EXPECT_EQ(found(lists, count, UINT64_MAX), wanted) << "by sorting";
  }
}

template <class Key>
Lists<Key> random_lists(std::uint64_t different, std::vector<std::size_t> sizes) {
  Random random(kSeed);
  Lists<Key> lists;
  for (const std::size_t size : sizes) {
    lists.emplace_back(size);
    for (Key& key : lists.back()) key = static_cast<Key>(random.next() % different);
  }
  return lists;
}

TEST(Smallest, NarrowKeys) {
  expect_exact(random_lists<std::uint32_t>(UINT32_MAX, {1000}));
  expect_exact(random_lists<std::uint32_t>(0x7FFFFFFF, {70000, 1, 0, 9000}));
}

TEST(Smallest, WideKeys) {
  expect_exact(random_lists<std::uint64_t>(UINT64_MAX, {1000, 40000}));
}

TEST(Smallest, ManyTiesGoByPosition) {
  expect_exact(random_lists<std::uint32_t>(1, {500, 300}));
  expect_exact(random_lists<std::uint32_t>(3, {100, 70000, 100}));
  expect_exact(random_lists<std::uint64_t>(5, {50, 5000}));
}

TEST(Smallest, ASampleThatMisleads) {
  // Whatever evenly spaced runs are sampled, most keys are unlike them: the low ones stand where it looks.
  Random random(kSeed);
  Lists<std::uint32_t> lists(1, std::vector<std::uint32_t>(256 * 1024));
  for (std::size_t i = 0; i < lists[0].size(); ++i) {
    const auto noise = static_cast<std::uint32_t>(random.below(1000));
    lists[0][i] = i % 256 < 64 ? noise : 1000000 + noise;
  }
  expect_exact(lists);
}

TEST(Smallest, MoreEqualKeysThanAreKept) {
  // Past the bound up to which the last bin is gathered: it is counted and read again.
  const std::uint64_t n = (1U << 22U) + 4321;
  const KeySource<std::uint32_t> ones{.size = n, .read = [](std::uint64_t, std::span<std::uint32_t> keys) {
                                        std::fill(keys.begin(), keys.end(), 1U);
                                      }};
  const Cut<std::uint32_t> cut = smallest(std::span(&ones, 1), n - 1000);
  EXPECT_EQ(cut.threshold, 1U);
  EXPECT_EQ(cut.until, std::vector<std::uint64_t>{n - 1000});
}

TEST(Smallest, TheSameAtAnyNumberOfThreads) {
  const Lists<std::uint32_t> lists = random_lists<std::uint32_t>(100000, {3000000, 70000});
  const std::vector<KeySource<std::uint32_t>> sources = sources_of(lists);
  const int before = threads();
  std::vector<Cut<std::uint32_t>> cuts;
  for (const int t : {1, 2, 3}) {
    set_threads(t);
    cuts.push_back(smallest(std::span<const KeySource<std::uint32_t>>(sources), 1234567));
  }
  set_threads(before);
  for (const Cut<std::uint32_t>& cut : cuts) {
    EXPECT_EQ(cut.threshold, cuts[0].threshold);
    EXPECT_EQ(cut.until, cuts[0].until);
  }
}

TEST(Smallest, RefusesMoreThanThereAre) {
  EXPECT_THROW(found(random_lists<std::uint32_t>(9, {4}), 5, 0), Error);
}

}  // namespace
}  // namespace compressor::prune
