// stream: two batches on huge pages, one being filled while the other is written.
#include "onnx/stream.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <future>

#include "compressor/base/error.h"
#include "compressor/base/threads.h"

namespace compressor::wire {
namespace {

constexpr std::uint64_t kPiece = std::uint64_t{1} << 20U;
constexpr std::uint64_t kBatch = std::uint64_t{8} << 20U;
constexpr std::uint64_t kHuge = std::uint64_t{2} << 20U;

/// Where the bytes of a stretch of the rope come from.
struct Piece {
  const Bytes* bytes;  ///< null for text
  std::uint64_t from;
  std::uint64_t size;
  std::uint64_t to;  ///< in the batch
  bool last;         ///< of its payload
};

/// Cuts the rope into pieces, in order.
class Cutter {
 public:
  explicit Cutter(const Rope& rope) : rope_(rope) {}

  /// Pieces of at most kBatch bytes in all; none at the end.
  std::vector<Piece> next() {
    std::vector<Piece> pieces;
    std::uint64_t filled = 0;
    while (filled < kBatch) {
      const bool in_payload = cut_ < rope_.cuts.size() && rope_.cuts[cut_].at == text_;
      const Bytes* bytes = in_payload ? &rope_.cuts[cut_].bytes : nullptr;
      const std::uint64_t text_end = cut_ < rope_.cuts.size() ? rope_.cuts[cut_].at : rope_.text.size();
      const std::uint64_t from = in_payload ? payload_ : text_;
      const std::uint64_t end = in_payload ? bytes->size() : text_end;
      const std::uint64_t size = std::min({end - from, kPiece, kBatch - filled});
      if (size == 0) break;
      const bool last = from + size == end;
      pieces.push_back({bytes, from, size, filled, last});
      filled += size;
      if (!in_payload) {
        text_ += size;
      } else if (last) {
        ++cut_;
        payload_ = 0;
      } else {
        payload_ += size;
      }
    }
    return pieces;
  }

 private:
  const Rope& rope_;
  std::size_t cut_ = 0;
  std::uint64_t text_ = 0;
  std::uint64_t payload_ = 0;
};

/// Room for one batch.
class Buffer {
 public:
  explicit Buffer(std::uint64_t size) : size_((size + kHuge - 1) / kHuge * kHuge) {
    data_ = static_cast<std::byte*>(std::aligned_alloc(kHuge, size_));
    CHECK(data_ != nullptr);
    ::madvise(data_, size_, MADV_HUGEPAGE);
  }
  ~Buffer() { std::free(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  std::byte* data() { return data_; }

 private:
  std::uint64_t size_;
  std::byte* data_;
};

void fill(const Rope& rope, const std::vector<Piece>& pieces, std::byte* batch) {
  parallel_for(static_cast<std::int64_t>(pieces.size()), [&](std::int64_t i) {
    const Piece& p = pieces[static_cast<std::size_t>(i)];
    if (p.bytes) {
      p.bytes->read(p.from, {batch + p.to, p.size});
    } else {
      std::memcpy(batch + p.to, rope.text.data() + p.from, p.size);
    }
  });
  for (const Piece& p : pieces) {
    if (p.bytes && p.last) p.bytes->drop();
  }
}

}  // namespace

void stream(const Rope& rope, AtomicFile& file, Hasher* hasher) {
  const auto put = [&](std::span<const std::byte> bytes) {
    if (hasher) hasher->update(bytes);
    file.write(bytes);
  };
  if (rope.cuts.empty()) return put(std::as_bytes(std::span(rope.text)));
  const std::uint64_t room = std::min(rope.size(), kBatch);
  Buffer first(room);
  Buffer second(rope.size() > kBatch ? room : 1);
  Cutter cutter(rope);
  std::future<void> writing;
  for (bool even = true;; even = !even) {
    const std::vector<Piece> pieces = cutter.next();
    if (pieces.empty()) break;
    std::byte* batch = (even ? first : second).data();
    fill(rope, pieces, batch);
    if (writing.valid()) writing.get();
    const std::span<const std::byte> bytes(batch, pieces.back().to + pieces.back().size);
    writing = std::async(std::launch::async, put, bytes);
  }
  if (writing.valid()) writing.get();
}

}  // namespace compressor::wire
