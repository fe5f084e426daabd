// inflate: unpacking what deflate packed, never more than was announced.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "compressor/tensor/bytes.h"

namespace compressor::data {

/// Unpacks a stream piece by piece. Throws Error::io that begins with `name` when it is damaged or cut short.
class Inflater {
 public:
  enum class Wrap : std::uint8_t { kGzip, kRaw };
  Inflater(std::span<const std::byte> packed, Wrap wrap, std::string name);
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  /// As many bytes as there are, up to out.size(); fewer only at the end of the stream.
  std::size_t read_some(std::span<std::byte> out);
  /// Exactly out.size() bytes; throws when there are fewer.
  void read(std::span<std::byte> out);
  /// Throws when anything follows.
  void finish();
  /// More than this cannot come out: deflate packs 1032 bytes into one at best.
  std::uint64_t most() const;

 private:
  struct Stream;
  std::span<const std::byte> packed_;
  std::string name_;
  std::unique_ptr<Stream> stream_;
};

/// The next `size` bytes of the stream, on the heap, or past 64 MiB in a nameless temporary file so that
/// memory stays flat. Throws Error::io when so many cannot come out of it, before any is unpacked.
Bytes unpack(Inflater& from, std::uint64_t size, const std::string& name);
/// All of a stream that says nothing of its size: at most `limit` bytes, Error::io beyond.
std::string unpack_text(std::span<const std::byte> packed, std::uint64_t limit, const std::string& name);

bool is_gzip(std::span<const std::byte> bytes);

}  // namespace compressor::data
