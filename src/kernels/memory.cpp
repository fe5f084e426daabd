// memory: a best-fit heap in one reserved stretch of addresses.
//
// Activations are few, large and short-lived. One stretch that grows at its end, free blocks that merge with
// their neighbours, and the best fit among them keep the peak near the largest live set; huge pages make the
// first touch of a page cheap, which is what dominates a naive heap.
#include "compressor/kernels/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <new>
#include <set>
#include <vector>

#include "compressor/base/error.h"

namespace compressor::kernels {
namespace {

constexpr std::size_t kReserve = std::size_t{1} << 40;
constexpr std::size_t kLeastReserve = std::size_t{1} << 31;
constexpr std::size_t kHugePage = std::size_t{1} << 21;
constexpr std::size_t kSmall = std::size_t{1} << 13;
constexpr std::size_t kSlab = std::size_t{1} << 17;

std::size_t round_up(std::size_t size, std::size_t to) {
  return (size + to - 1) / to * to;
}

class Heap {
 public:
  Heap() {
    for (std::size_t size = kReserve; size >= kLeastReserve && !base_; size /= 2) {
      void* p =
          mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (p == MAP_FAILED) continue;
      const auto address = reinterpret_cast<std::uintptr_t>(p);
      const std::size_t skip = round_up(address, kHugePage) - address;
      base_ = static_cast<std::byte*>(p) + skip;
      limit_ = size - skip;
    }
  }

  std::byte* allocate(std::size_t size) {
    const std::lock_guard lock(guard_);
    size = round_up(std::max<std::size_t>(size, 1), kAlignment);
    const std::size_t at = size <= kSmall ? take_small(size) : take(size);
    live_ += size;
    peak_ = std::max(peak_, live_);
    return base_ + at;
  }

  void release(std::byte* p, std::size_t size) {
    const std::lock_guard lock(guard_);
    size = round_up(std::max<std::size_t>(size, 1), kAlignment);
    live_ -= size;
    const auto at = static_cast<std::size_t>(p - base_);
    if (size <= kSmall) return small_[size / kAlignment].push_back(at);
    give(at, size);
  }

  MemoryUse use() {
    const std::lock_guard lock(guard_);
    return {live_, peak_, touched_};
  }
  void reset_peak() {
    const std::lock_guard lock(guard_);
    peak_ = live_;
  }

 private:
  /// Small blocks come from slabs, and wait for others of their size: graphs of small tensors ask often.
  std::size_t take_small(std::size_t size) {
    std::vector<std::size_t>& idle = small_[size / kAlignment];
    if (!idle.empty()) {
      const std::size_t at = idle.back();
      idle.pop_back();
      return at;
    }
    if (slab_left_ < size) {
      if (slab_left_ > 0) small_[slab_left_ / kAlignment].push_back(slab_at_);
      slab_at_ = take(kSlab);
      slab_left_ = kSlab;
    }
    const std::size_t at = slab_at_;
    slab_at_ += size;
    slab_left_ -= size;
    return at;
  }

  std::size_t take(std::size_t size) {
    const auto fit = by_size_.lower_bound({size, 0});
    std::size_t at = 0;
    if (fit != by_size_.end()) {
      at = fit->second;
      const std::size_t have = fit->first;
      by_size_.erase(fit);
      free_.erase(at);
      if (have > size) add_free(at + size, have - size);
    } else {
      at = grow(size);
    }
    return at;
  }

  void give(std::size_t at, std::size_t size) {
    const auto next = free_.lower_bound(at);
    if (next != free_.end() && next->first == at + size) {
      size += next->second;
      drop_free(next);
    }
    const auto after = free_.lower_bound(at);
    if (after != free_.begin()) {
      const auto before = std::prev(after);
      if (before->first + before->second == at) {
        at = before->first;
        size += before->second;
        drop_free(before);
      }
    }
    add_free(at, size);
  }

  /// A block at the end; a free block there is made longer.
  std::size_t grow(std::size_t size) {
    std::size_t at = end_;
    if (!free_.empty()) {
      const auto last = std::prev(free_.end());
      if (last->first + last->second == end_) {
        at = last->first;
        drop_free(last);
      }
    }
    if (!base_ || size > limit_ - at) throw std::bad_alloc();
    end_ = at + size;
    if (end_ > touched_) {
      const std::size_t to = std::min(limit_, round_up(end_, kHugePage));
      const std::size_t from = touched_ / kHugePage * kHugePage;
      // Worth it only past one huge page: a small net should not pay for two megabytes of zeros.
      if (end_ > kHugePage) madvise(base_ + from, to - from, MADV_HUGEPAGE);
      touched_ = end_;
    }
    return at;
  }
  void add_free(std::size_t at, std::size_t size) {
    free_[at] = size;
    by_size_.insert({size, at});
  }
  void drop_free(std::map<std::size_t, std::size_t>::iterator it) {
    by_size_.erase({it->second, it->first});
    free_.erase(it);
  }

  std::mutex guard_;
  std::byte* base_ = nullptr;
  std::size_t limit_ = 0, end_ = 0, touched_ = 0;
  std::size_t live_ = 0, peak_ = 0;
  std::array<std::vector<std::size_t>, kSmall / kAlignment + 1> small_;  ///< by size: blocks that wait
  std::size_t slab_at_ = 0, slab_left_ = 0;
  std::map<std::size_t, std::size_t> free_;                ///< offset -> size
  std::set<std::pair<std::size_t, std::size_t>> by_size_;  ///< (size, offset)
};

/// Never destroyed: tensors may outlive static objects.
Heap& heap() {
  static Heap* const instance = new Heap;
  return *instance;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kOwnHeap = false;  // the sanitizer sees one block as one allocation
#else
constexpr bool kOwnHeap = true;
#endif

}  // namespace

Buffer::Buffer(std::size_t size) : size_(size) {
  if (kOwnHeap) {
    data_ = heap().allocate(size);
    keep_ = std::shared_ptr<std::byte>(data_, [size](std::byte* p) { heap().release(p, size); });
    return;
  }
  const std::align_val_t alignment{kAlignment};
  data_ = static_cast<std::byte*>(::operator new(std::max<std::size_t>(size, 1), alignment));
  keep_ = std::shared_ptr<std::byte>(
      data_, [](std::byte* p) { ::operator delete (p, std::align_val_t{kAlignment}); });
}

Buffer Buffer::take_over(Bytes& bytes) {
  Buffer result;
  const std::size_t size = bytes.size();
  result.keep_ = bytes.take_sole();
  result.data_ = result.keep_.get();
  result.size_ = result.data_ ? size : 0;
  return result;
}

Bytes Buffer::bytes() const {
  return Bytes::share({data_, size_}, keep_);
}

MemoryUse memory_use() {
  return heap().use();
}

void reset_peak() {
  heap().reset_peak();
}

}  // namespace compressor::kernels
