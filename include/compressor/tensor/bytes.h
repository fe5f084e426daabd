// bytes: immutable bytes that live on the heap, in somebody's memory, in a mapped file, or are computed when
// asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "compressor/base/memory_map.h"

namespace compressor {

/// Contiguous readable bytes together with whatever keeps them alive. The address has no promised alignment.
class BytesView {
 public:
  BytesView() = default;
  BytesView(std::span<const std::byte> bytes, std::shared_ptr<const void> keep)
      : bytes_(bytes), keep_(std::move(keep)) {}
  std::span<const std::byte> bytes() const { return bytes_; }
  const std::byte* data() const { return bytes_.data(); }
  std::size_t size() const { return bytes_.size(); }
  /// The bytes as elements of T, if their address is aligned for T and the size fits; an empty span
  /// otherwise.
  template <class T>
  std::span<const T> as() const {
    if (reinterpret_cast<std::uintptr_t>(data()) % alignof(T) != 0 || size() % sizeof(T) != 0) return {};
    return {reinterpret_cast<const T*>(data()), size() / sizeof(T)};
  }

 private:
  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> keep_;
};

/// Immutable bytes; copying copies a handle. Safe to read from several threads.
class Bytes {
 public:
  /// Writes bytes [offset, offset + out.size()) of a derived payload into `out`. Must be a pure function,
  /// callable for any range, from several threads.
  using Fill = std::function<void(std::uint64_t offset, std::span<std::byte> out)>;

  Bytes() = default;
  static Bytes own(std::vector<std::byte> bytes);
  /// Bytes that somebody else owns and nobody changes any more; they live as long as a copy of `keep` does.
  static Bytes share(std::span<const std::byte> bytes, std::shared_ptr<const void> keep);
  /// A copy of `bytes` on the heap.
  static Bytes copy(std::span<const std::byte> bytes);
  /// Throws Error::model when [offset, offset + size) is not inside the file.
  static Bytes map(std::shared_ptr<const MappedFile> file, std::uint64_t offset, std::uint64_t size);
  /// Bytes that are computed from others while they are read and not kept.
  static Bytes derive(std::uint64_t size, Fill fill);

  std::uint64_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  bool is_mapped() const { return file_ != nullptr; }
  bool is_derived() const { return fill_ != nullptr; }
  /// What derived bytes are computed with, and the first of its bytes that is ours; null otherwise.
  const Fill* fill() const { return fill_.get(); }
  std::uint64_t fill_offset() const { return offset_; }
  /// The file and the offset in it of mapped bytes.
  const std::shared_ptr<const MappedFile>& file() const { return file_; }
  std::uint64_t file_offset() const { return offset_; }

  /// All bytes in one piece: free for own and mapped bytes, computed into a new buffer for derived ones.
  BytesView view() const;
  /// Copies [offset, offset + out.size()).
  void read(std::uint64_t offset, std::span<std::byte> out) const;
  /// The part [offset, offset + size), sharing the storage.
  Bytes slice(std::uint64_t offset, std::uint64_t size) const;
  /// Hint that nobody will read these soon: pages of a mapped file are given back.
  void drop() const;
  /// The same, and for derived bytes the result of computing them.
  Bytes materialized() const;
  /// The memory of shared bytes, to be written to, where this handle is the last one to it; it is empty then.
  /// Null, and nothing changes, otherwise.
  std::shared_ptr<std::byte> take_sole();

 private:
  std::shared_ptr<const std::vector<std::byte>> owned_;
  std::shared_ptr<const void> keep_;
  const std::byte* shared_ = nullptr;
  std::shared_ptr<const MappedFile> file_;
  std::shared_ptr<const Fill> fill_;
  std::uint64_t offset_ = 0;
  std::uint64_t size_ = 0;
};

}  // namespace compressor
