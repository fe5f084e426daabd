// wav: RIFF chunks: `fmt ` says how, `data` holds the values, channels interleaved.
#include "data/wav.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>

#include "compressor/base/error.h"

namespace compressor::data {
namespace {

std::uint64_t number(std::span<const std::byte> bytes, std::uint64_t at, int width) {
  std::uint64_t v = 0;
  for (int i = width; i-- > 0;)
    v = v << 8U | std::to_integer<std::uint64_t>(bytes[at + static_cast<std::uint64_t>(i)]);
  return v;
}

bool is_word(std::span<const std::byte> bytes, std::uint64_t at, std::string_view word) {
  return std::memcmp(bytes.data() + at, word.data(), word.size()) == 0;
}

float value_at(const std::byte* at, int bytes, bool is_float) {
  std::int32_t whole = 0;
  switch (bytes) {
    case 1:
      return static_cast<float>(std::to_integer<int>(*at) - 128) / 128.0F;
    case 2: {
      std::int16_t v = 0;
      std::memcpy(&v, at, 2);
      return static_cast<float>(v) / 32768.0F;
    }
    case 3:
      std::memcpy(reinterpret_cast<char*>(&whole) + 1, at, 3);
      return static_cast<float>(whole) / 2147483648.0F;
    case 4:
      if (is_float) {
        float v = 0;
        std::memcpy(&v, at, 4);
        return v;
      }
      std::memcpy(&whole, at, 4);
      return static_cast<float>(static_cast<double>(whole) / 2147483648.0);
    default: {
      double v = 0;
      std::memcpy(&v, at, 8);
      return static_cast<float>(v);
    }
  }
}

}  // namespace

Wav::Wav(const std::string& path) : file_(MappedFile::open(path)) {
  const std::span<const std::byte> bytes = file_->bytes();
  if (bytes.size() < 12 || !is_word(bytes, 0, "RIFF") || !is_word(bytes, 8, "WAVE"))
    throw Error::io("{}: not a WAV file", path);
  for (std::uint64_t at = 12; at + 8 <= bytes.size();) {
    const std::uint64_t size = number(bytes, at + 4, 4), body = at + 8;
    const std::uint64_t left = bytes.size() - body;
    if (size > left) throw Error::io("{}: cut short: a chunk of {} bytes, {} are left", path, size, left);
    if (is_word(bytes, at, "fmt ")) {
      if (size < 16) throw Error::io("{}: damaged: its format has {} bytes", path, size);
      std::uint64_t kind = number(bytes, body, 2);
      constexpr std::uint64_t kPcm = 1, kFloat = 3, kExtensible = 0xFFFE;
      if (kind == kExtensible && size >= 26) kind = number(bytes, body + 24, 2);
      channels_ = static_cast<std::int64_t>(number(bytes, body + 2, 2));
      rate_ = static_cast<std::int64_t>(number(bytes, body + 4, 4));
      const std::uint64_t bits = number(bytes, body + 14, 2);
      is_float_ = kind == kFloat;
      const bool known = (kind == kPcm && (bits == 8 || bits == 16 || bits == 24 || bits == 32)) ||
                         (kind == kFloat && (bits == 32 || bits == 64));
      if (!known || channels_ == 0) {
        throw Error::io("{}: format {} with {} bits and {} channels, expected PCM of 8 to 32 bits or float",
                        path, kind, bits, channels_);
      }
      bytes_ = static_cast<int>(bits / 8);
    } else if (is_word(bytes, at, "data")) {
      if (bytes_ == 0) throw Error::io("{}: damaged: its data comes before its format", path);
      data_offset_ = body;
      length_ = static_cast<std::int64_t>(size / static_cast<std::uint64_t>(channels_ * bytes_));
      return;
    }
    at = body + size + size % 2;
  }
  throw Error::io("{}: cut short: no data", path);
}

std::vector<float> Wav::read(std::int64_t first, std::int64_t count) const {
  const std::int64_t there = std::clamp<std::int64_t>(length_ - first, 0, count);
  std::vector<float> values(static_cast<std::size_t>(channels_ * count), 0.0F);
  const std::byte* at =
      file_->bytes().data() + data_offset_ + static_cast<std::uint64_t>(first * channels_ * bytes_);
  for (std::int64_t i = 0; i < there; ++i) {
    for (std::int64_t c = 0; c < channels_; ++c, at += bytes_)
      values[static_cast<std::size_t>(c * count + i)] = value_at(at, bytes_, is_float_);
  }
  return values;
}

}  // namespace compressor::data
