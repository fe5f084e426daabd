// smallest: radix selection over chunks; integer counts, so that the order of work does not matter.
//
//   digit 1: histogram of the top 16 bits of all keys     -> the bin where the k-th smallest lies
//   digit 2: histogram of the next 16 bits in that bin    -> ... -> the k-th smallest key, exactly
//   ties:    keys equal to it, chunk by chunk, until k are taken  -> the position where taking them stops
#include "passes/prune/smallest.h"

#include <algorithm>
#include <climits>

#include "compressor/base/error.h"
#include "compressor/base/threads.h"

namespace compressor::prune {
namespace {

constexpr std::uint64_t kChunk = 1U << 20U;   ///< keys handled by one thread at a time
constexpr std::uint64_t kBlock = 1U << 15U;   ///< keys read at once; they stay in the cache
constexpr std::uint64_t kGather = 1U << 22U;  ///< so many keys of the last bin are kept instead of read again
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
    return place(inside);
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

  /// Every worker has a histogram of its own; kept over calls, since fresh memory is dear.
  static std::vector<Histogram>& histograms(std::size_t workers) {
    thread_local std::vector<Histogram> kept;
    if (kept.size() < workers) kept.resize(workers);
    for (std::size_t w = 0; w < workers; ++w) kept[w].assign(kBins, 0);
    return kept;
  }

  const Histogram& count(int shift, bool whole) const {
    const std::size_t workers = std::min<std::size_t>(static_cast<std::size_t>(threads()), chunks_.size());
    std::vector<Histogram>& parts = histograms(workers);
    parallel_for(static_cast<std::int64_t>(workers), [&](std::int64_t w) {
      std::uint64_t* bins = parts[static_cast<std::size_t>(w)].data();
      for (std::size_t c = static_cast<std::size_t>(w); c < chunks_.size(); c += workers) {
        each_block(chunks_[c], [&](std::uint64_t, std::span<const Key> keys) {
          if (whole) {
            for (const Key key : keys) ++bins[key >> shift];
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
      std::vector<std::uint16_t>& mine = kept_[static_cast<std::size_t>(c)];
      each_block(chunks_[static_cast<std::size_t>(c)], [&](std::uint64_t, std::span<const Key> keys) {
        for (const Key key : keys) {
          if (key >> shift >> kDigit == prefix_) mine.push_back(static_cast<std::uint16_t>(key));
        }
      });
    });
    Histogram& histogram = histograms(1)[0];
    for (const auto& part : kept_) {
      for (const std::uint16_t digit : part) ++histogram[digit];
    }
    return histogram;
  }

  std::vector<std::uint64_t> ties_by_chunk() const {
    std::vector<std::uint64_t> ties(chunks_.size(), 0);
    if (gathered_) {
      for (std::size_t c = 0; c < ties.size(); ++c) {
        ties[c] = static_cast<std::uint64_t>(
            std::count(kept_[c].begin(), kept_[c].end(), static_cast<std::uint16_t>(prefix_)));
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
  std::vector<std::vector<std::uint16_t>> kept_;
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
  if (count == 0) return {.threshold = 0, .until = std::vector<std::uint64_t>(sources.size(), 0)};
  if (total <= small) return by_sorting(sources, count);
  return Search<Key>(sources, count).run();
}

template Cut<std::uint32_t> smallest(std::span<const KeySource<std::uint32_t>>, std::uint64_t, std::uint64_t);
template Cut<std::uint64_t> smallest(std::span<const KeySource<std::uint64_t>>, std::uint64_t, std::uint64_t);

}  // namespace compressor::prune
