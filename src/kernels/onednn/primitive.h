// primitive: what all oneDNN kernels share: the engine, memory over our buffers, post-operations, the cache.
// Only this folder sees oneDNN; what differs between its versions 2 and 3 is decided here.
#pragma once

#include <initializer_list>
#include <list>
#include <memory>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>
#include <vector>

#include "compressor/kernels/activation.h"
#include "compressor/kernels/memory.h"

namespace compressor::kernels::onednn {

const dnnl::engine& cpu();
/// A stream of the calling thread.
dnnl::stream& stream();

/// oneDNN never writes through a source; its handles are not const all the same.
inline dnnl::memory memory_over(const dnnl::memory::desc& desc, const void* data) {
  return {desc, cpu(), const_cast<void*>(data)};  // NOLINT(cppcoreguidelines-pro-type-const-cast)
}

/// Appends f; false when this version has no such function.
bool append(dnnl::post_ops& ops, const Activation& f);

/// Attributes with scratchpads from our heap, and the post-operations sum (where asked for) and f.
dnnl::primitive_attr attributes(bool sums, const Activation& f);

/// A primitive and what it is told each time: the memories of its arguments, made once for each thread that
/// runs it at a time (making them costs more than a small primitive's arithmetic), and its scratchpad.
class Runner {
 public:
  struct Argument {
    int name = 0;  ///< DNNL_ARG_...
    dnnl::memory::desc desc;
  };
  Runner(dnnl::primitive primitive, std::vector<Argument> arguments, const dnnl::memory::desc& scratchpad);
  /// `data` in the order of the arguments. oneDNN never writes through a source.
  void run(std::initializer_list<const void*> data) const;

 private:
  struct Call {
    std::vector<dnnl::memory> memories;
    std::vector<dnnl_exec_arg_t> list;
    std::vector<const void*> data;
    Buffer scratch;
  };
  std::unique_ptr<Call> take() const;

  dnnl::primitive primitive_;
  std::vector<Argument> arguments_;
  std::size_t scratch_ = 0;
  mutable std::mutex guard_;
  mutable std::vector<std::unique_ptr<Call>> idle_;
};

/// Primitives are made for the number of threads of the moment; inside here that is one.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

/// The last `kCapacity` things made, by key.
template <class Key, class Made, class Hash>
class Cache {
 public:
  template <class Make>
  std::shared_ptr<const Made> get(const Key& key, Make&& make) {
    {
      const std::lock_guard lock(guard_);
      const auto it = by_key_.find(key);
      if (it != by_key_.end()) {
        order_.splice(order_.begin(), order_, it->second);
        return it->second->second;
      }
    }
    std::shared_ptr<const Made> made = make();
    const std::lock_guard lock(guard_);
    order_.emplace_front(key, made);
    by_key_[key] = order_.begin();
    if (order_.size() > kCapacity) {
      by_key_.erase(order_.back().first);
      order_.pop_back();
    }
    return made;
  }

 private:
  static constexpr std::size_t kCapacity = 1024;
  using Entry = std::pair<Key, std::shared_ptr<const Made>>;
  std::mutex guard_;
  std::list<Entry> order_;
  std::unordered_map<Key, typename std::list<Entry>::iterator, Hash> by_key_;
};

/// Hash of keys that are numbers in a row: give them all.
class Mix {
 public:
  Mix& add(std::int64_t value) {
    state_ = (state_ ^ static_cast<std::uint64_t>(value)) * 0x9E3779B97F4A7C15ULL;
    state_ ^= state_ >> 29;
    return *this;
  }
  Mix& add(const Activation& f) {
    return add(static_cast<std::int64_t>(f.kind))
        .add(std::bit_cast<std::int32_t>(f.a))
        .add(std::bit_cast<std::int32_t>(f.b));
  }
  std::size_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0x243F6A8885A308D3ULL;
};

}  // namespace compressor::kernels::onednn
