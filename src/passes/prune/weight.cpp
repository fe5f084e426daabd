// weight: granularity weight; the smallest magnitudes of a layer, or of all layers, become zero.
//
//   w  ->  w * [ |w| > t ],   t such that exactly floor(ratio * n) weights go
//
// Han, Pool, Tran, Dally 2015 (Learning both weights and connections); the global ranking of raw magnitudes
// as in Blalock 2020 (What is the state of neural network pruning?).
#include <algorithm>
#include <bit>
#include <cmath>

#include "compressor/base/error.h"
#include "passes/prune/order.h"
#include "passes/prune/zero_methods.h"

namespace compressor::prune {
namespace {

double magnitude(std::uint32_t key) {
  return static_cast<double>(std::bit_cast<float>(key));
}
double magnitude(std::uint64_t key) {
  return std::bit_cast<double>(key);
}

template <class Key>
class Ranking {
 public:
  Ranking(std::span<const ZeroJob> jobs, bool random, std::uint64_t seed) : random_(random) {
    for (const ZeroJob& job : jobs) {
      orders_.push_back(random ? by_chance<Key>(seed_for(seed, job.weight->source->name()))
                               : by_magnitude<Key>(job.weight->tensor.dtype));
      sources_.push_back(keys_of<Key>(job.weight->tensor, orders_.back()));
      total_ += sources_.back().size;
    }
  }

  void decide(std::span<const ZeroJob> jobs, double ratio, std::span<ZeroOutcome*> outcomes) const {
    const std::uint64_t wanted = share_of(ratio, total_);
    const Cut<Key> cut = smallest<Key>(std::span<const KeySource<Key>>(sources_), wanted);
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      const Tensor& weight = jobs[i].weight->tensor;
      outcomes[i]->units = weight.size();
      outcomes[i]->mask = cut_mask<Key>(weight.dtype, orders_[i], cut.threshold, cut.until[i]);
      if (random_) continue;
      if (!cut.zeros.empty()) outcomes[i]->zeros_before = cut.zeros[i];
      if (!cut.zeros.empty() && jobs.size() == 1) outcomes[i]->zeros_after = std::max(wanted, cut.zeros[i]);
      outcomes[i]->detail = fmt::format("threshold {:.6g}", magnitude(cut.threshold));
    }
  }

 private:
  bool random_;
  std::vector<KeysOf<Key>> orders_;
  std::vector<KeySource<Key>> sources_;
  std::uint64_t total_ = 0;
};

}  // namespace

std::vector<ZeroOutcome> zero_weights(std::span<const ZeroJob> jobs, const ZeroingOptions& options,
                                      std::uint64_t seed) {
  std::vector<ZeroOutcome> outcomes(jobs.size());
  const bool random = options.criterion == ZeroingOptions::Criterion::kRandom;
  for (const std::vector<std::size_t>& members : rankings(jobs, outcomes, options.global)) {
    std::vector<ZeroJob> together;
    std::vector<ZeroOutcome*> theirs;
    bool wide = false;  // magnitudes of doubles do not fit the bits of a float
    for (const std::size_t i : members) {
      together.push_back(jobs[i]);
      theirs.push_back(&outcomes[i]);
      wide = wide || jobs[i].weight->tensor.dtype == DType::kDouble;
    }
    if (wide) {
      Ranking<std::uint64_t>(together, random, seed).decide(together, together[0].ratio, theirs);
    } else {
      Ranking<std::uint32_t>(together, random, seed).decide(together, together[0].ratio, theirs);
    }
  }
  return outcomes;
}

}  // namespace compressor::prune
