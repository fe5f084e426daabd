// zip_read: from the end of the file to the directory to the entries.
#include <zlib.h>

#include <algorithm>
#include <string_view>

#include "compressor/base/error.h"
#include "data/zip.h"

namespace compressor::data {
namespace {

// Little-endian numbers at any place of the file, each checked against its end.
class Fields {
 public:
  explicit Fields(const MappedFile& file) : file_(file) {}
  std::uint64_t size() const { return file_.bytes().size(); }
  std::uint64_t number(std::uint64_t offset, int width) const {
    need(offset, static_cast<std::uint64_t>(width));
    std::uint64_t value = 0;
    for (int i = width; i-- > 0;)
      value = value << 8U | static_cast<std::uint64_t>(file_.bytes()[offset + static_cast<std::uint64_t>(i)]);
    return value;
  }
  std::string text(std::uint64_t offset, std::uint64_t length) const {
    need(offset, length);
    return {reinterpret_cast<const char*>(file_.bytes().data() + offset), length};
  }
  template <class... A>
  [[noreturn]] void fail(fmt::format_string<A...> format, A&&... args) const {
    throw Error::io("{}: damaged archive: {}", file_.path(), fmt::format(format, std::forward<A>(args)...));
  }
  void need(std::uint64_t offset, std::uint64_t length) const {
    if (offset > size() || length > size() - offset) fail("something lies past the end of the file");
  }

 private:
  const MappedFile& file_;
};

constexpr std::uint64_t kEndMagic = 0x06054b50, kEnd64Magic = 0x06064b50, kLocator64Magic = 0x07064b50;
constexpr std::uint64_t kDirectoryMagic = 0x02014b50, kLocalMagic = 0x04034b50;
constexpr std::uint64_t kAllOnes32 = 0xFFFFFFFF, kAllOnes16 = 0xFFFF;

struct Directory {
  std::uint64_t offset = 0, count = 0;
};

std::uint64_t find_end(const Fields& fields) {
  constexpr std::uint64_t kEndSize = 22, kLongestComment = 65535;
  if (fields.size() < kEndSize) fields.fail("the file has {} bytes", fields.size());
  for (std::uint64_t back = kEndSize; back <= std::min(fields.size(), kEndSize + kLongestComment); ++back) {
    const std::uint64_t at = fields.size() - back;
    if (fields.number(at, 4) == kEndMagic && fields.number(at + 20, 2) == back - kEndSize) return at;
  }
  fields.fail("no directory at its end; the file may be cut short");
}

Directory find_directory(const Fields& fields) {
  const std::uint64_t end = find_end(fields);
  if (fields.number(end + 4, 2) != 0 && fields.number(end + 4, 2) != kAllOnes16)
    fields.fail("it is one part of several");
  Directory directory = {fields.number(end + 16, 4), fields.number(end + 10, 2)};
  const bool has_64 = end >= 20 && fields.number(end - 20, 4) == kLocator64Magic;
  if (has_64 && (directory.offset == kAllOnes32 || directory.count == kAllOnes16)) {
    const std::uint64_t end64 = fields.number(end - 20 + 8, 8);
    if (fields.number(end64, 4) != kEnd64Magic)
      fields.fail("the large directory's end is not where it should be");
    directory = {fields.number(end64 + 48, 8), fields.number(end64 + 32, 8)};
  }
  return directory;
}

// Sizes and place that do not fit into 32 bits stand in an extra field.
void read_extra_64(const Fields& fields, std::uint64_t at, std::uint64_t end, ZipEntry& entry,
                   std::uint64_t& header) {
  constexpr std::uint64_t kZip64 = 1;
  while (at + 4 <= end) {
    const std::uint64_t id = fields.number(at, 2), length = fields.number(at + 2, 2);
    at += 4;
    if (length > end - at) fields.fail("entry '{}': an extra field is too long", entry.name);
    const std::uint64_t stop = at + length;
    if (id == kZip64) {
      for (std::uint64_t* value : {&entry.size, &entry.packed_size, &header}) {
        if (*value != kAllOnes32) continue;
        if (stop - at < 8) fields.fail("entry '{}': its extra field is too short", entry.name);
        *value = fields.number(at, 8);
        at += 8;
      }
      return;
    }
    at = stop;
  }
}

ZipEntry read_entry(const Fields& fields, std::uint64_t at, std::uint64_t& next) {
  if (fields.number(at, 4) != kDirectoryMagic) fields.fail("the directory ends early");
  ZipEntry entry;
  const std::uint64_t flags = fields.number(at + 8, 2), method = fields.number(at + 10, 2);
  const std::uint64_t name_length = fields.number(at + 28, 2), extra_length = fields.number(at + 30, 2);
  entry.crc = static_cast<std::uint32_t>(fields.number(at + 16, 4));
  entry.packed_size = fields.number(at + 20, 4);
  entry.size = fields.number(at + 24, 4);
  entry.name = fields.text(at + 46, name_length);
  std::uint64_t header = fields.number(at + 42, 4);
  const std::uint64_t extra = at + 46 + name_length;
  fields.need(extra, extra_length);
  read_extra_64(fields, extra, extra + extra_length, entry, header);
  next = extra + extra_length + fields.number(at + 32, 2);

  if ((flags & 1U) != 0) fields.fail("entry '{}' is encrypted", entry.name);
  if (method != 0 && method != 8)
    fields.fail("entry '{}' is packed by method {}, expected stored or deflated", entry.name, method);
  entry.deflated = method == 8;
  if (!entry.deflated && entry.size != entry.packed_size)
    fields.fail("entry '{}' is stored, but its two sizes differ", entry.name);
  if (fields.number(header, 4) != kLocalMagic)
    fields.fail("entry '{}' is not where the directory says", entry.name);
  entry.data_offset = header + 30 + fields.number(header + 26, 2) + fields.number(header + 28, 2);
  fields.need(entry.data_offset, entry.packed_size);
  return entry;
}

void check_apart(const Fields& fields, const std::vector<ZipEntry>& entries) {
  std::vector<const ZipEntry*> sorted;
  for (const ZipEntry& e : entries) sorted.push_back(&e);
  std::sort(sorted.begin(), sorted.end(),
            [](const ZipEntry* a, const ZipEntry* b) { return a->data_offset < b->data_offset; });
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    if (sorted[i - 1]->data_offset + sorted[i - 1]->packed_size > sorted[i]->data_offset)
      fields.fail("entries '{}' and '{}' overlap", sorted[i - 1]->name, sorted[i]->name);
  }
}

}  // namespace

std::vector<ZipEntry> read_zip(const MappedFile& file) {
  const Fields fields(file);
  const Directory directory = find_directory(fields);
  constexpr std::uint64_t kSmallestEntry = 46;
  if (directory.count > fields.size() / kSmallestEntry)
    fields.fail("it announces {} entries", directory.count);
  std::vector<ZipEntry> entries;
  std::uint64_t at = directory.offset;
  for (std::uint64_t i = 0; i < directory.count; ++i) entries.push_back(read_entry(fields, at, at));
  check_apart(fields, entries);
  return entries;
}

std::uint32_t crc32_of(std::span<const std::byte> bytes, std::uint32_t crc) {
  if (bytes.empty()) return crc;  // zlib would begin anew
  return static_cast<std::uint32_t>(
      ::crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace compressor::data
