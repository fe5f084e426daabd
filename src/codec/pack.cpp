// pack: codes of 2, 4 or 8 bits side by side in bytes, computed while they are read.
//
//   byte = code[0] | code[1] << bits | ..      the first code in the lowest bits, as ONNX packs int4
#include <algorithm>

#include "compressor/base/error.h"
#include "compressor/codec/grid.h"

namespace compressor::codec {

Bytes pack(const Bytes& codes, int bits, std::int32_t offset) {
  CHECK(bits == 2 || bits == 4 || bits == 8, "packing to {} bits", bits);
  if (bits == 8 && offset == 0) return codes;
  const auto per_byte = static_cast<std::uint64_t>(8 / bits);
  const std::uint64_t size = (codes.size() + per_byte - 1) / per_byte;
  if (size == 0) return {};
  const std::int32_t mask = (1 << bits) - 1;
  return Bytes::derive(size, [=](std::uint64_t at, std::span<std::byte> out) {
    constexpr std::uint64_t kPiece = 1U << 16U;
    std::vector<std::byte> piece(std::min<std::uint64_t>(kPiece, out.size() * per_byte));
    for (std::uint64_t done = 0; done < out.size();) {
      const std::uint64_t n = std::min<std::uint64_t>(kPiece / per_byte, out.size() - done);
      const std::uint64_t first = (at + done) * per_byte;
      const std::uint64_t have = std::min(n * per_byte, codes.size() - first);
      codes.read(first, std::span(piece).first(have));
      std::fill(piece.begin() + static_cast<std::ptrdiff_t>(have), piece.end(),
                static_cast<std::byte>(-offset & 0xFF));
      for (std::uint64_t i = 0; i < n; ++i) {
        std::int32_t byte = 0;
        for (std::uint64_t k = 0; k < per_byte; ++k) {
          const std::int32_t code = (std::to_integer<std::int32_t>(piece[i * per_byte + k]) + offset) & mask;
          byte |= code << (static_cast<int>(k) * bits);
        }
        out[done + i] = static_cast<std::byte>(byte);
      }
      done += n;
    }
  });
}

Bytes unpack(const Bytes& packed, std::uint64_t elements, DType code) {
  const int width = bits(code);
  CHECK(width == 2 || width == 4 || width == 8, "packed to {} bits", width);
  if (width == 8) return packed;
  const auto per_byte = static_cast<std::uint64_t>(8 / width);
  CHECK((elements + per_byte - 1) / per_byte <= packed.size(), "{} elements in {} bytes", elements,
        packed.size());
  if (elements == 0) return {};
  const std::int32_t mask = (1 << width) - 1;
  const std::int32_t sign = lowest(code) < 0 ? 1 << (width - 1) : 0;
  return Bytes::derive(elements, [=](std::uint64_t at, std::span<std::byte> out) {
    if (out.empty()) return;
    const std::uint64_t first = at / per_byte, last = (at + out.size() - 1) / per_byte;
    std::vector<std::byte> bytes(last - first + 1);
    packed.read(first, bytes);
    for (std::uint64_t i = 0; i < out.size(); ++i) {
      const std::uint64_t element = at + i;
      const auto byte = std::to_integer<std::int32_t>(bytes[element / per_byte - first]);
      const std::int32_t raw = (byte >> (static_cast<int>(element % per_byte) * width)) & mask;
      out[i] = static_cast<std::byte>(((raw ^ sign) - sign) & 0xFF);
    }
  });
}

}  // namespace compressor::codec
