// memory: aligned buffers for activations that go back to a heap of huge pages when nobody holds them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "compressor/tensor/tensor.h"

namespace compressor::kernels {

/// Alignment of every buffer, in bytes.
inline constexpr std::size_t kAlignment = 64;

/// Writable memory; copies share it. It becomes a tensor's bytes once it is filled.
class Buffer {
 public:
  Buffer() = default;
  /// `size` bytes, not initialised. Throws std::bad_alloc.
  explicit Buffer(std::size_t size);
  /// Takes over the memory of bytes that nobody else holds (Bytes::take_sole()), else is empty.
  static Buffer take_over(Bytes& bytes);

  std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  explicit operator bool() const { return data_ != nullptr; }
  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data_);
  }
  /// The contents as immutable bytes that keep the memory alive.
  Bytes bytes() const;

 private:
  std::shared_ptr<std::byte> keep_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// What the heap behind all buffers holds, in bytes.
struct MemoryUse {
  std::uint64_t live = 0;      ///< in buffers
  std::uint64_t peak = 0;      ///< most that was live at a time since reset_peak()
  std::uint64_t reserved = 0;  ///< touched, whether in a buffer or free
};
MemoryUse memory_use();
void reset_peak();

}  // namespace compressor::kernels
