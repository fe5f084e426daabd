// varints: counting, random access by an index of every 64K-th element, and encoding.
#include "onnx/varints.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "compressor/base/error.h"
#include "onnx/wire.h"

namespace compressor {
namespace {

constexpr std::uint64_t kStride = std::uint64_t{1} << 16U;
constexpr std::size_t kBuffer = std::size_t{64} << 10U;

/// Bytes of `wire` one after another, through one buffer.
class Stream {
 public:
  Stream(const Bytes& wire, std::uint64_t at)
      : wire_(wire), at_(at), buffer_(std::min<std::uint64_t>(kBuffer, wire.size() - at)) {}
  std::span<const std::byte> more() {
    const std::uint64_t n = std::min<std::uint64_t>(buffer_.size(), wire_.size() - at_);
    wire_.read(at_, std::span(buffer_).first(n));
    at_ += n;
    return std::span(buffer_).first(n);
  }
  std::uint64_t next_varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
      if (used_ == have_.size()) {
        have_ = more();
        used_ = 0;
        CHECK(!have_.empty());
      }
      const auto byte = std::to_integer<std::uint64_t>(have_[used_++]);
      value |= (byte & 0x7FU) << shift;
      if (byte < 0x80) return value;
    }
    throw Error::model("a number of a tensor is longer than ten bytes");
  }

 private:
  const Bytes& wire_;
  std::uint64_t at_;
  std::vector<std::byte> buffer_;
  std::span<const std::byte> have_;
  std::size_t used_ = 0;
};

struct Decoded {
  Bytes wire;
  unsigned width = 0;
  std::uint64_t size = 0;                                   ///< of the decoded bytes
  std::shared_ptr<const std::vector<std::uint64_t>> index;  ///< where in wire element i * kStride starts

  void operator()(std::uint64_t offset, std::span<std::byte> out) const {
    if (out.empty()) return;
    std::uint64_t element = offset / width;
    Stream stream(wire, index->at(element / kStride));
    for (std::uint64_t skip = element % kStride; skip > 0; --skip) stream.next_varint();
    std::size_t from = offset % width;  // an offset may cut an element
    for (std::size_t done = 0; done < out.size();) {
      const std::uint64_t value = stream.next_varint();
      const std::size_t n = std::min<std::size_t>(width - from, out.size() - done);
      std::memcpy(out.data() + done, reinterpret_cast<const std::byte*>(&value) + from, n);
      done += n;
      from = 0;
    }
  }
};

/// Counts varints, noting where every kStride-th starts.
std::uint64_t count_varints(const Bytes& wire, std::vector<std::uint64_t>& index, bool& complete) {
  std::uint64_t count = 0;
  std::uint64_t base = 0;
  index.push_back(0);
  complete = true;
  Stream stream(wire, 0);
  while (base < wire.size()) {
    const auto bytes = stream.more();
    std::size_t i = 0;
    while (i < bytes.size()) {
      if (bytes.size() - i >= 8 &&
          count % kStride < kStride - 8) {  // eight at once, no mark to set among them
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data() + i, 8);
        count += static_cast<std::uint64_t>(std::popcount(~word & 0x8080808080808080ULL));
        i += 8;
        continue;
      }
      if (std::to_integer<unsigned>(bytes[i++]) < 0x80 && ++count % kStride == 0) index.push_back(base + i);
    }
    complete = std::to_integer<unsigned>(bytes.back()) < 0x80;
    base += bytes.size();
  }
  return count;
}

}  // namespace

Bytes decode_varints(Bytes wire, unsigned width, std::uint64_t count, const std::string& where) {
  Decoded decoded;
  std::vector<std::uint64_t> index;
  bool complete = true;
  const std::uint64_t found = count_varints(wire, index, complete);
  if (!complete) throw Error::model("{}: the last of its numbers is cut off", where);
  if (found != count) throw Error::model("{}: found {} numbers, its shape asks for {}", where, found, count);
  decoded.wire = std::move(wire);
  decoded.width = width;
  decoded.size = count * width;
  decoded.index = std::make_shared<const std::vector<std::uint64_t>>(std::move(index));
  const std::uint64_t size = decoded.size;
  return Bytes::derive(size, std::move(decoded));
}

std::optional<Bytes> encoded_varints(const Bytes& bytes) {
  const Decoded* decoded = bytes.fill() ? bytes.fill()->target<Decoded>() : nullptr;
  if (!decoded || bytes.fill_offset() != 0 || bytes.size() != decoded->size) return std::nullopt;
  return decoded->wire;
}

std::string encode_varints(const Bytes& bytes, unsigned width, bool is_signed) {
  std::string out;
  const BytesView view = bytes.view();
  for (std::size_t at = 0; at + width <= view.size(); at += width) {
    std::uint64_t value = 0;
    std::memcpy(&value, view.data() + at, width);
    const unsigned unused = 64 - 8 * width;
    if (is_signed) value = static_cast<std::uint64_t>(static_cast<std::int64_t>(value << unused) >> unused);
    wire::put_varint(out, value);
  }
  return out;
}

}  // namespace compressor
