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
constexpr std::uint64_t kDirectFrom = std::uint64_t{256} << 10U;  // smaller ones are not worth a system call
constexpr std::uint64_t kHuge = std::uint64_t{2} << 20U;

/// Where the bytes of a stretch of the rope come from.
struct Piece {
  const Bytes* bytes;  ///< null for text
  std::uint64_t from;
  std::uint64_t size;
  std::uint64_t to;  ///< in the batch
  bool last;         ///< of its payload
  bool direct;       ///< from file to file, without going through the batch
};

/// Cuts the rope into pieces, in order.
class Cutter {
 public:
  Cutter(const Rope& rope, bool may_be_direct, std::uint64_t position)
      : rope_(rope), may_be_direct_(may_be_direct), position_(position) {}

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
      const bool direct = in_payload && may_be_direct_ && copies_whole_pages(*bytes);
      const std::uint64_t size = direct ? end - from : std::min({end - from, kPiece, kBatch - filled});
      if (size == 0) break;
      const bool last = from + size == end;
      pieces.push_back({bytes, from, size, filled, last, direct});
      if (!direct) filled += size;
      position_ += size;
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
  /// Copying inside the kernel goes page by page; where the pages of the two files do not line up, it is
  /// slower than going through the batch.
  bool copies_whole_pages(const Bytes& bytes) const {
    constexpr std::uint64_t kPage = 4096;
    return bytes.is_mapped() && bytes.size() >= kDirectFrom && payload_ == 0 &&
           bytes.file_offset() % kPage == position_ % kPage;
  }

  const Rope& rope_;
  bool may_be_direct_;
  std::uint64_t position_;  ///< in the file
  std::size_t cut_ = 0;
  std::uint64_t text_ = 0;
  std::uint64_t payload_ = 0;
};

/// Room for one batch.
class Buffer {
 public:
  explicit Buffer(std::uint64_t size) {
    const bool huge = size >= kHuge;
    const std::uint64_t align = huge ? kHuge : std::uint64_t{4096};
    const std::uint64_t room = std::max<std::uint64_t>((size + align - 1) / align, 1) * align;
    data_ = static_cast<std::byte*>(std::aligned_alloc(align, room));
    CHECK(data_ != nullptr);
    if (huge) ::madvise(data_, room, MADV_HUGEPAGE);
  }
  ~Buffer() { std::free(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  std::byte* data() { return data_; }

 private:
  std::byte* data_ = nullptr;
};

/// Text and files are read here, one after another: that is quick, and idle threads that wait for work would
/// take the processor from the writer. What must be computed is computed in parallel.
void fill(const Rope& rope, const std::vector<Piece>& pieces, std::byte* batch) {
  std::vector<const Piece*> derived;
  for (const Piece& p : pieces) {
    if (p.direct) continue;
    if (!p.bytes) {
      std::memcpy(batch + p.to, rope.text.data() + p.from, p.size);
    } else if (p.bytes->is_derived()) {
      derived.push_back(&p);
    } else {
      p.bytes->read(p.from, {batch + p.to, p.size});
    }
  }
  if (!derived.empty()) {
    parallel_for(static_cast<std::int64_t>(derived.size()), [&](std::int64_t i) {
      const Piece& p = *derived[static_cast<std::size_t>(i)];
      p.bytes->read(p.from, {batch + p.to, p.size});
    });
  }
  for (const Piece& p : pieces) {
    if (p.bytes && p.last) p.bytes->drop();
  }
}

/// Writes a batch: runs of pieces that lie side by side in the buffer at once, direct pieces between them.
void write(const std::vector<Piece>& pieces, const std::byte* batch, AtomicFile& file, Hasher* hasher) {
  for (std::size_t i = 0; i < pieces.size();) {
    const Piece& p = pieces[i++];
    if (p.direct) {
      file.copy(*p.bytes->file(), p.bytes->file_offset() + p.from, p.size);
      continue;
    }
    std::uint64_t size = p.size;
    for (; i < pieces.size() && !pieces[i].direct; ++i) size += pieces[i].size;
    const std::span<const std::byte> bytes(batch + p.to, size);
    if (hasher) hasher->update(bytes);
    file.write(bytes);
  }
}

}  // namespace

void stream(const Rope& rope, AtomicFile& file, Hasher* hasher) {
  if (rope.cuts.empty()) {
    if (hasher) hasher->update(std::as_bytes(std::span(rope.text)));
    return file.write(rope.text);
  }
  const std::uint64_t room = std::min(rope.size(), kBatch);
  file.reserve(file.size() + rope.size());
  Buffer first(room);
  Buffer second(rope.size() > kBatch ? room : 0);
  Cutter cutter(rope, hasher == nullptr, file.size());
  std::vector<Piece> pieces;
  std::future<void> writing;  // declared last: it ends before what it reads
  for (bool even = true;; even = !even) {
    std::vector<Piece> next = cutter.next();
    std::byte* batch = (even ? first : second).data();
    fill(rope, next, batch);
    if (writing.valid()) writing.get();
    if (next.empty()) return;
    pieces = std::move(next);
    writing = std::async(std::launch::async, [&, batch] { write(pieces, batch, file, hasher); });
  }
}

}  // namespace compressor::wire
