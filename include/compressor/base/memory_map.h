// memory_map: a read-only file in memory, shared by all tensors that are slices of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace compressor {

/// A whole file mapped read-only and privately. Pages are read when touched.
/// A file that is truncated by someone else while mapped raises SIGBUS (handle_signals makes that an
/// error of input/output); `read` (which uses pread) throws instead.
class MappedFile {
 public:
  /// Throws Error::io when the file is missing, unreadable or not a regular file. An empty file maps to no
  /// bytes.
  static std::shared_ptr<const MappedFile> open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }

  /// Copies [offset, offset + out.size()) without touching the mapping; throws Error::io if the file is
  /// shorter now.
  void read(std::uint64_t offset, std::span<std::byte> out) const;
  /// Appends up to `size` bytes from `offset` to the open file `fd` inside the kernel. Returns how many bytes
  /// were copied: 0 when the two files' systems cannot do it, so that the caller must read and write.
  std::uint64_t copy_to(int fd, std::uint64_t offset, std::uint64_t size) const;
  /// Tells the kernel that these pages will not be needed again; they can be read again all the same.
  void drop(std::uint64_t offset, std::uint64_t size) const;

 private:
  MappedFile(std::string path, int fd, const std::byte* data, std::size_t size);
  std::string path_;
  int fd_;
  const std::byte* data_;
  std::size_t size_;
  int watch_;
};

}  // namespace compressor
