// zip_write: entries, then the directory; the same content gives the same bytes.
#include <zlib.h>

#include <array>
#include <memory>

#include "compressor/base/error.h"
#include "data/zip.h"

namespace compressor::data {
namespace {

constexpr std::uint64_t kLarge = 0xFFFFFFFF;

class Record {
 public:
  Record& put(std::uint64_t value, int width) {
    for (int i = 0; i < width; ++i) text_ += static_cast<char>(value >> (8 * i) & 0xFFU);
    return *this;
  }
  Record& put(const std::string& text) {
    text_ += text;
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// 1980-01-01: what the time was does not belong to the content.
constexpr std::uint64_t kDate = 0x0021;
constexpr std::uint64_t kUtf8Names = 0x0800, kSizesFollow = 0x0008;

}  // namespace

struct ZipWriter::Deflater {
  z_stream z = {};
  Deflater() {
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK)
      throw Error::io("cannot start packing");
  }
  ~Deflater() { deflateEnd(&z); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
};

void ZipWriter::local_header(const Written& entry) {
  const bool large = entry.sizes_follow || entry.size >= kLarge;
  Record r;
  r.put(0x04034b50, 4).put(large ? 45 : 20, 2);
  r.put(kUtf8Names | (entry.sizes_follow ? kSizesFollow : 0), 2).put(entry.deflated ? 8 : 0, 2);
  r.put(0, 2).put(kDate, 2).put(entry.crc, 4);
  r.put(large ? kLarge : entry.size, 4).put(large ? kLarge : entry.size, 4);
  r.put(entry.name.size(), 2).put(large ? 20 : 0, 2).put(entry.name);
  if (large) r.put(1, 2).put(16, 2).put(entry.size, 8).put(entry.size, 8);
  file_.write(r.text());
}

void ZipWriter::begin_stored(const std::string& name, std::uint64_t size, std::uint32_t crc) {
  Written entry;
  entry.name = name;
  entry.size = entry.packed_size = size;
  entry.crc = crc;
  entry.header_offset = file_.size();
  local_header(entry);
  entries_.push_back(entry);
}

void ZipWriter::begin_deflated(const std::string& name) {
  Written entry;
  entry.name = name;
  entry.deflated = entry.sizes_follow = true;
  entry.header_offset = file_.size();
  local_header(entry);
  entries_.push_back(entry);
  deflater_ = std::make_shared<Deflater>();
}

void ZipWriter::write(std::span<const std::byte> bytes) {
  Written& entry = entries_.back();
  entry.crc = crc32_of(bytes, entry.crc);
  entry.size += bytes.size();
  z_stream& z = deflater_->z;
  std::array<std::byte, 1U << 16U> packed = {};
  // An empty piece ends the stream.
  const int flush = bytes.empty() ? Z_FINISH : Z_NO_FLUSH;
  CHECK(bytes.size() <= 0x40000000);
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast)
  z.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
  for (int status = Z_OK;;) {
    z.next_out = reinterpret_cast<Bytef*>(packed.data());
    z.avail_out = static_cast<uInt>(packed.size());
    status = deflate(&z, flush);
    const std::size_t made = packed.size() - z.avail_out;
    file_.write(std::span<const std::byte>(packed).first(made));
    entry.packed_size += made;
    if (status == Z_STREAM_END || (flush == Z_NO_FLUSH && z.avail_out > 0)) return;
  }
}

void ZipWriter::end() {
  write({});
  deflater_ = nullptr;
  const Written& entry = entries_.back();
  file_.write(
      Record().put(0x08074b50, 4).put(entry.crc, 4).put(entry.packed_size, 8).put(entry.size, 8).text());
}

void ZipWriter::finish() {
  const std::uint64_t start = file_.size();
  for (const Written& entry : entries_) {
    const bool large = entry.size >= kLarge || entry.packed_size >= kLarge || entry.header_offset >= kLarge;
    Record r;
    r.put(0x02014b50, 4).put(0x0300 | 45, 2).put(45, 2);
    r.put(kUtf8Names | (entry.sizes_follow ? kSizesFollow : 0), 2).put(entry.deflated ? 8 : 0, 2);
    r.put(0, 2).put(kDate, 2).put(entry.crc, 4);
    r.put(large ? kLarge : entry.packed_size, 4).put(large ? kLarge : entry.size, 4);
    r.put(entry.name.size(), 2).put(large ? 28 : 0, 2).put(0, 2).put(0, 2).put(0, 2).put(0644U << 16U, 4);
    r.put(large ? kLarge : entry.header_offset, 4).put(entry.name);
    if (large)
      r.put(1, 2).put(24, 2).put(entry.size, 8).put(entry.packed_size, 8).put(entry.header_offset, 8);
    file_.write(r.text());
  }
  const std::uint64_t end = file_.size(), count = entries_.size();
  const bool large = start >= kLarge || count >= 0xFFFF;
  Record r;
  if (large) {
    r.put(0x06064b50, 4).put(44, 8).put(45, 2).put(45, 2).put(0, 4).put(0, 4);
    r.put(count, 8).put(count, 8).put(end - start, 8).put(start, 8);
    r.put(0x07064b50, 4).put(0, 4).put(end, 8).put(1, 4);
  }
  r.put(0x06054b50, 4).put(0, 2).put(0, 2).put(large ? 0xFFFF : count, 2).put(large ? 0xFFFF : count, 2);
  r.put(large ? kLarge : end - start, 4).put(large ? kLarge : start, 4).put(0, 2);
  file_.write(r.text());
}

}  // namespace compressor::data
