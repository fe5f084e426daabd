// wav: sound files: what their header says, and their values.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "compressor/base/memory_map.h"

namespace compressor::data {

class Wav {
 public:
  /// PCM of 8, 16, 24 or 32 bits, float of 32 or 64, any number of channels. Throws Error::io that begins
  /// with the path for other files, and when they are cut short.
  explicit Wav(const std::string& path);
  std::int64_t channels() const { return channels_; }
  std::int64_t rate() const { return rate_; }
  /// Values of a channel.
  std::int64_t length() const { return length_; }
  /// Values [first, first + count) of every channel, [C][count], in -1..1; zero past the end.
  std::vector<float> read(std::int64_t first, std::int64_t count) const;

 private:
  std::shared_ptr<const MappedFile> file_;
  std::int64_t channels_ = 0, rate_ = 0, length_ = 0;
  std::uint64_t data_offset_ = 0;
  int bytes_ = 0;
  bool is_float_ = false;
};

}  // namespace compressor::data
