// mask: whole elements around any range of bytes, masked, and copied out.
#include "passes/prune/mask.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "compressor/base/error.h"
#include "compressor/base/threads.h"

namespace compressor::prune {
namespace {

constexpr std::uint64_t kChunk = 1U << 20U;  ///< bytes

template <class Word>
std::uint64_t zeros_in(std::span<const std::byte> elements) {
  // Shifting the sign out leaves nothing of a zero.
  const std::size_t n = elements.size() / sizeof(Word);
  const std::byte* at = elements.data();
  std::uint64_t zeros = 0;
  for (std::size_t i = 0; i < n; ++i) {
    Word word;
    std::memcpy(&word, at + i * sizeof(Word), sizeof(Word));
    zeros += static_cast<Word>(word << 1U) == 0 ? 1U : 0U;
  }
  return zeros;
}

}  // namespace

void with_bytes(const Bytes& bytes, std::uint64_t offset, std::uint64_t size,
                const std::function<void(std::span<std::byte>)>& visit) {
  thread_local std::vector<std::byte> kept;
  std::vector<std::byte> buffer;
  buffer.swap(kept);  // reading may come back here for other bytes
  if (buffer.size() < size) buffer.resize(size);
  const std::span<std::byte> part = std::span(buffer).first(size);
  bytes.read(offset, part);
  visit(part);
  if (buffer.size() > kept.size()) buffer.swap(kept);
}

Tensor masked(const Tensor& weight, Mask mask) {
  const auto width = static_cast<std::uint64_t>(bits(weight.dtype)) / 8;
  CHECK(width == 2 || width == 4 || width == 8, "a mask for {}", name(weight.dtype));
  Tensor result = weight;
  result.bytes = Bytes::derive(weight.bytes.size(), [source = weight.bytes, width, mask = std::move(mask)](
                                                        std::uint64_t offset, std::span<std::byte> out) {
    if (out.empty()) return;
    std::uint64_t first = offset / width;
    std::uint64_t last = (offset + out.size() + width - 1) / width;
    if (mask.whole) std::tie(first, last) = mask.whole(first, last);
    if (first * width == offset && (last - first) * width == out.size()) {
      source.read(offset, out);
      mask.zero(first, out);
      return;
    }
    with_bytes(source, first * width, (last - first) * width, [&](std::span<std::byte> elements) {
      mask.zero(first, elements);
      const std::span<std::byte> wanted = elements.subspan(offset - first * width, out.size());
      std::copy(wanted.begin(), wanted.end(), out.begin());
    });
  });
  return result;
}

std::uint64_t count_zeros(const Tensor& tensor) {
  const int width = bits(tensor.dtype);
  CHECK(width == 16 || width == 32 || width == 64, "zeros of {}", name(tensor.dtype));
  const std::uint64_t size = tensor.bytes.size();
  std::atomic<std::uint64_t> zeros = 0;
  parallel_for(static_cast<std::int64_t>((size + kChunk - 1) / kChunk), [&](std::int64_t i) {
    const std::uint64_t at = static_cast<std::uint64_t>(i) * kChunk;
    with_bytes(tensor.bytes, at, std::min(kChunk, size - at), [&](std::span<const std::byte> part) {
      zeros += width == 16   ? zeros_in<std::uint16_t>(part)
               : width == 32 ? zeros_in<std::uint32_t>(part)
                             : zeros_in<std::uint64_t>(part);
    });
  });
  return zeros;
}

}  // namespace compressor::prune
