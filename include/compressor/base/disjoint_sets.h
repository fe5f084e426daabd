// disjoint_sets: which of numbered things belong together (union-find). The root of a set is its smallest
// number, so that nothing depends on the order in which things were joined.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

namespace compressor {

class DisjointSets {
 public:
  explicit DisjointSets(std::size_t count = 0) : parent_(count) {
    std::iota(parent_.begin(), parent_.end(), std::size_t{0});
  }
  std::size_t size() const { return parent_.size(); }
  /// One more, alone.
  std::size_t add() {
    parent_.push_back(parent_.size());
    return parent_.back();
  }
  std::size_t root(std::size_t a) {
    while (parent_[a] != a) a = parent_[a] = parent_[parent_[a]];
    return a;
  }
  void join(std::size_t a, std::size_t b) {
    const std::size_t x = root(a), y = root(b);
    parent_[std::max(x, y)] = std::min(x, y);
  }

 private:
  std::vector<std::size_t> parent_;
};

}  // namespace compressor
