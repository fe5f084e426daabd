// smallest: a bracket from a sample, or radix selection; both exact, and neither depends on the order of
// work.
//
//   sample   -> [low, high] that holds the k-th smallest almost surely
//   one pass -> keys below low are counted, those inside collected: if the k-th is among them, it is found
//   else digit 1: histogram of the top 16 bits of all keys  -> the bin where the k-th smallest lies
//        digit 2: histogram of the next 16 bits in that bin -> ... -> the k-th smallest key
//   ties     -> keys equal to it, chunk by chunk, until k are taken -> the position where taking them stops
#include "passes/prune/smallest.h"

#include <algorithm>
#include <atomic>
#include <climits>
#include <cmath>

#include "compressor/base/error.h"
#include "compressor/base/threads.h"

namespace compressor::prune {
namespace {

constexpr std::uint64_t kChunk = 1U << 20U;   ///< keys handled by one thread at a time
constexpr std::uint64_t kBlock = 1U << 15U;   ///< keys read at once; they stay in the cache
constexpr std::uint64_t kGather = 1U << 22U;  ///< so many keys of the last bin are kept instead of read again
constexpr std::uint64_t kRun = 64;            ///< consecutive keys in the sample
constexpr std::uint64_t kRuns = 1U << 10U;
constexpr double kDeviations = 6;  ///< of the sample's rank, on both sides
constexpr int kDigit = 16;
constexpr std::size_t kBins = std::size_t{1} << kDigit;

using Histogram = std::vector<std::uint64_t>;

struct Chunk {
  std::size_t source;
  std::uint64_t first, count;
};

template <class Key>
class Search {
 public:
  Search(std::span<const KeySource<Key>> sources, std::uint64_t count) : sources_(sources), left_(count) {
    for (std::size_t s = 0; s < sources.size(); ++s) {
      for (std::uint64_t at = 0; at < sources[s].size; at += kChunk)
        chunks_.push_back({s, at, std::min(kChunk, sources[s].size - at)});
    }
  }

  Cut<Key> run() {
    zeros_.assign(chunks_.size(), 0);
    return place(bracketed() ? ties_inside() : by_digits());
  }

 private:
  /// Blocks of keys of a chunk, in order.
  template <class Visit>
  void each_block(const Chunk& chunk, Visit&& visit) const {
    thread_local std::vector<Key> buffer(kBlock);
    for (std::uint64_t at = 0; at < chunk.count; at += kBlock) {
      const std::span<Key> keys = std::span(buffer).first(std::min(kBlock, chunk.count - at));
      sources_[chunk.source].read(chunk.first + at, keys);
      visit(chunk.first + at, std::span<const Key>(keys));
    }
  }

  std::vector<Key> sample() const {
    std::uint64_t total = 0;
    for (const KeySource<Key>& source : sources_) total += source.size;
    const std::uint64_t runs = std::min(kRuns, total / (4 * kRun));
    std::vector<Key> keys;
    std::size_t source = 0;
    std::uint64_t before = 0;  // keys in earlier sources
    for (std::uint64_t r = 0; r < runs; ++r) {
      const std::uint64_t at = total / runs * r;
      while (at >= before + sources_[source].size) before += sources_[source++].size;
      const std::uint64_t n = std::min(kRun, sources_[source].size - (at - before));
      keys.resize(keys.size() + n);
      sources_[source].read(at - before, std::span(keys).last(n));
    }
    std::sort(keys.begin(), keys.end());
    return keys;
  }

  /// Collects the keys around the wanted one, as a sample guesses; false when it is not among them, or they
  /// are too many to be kept. Leaves in left_ its rank among those that were kept.
  bool bracketed() {
    const std::vector<Key> some = sample();
    if (some.empty()) return false;
    std::uint64_t total = 0;
    for (const Chunk& chunk : chunks_) total += chunk.count;
    const auto n = static_cast<double>(some.size());
    const double share = static_cast<double>(left_) / static_cast<double>(total);
    const double spread = kDeviations * std::sqrt(n * share * (1 - share)) + kDeviations;
    const double first = share * n - spread;
    const double last = share * n + spread;
    const Key low = first < 0 ? Key{0} : some[static_cast<std::size_t>(first)];
    const Key high = last >= n ? static_cast<Key>(-1) : some[static_cast<std::size_t>(last)];

    kept_.assign(chunks_.size(), {});
    std::vector<std::uint64_t> below(chunks_.size(), 0);
    std::atomic<std::uint64_t> kept = 0;
    std::atomic<bool> too_many = false;
    parallel_for(static_cast<std::int64_t>(chunks_.size()), [&](std::int64_t i) {
      const auto c = static_cast<std::size_t>(i);
      each_block(chunks_[c], [&](std::uint64_t, std::span<const Key> keys) {
        if (too_many) return;
        const std::size_t before = kept_[c].size();
        for (const Key key : keys) {
          if (static_cast<Key>(key - low) <= static_cast<Key>(high - low)) kept_[c].push_back(key);
        }
        below[c] += count_below(keys, low);
        zeros_[c] += count_below(keys, Key{1});
        if ((kept += kept_[c].size() - before) > kGather) too_many = true;
      });
    });
    gathered_ = !too_many;
    std::uint64_t rank = left_;
    for (const std::uint64_t b : below) rank -= std::min(b, rank);  // 0 when it lies below
    if (too_many || rank == 0 || rank > kept) {
      std::fill(zeros_.begin(), zeros_.end(), 0);
      return false;
    }
    left_ = rank;
    return true;
  }

  static std::uint64_t count_below(std::span<const Key> keys, Key limit) {
    const Key* key = keys.data();
    const std::size_t n = keys.size();
    Key count =
        0;  // as wide as a key, so that it goes in the same lanes; a block has fewer keys than it can count
#pragma omp simd reduction(+ : count)
    for (std::size_t i = 0; i < n; ++i) count += key[i] < limit ? Key{1} : Key{0};
    return count;
  }

  /// Finds the left_-th smallest of the keys that were kept; returns how many equal it, and makes left_ how
  /// many of these are to be taken.
  std::uint64_t ties_inside() {
    std::vector<Key> all;
    for (const std::vector<Key>& part : kept_) all.insert(all.end(), part.begin(), part.end());
    const auto at = all.begin() + static_cast<std::ptrdiff_t>(left_ - 1);
    std::nth_element(all.begin(), at, all.end());
    prefix_ = *at;
    std::uint64_t ties = 0;
    for (const Key key : all) {
      if (key < prefix_) --left_;
      if (key == prefix_) ++ties;
    }
    return ties;
  }

  /// Finds the left_-th smallest of all keys; as ties_inside.
  std::uint64_t by_digits() {
    constexpr int kBits = static_cast<int>(sizeof(Key) * CHAR_BIT);
    std::uint64_t inside = UINT64_MAX;
    for (int shift = kBits - kDigit; shift >= 0; shift -= kDigit) {
      const bool whole = shift == kBits - kDigit;
      gathered_ = shift == 0 && !whole && inside <= kGather;
      const Histogram& histogram = gathered_ ? gather(shift) : count(shift, whole);
      std::size_t digit = 0;
      while (histogram[digit] < left_) left_ -= histogram[digit++];
      inside = histogram[digit];
      prefix_ =
          static_cast<Key>((whole ? Key{0} : static_cast<Key>(prefix_ << kDigit)) | static_cast<Key>(digit));
    }
    return inside;
  }

  /// Every worker has a histogram of its own; kept over calls, since fresh memory is dear.
  static std::vector<Histogram>& histograms(std::size_t workers) {
    thread_local std::vector<Histogram> kept;
    if (kept.size() < workers) kept.resize(workers);
    for (std::size_t w = 0; w < workers; ++w) kept[w].assign(kBins, 0);
    return kept;
  }

  const Histogram& count(int shift, bool whole) {
    const std::size_t workers = std::min<std::size_t>(static_cast<std::size_t>(threads()), chunks_.size());
    std::vector<Histogram>& parts = histograms(workers);
    parallel_for(static_cast<std::int64_t>(workers), [&](std::int64_t w) {
      std::uint64_t* bins = parts[static_cast<std::size_t>(w)].data();
      for (std::size_t c = static_cast<std::size_t>(w); c < chunks_.size(); c += workers) {
        each_block(chunks_[c], [&](std::uint64_t, std::span<const Key> keys) {
          if (whole) {
            for (const Key key : keys) ++bins[key >> shift];
            zeros_[c] += count_below(keys, Key{1});
            return;
          }
          for (const Key key : keys) {
            if (key >> shift >> kDigit == prefix_) ++bins[key >> shift & (kBins - 1)];
          }
        });
      }
    });
    for (std::size_t w = 1; w < workers; ++w) {
      for (std::size_t i = 0; i < kBins; ++i) parts[0][i] += parts[w][i];
    }
    return parts[0];
  }

  /// The last digit: the few keys of the bin are kept, chunk by chunk.
  const Histogram& gather(int shift) {
    kept_.assign(chunks_.size(), {});
    parallel_for(static_cast<std::int64_t>(chunks_.size()), [&](std::int64_t c) {
      std::vector<Key>& mine = kept_[static_cast<std::size_t>(c)];
      each_block(chunks_[static_cast<std::size_t>(c)], [&](std::uint64_t, std::span<const Key> keys) {
        for (const Key key : keys) {
          if (key >> shift >> kDigit == prefix_) mine.push_back(key);
        }
      });
    });
    Histogram& histogram = histograms(1)[0];
    for (const auto& part : kept_) {
      for (const Key key : part) ++histogram[key & (kBins - 1)];
    }
    return histogram;
  }

  std::vector<std::uint64_t> ties_by_chunk() const {
    std::vector<std::uint64_t> ties(chunks_.size(), 0);
    if (gathered_) {
      for (std::size_t c = 0; c < ties.size(); ++c) {
        ties[c] = static_cast<std::uint64_t>(std::count(kept_[c].begin(), kept_[c].end(), prefix_));
      }
      return ties;
    }
    parallel_for(static_cast<std::int64_t>(chunks_.size()), [&](std::int64_t c) {
      each_block(chunks_[static_cast<std::size_t>(c)], [&](std::uint64_t, std::span<const Key> keys) {
        ties[static_cast<std::size_t>(c)] +=
            static_cast<std::uint64_t>(std::count(keys.begin(), keys.end(), prefix_));
      });
    });
    return ties;
  }

  /// Takes left_ of `ties` keys that equal prefix_.
  Cut<Key> place(std::uint64_t ties) const {
    Cut<Key> cut;
    cut.threshold = prefix_;
    for (const KeySource<Key>& source : sources_) cut.until.push_back(source.size);
    cut.zeros.assign(sources_.size(), 0);
    for (std::size_t c = 0; c < chunks_.size(); ++c) cut.zeros[chunks_[c].source] += zeros_[c];
    if (left_ == ties) return cut;
    const std::vector<std::uint64_t> by_chunk = ties_by_chunk();
    std::uint64_t left = left_;
    std::size_t c = 0;
    while (by_chunk[c] < left) left -= by_chunk[c++];
    const Chunk& chunk = chunks_[c];
    for (std::size_t s = chunk.source + 1; s < sources_.size(); ++s) cut.until[s] = 0;
    each_block(chunk, [&](std::uint64_t first, std::span<const Key> keys) {
      for (std::size_t i = 0; i < keys.size() && left > 0; ++i) {
        if (keys[i] == prefix_ && --left == 0) cut.until[chunk.source] = first + i + 1;
      }
    });
    return cut;
  }

  std::span<const KeySource<Key>> sources_;
  std::uint64_t left_;  ///< how many are still to be taken from the bin that `prefix_` names
  Key prefix_ = 0;
  std::vector<Chunk> chunks_;
  bool gathered_ = false;
  std::vector<std::vector<Key>> kept_;
  std::vector<std::uint64_t> zeros_;  ///< by chunk
};

template <class Key>
Cut<Key> by_sorting(std::span<const KeySource<Key>> sources, std::uint64_t count) {
  std::vector<Key> keys;
  for (const KeySource<Key>& source : sources) {
    keys.resize(keys.size() + source.size);
    source.read(0, std::span(keys).last(source.size));
  }
  std::vector<Key> sorted = keys;
  const auto last = sorted.begin() + static_cast<std::ptrdiff_t>(count - 1);
  std::nth_element(sorted.begin(), last, sorted.end());
  Cut<Key> cut;
  cut.threshold = *last;
  auto left =
      static_cast<std::uint64_t>(count - static_cast<std::uint64_t>(std::count_if(
                                             keys.begin(), keys.end(), [&](Key k) { return k < *last; })));
  std::size_t at = 0;
  for (const KeySource<Key>& source : sources) {
    std::uint64_t until = left == 0 ? 0 : source.size;
    for (std::uint64_t i = 0; i < source.size && left > 0; ++i) {
      if (keys[at + i] == cut.threshold && --left == 0) until = i + 1;
    }
    cut.until.push_back(until);
    const auto first = keys.begin() + static_cast<std::ptrdiff_t>(at);
    const auto end = first + static_cast<std::ptrdiff_t>(source.size);
    cut.zeros.push_back(static_cast<std::uint64_t>(std::count(first, end, Key{0})));
    at += source.size;
  }
  return cut;
}

}  // namespace

template <class Key>
Cut<Key> smallest(std::span<const KeySource<Key>> sources, std::uint64_t count, std::uint64_t small) {
  std::uint64_t total = 0;
  for (const KeySource<Key>& source : sources) total += source.size;
  CHECK(count <= total, "{} of {} keys", count, total);
  if (count == 0)
    return {.threshold = 0, .until = std::vector<std::uint64_t>(sources.size(), 0), .zeros = {}};
  if (total <= small) return by_sorting(sources, count);
  return Search<Key>(sources, count).run();
}

template Cut<std::uint32_t> smallest(std::span<const KeySource<std::uint32_t>>, std::uint64_t, std::uint64_t);
template Cut<std::uint64_t> smallest(std::span<const KeySource<std::uint64_t>>, std::uint64_t, std::uint64_t);

}  // namespace compressor::prune
