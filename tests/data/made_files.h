// made_files: the bytes of small files as tests of formats need them.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <string>

namespace compressor::data {

inline std::string gzip(const std::string& text) {
  z_stream z = {};
  deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(text.size() + 1000, '\0'), in = text;
  z.next_in = reinterpret_cast<Bytef*>(in.data());
  z.avail_in = static_cast<uInt>(in.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

/// One sound: kind 1 is PCM, 3 float; a LIST chunk stands before the data.
inline std::string wav(int kind, int channels, int bits, const std::string& data) {
  const auto number = [](std::uint32_t v, int n) {
    std::string text;
    for (int i = 0; i < n; ++i) text += static_cast<char>(v >> (8 * i) & 0xFFU);
    return text;
  };
  const auto frame = static_cast<std::uint32_t>(channels * bits / 8);
  const std::string body =
      "WAVEfmt " + number(16, 4) + number(static_cast<std::uint32_t>(kind), 2) +
      number(static_cast<std::uint32_t>(channels), 2) + number(16000, 4) + number(16000 * frame, 4) +
      number(frame, 2) + number(static_cast<std::uint32_t>(bits), 2) + "LIST" + number(3, 4) +
      std::string("abc\0", 4) + "data" + number(static_cast<std::uint32_t>(data.size()), 4) + data;
  return "RIFF" + number(static_cast<std::uint32_t>(body.size()), 4) + body;
}

}  // namespace compressor::data
