// hash: the fast 128-bit hash (XXH3) that names contents in metadata, reports and side files.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace compressor {

/// Collects bytes and gives their XXH3-128 as 32 lower-case hexadecimal digits. Not for cryptography.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;
  void update(std::span<const std::byte> bytes);
  /// Of all bytes so far.
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string hash_hex(std::span<const std::byte> bytes);
/// Reads the file in pieces. Throws Error::io when it cannot be read.
std::string hash_file(const std::string& path);

}  // namespace compressor
