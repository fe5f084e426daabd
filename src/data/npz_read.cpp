// npz_read: the arrays of an archive.
#include <algorithm>

#include "compressor/base/error.h"
#include "compressor/data/numpy.h"
#include "data/inflate.h"
#include "data/npy.h"
#include "data/zip.h"

namespace compressor {
namespace data {
namespace {

constexpr std::uint64_t kLargeEntry = std::uint64_t{64} << 20U;

void check_sizes(const ZipEntry& entry, const NpyHeader& header, const std::string& name) {
  if (header.data_offset + header.data_size == entry.size) return;
  throw Error::io("{}: holds {} bytes of data, expected {} for {}", name,
                  entry.size - std::min(entry.size, header.data_offset), header.data_size,
                  to_string(header.shape));
}

void check_crc(std::uint32_t found, const ZipEntry& entry, const std::string& name) {
  if (found != entry.crc)
    throw Error::io("{}: damaged: the checksum is {:08x}, expected {:08x}", name, found, entry.crc);
}

Tensor stored_array(const std::shared_ptr<const MappedFile>& file, const ZipEntry& entry,
                    const std::string& name) {
  const std::span<const std::byte> all = file->bytes().subspan(entry.data_offset, entry.size);
  const NpyHeader header = parse_npy_header(all.first(std::min(entry.size, kNpyHeaderLimit)), name);
  check_sizes(entry, header, name);
  if (entry.size < kLargeEntry) check_crc(crc32_of(all), entry, name);
  constexpr std::uint64_t kStaysMapped = std::uint64_t{1} << 20U;
  const Bytes data = header.data_size >= kStaysMapped
                         ? Bytes::map(file, entry.data_offset + header.data_offset, header.data_size)
                         : Bytes::copy(all.subspan(header.data_offset));
  return npy_tensor(header, data, name);
}

Tensor deflated_array(const MappedFile& file, const ZipEntry& entry, const std::string& name) {
  const std::span<const std::byte> packed = file.bytes().subspan(entry.data_offset, entry.packed_size);
  std::vector<std::byte> begin(std::min(entry.size, kNpyHeaderLimit));
  begin.resize(Inflater(packed, Inflater::Wrap::kRaw, name).read_some(begin));
  const NpyHeader header = parse_npy_header(begin, name);
  check_sizes(entry, header, name);

  Inflater from(packed, Inflater::Wrap::kRaw, name);
  begin.resize(header.data_offset);
  from.read(begin);
  const Bytes data = unpack(from, header.data_size, name);
  from.finish();
  if (entry.size < kLargeEntry) check_crc(crc32_of(data.view().bytes(), crc32_of(begin)), entry, name);
  return npy_tensor(header, data, name);
}

}  // namespace
}  // namespace data

std::map<std::string, Tensor> read_npz(const std::string& path) {
  const auto file = MappedFile::open(path);
  std::map<std::string, Tensor> arrays;
  for (const data::ZipEntry& entry : data::read_zip(*file)) {
    std::string name = entry.name;
    if (!name.ends_with(".npy"))
      throw Error::io("{}: holds '{}', expected arrays only (.npy)", path, entry.name);
    name.resize(name.size() - 4);
    const std::string where = path + "[" + name + "]";
    Tensor tensor =
        entry.deflated ? data::deflated_array(*file, entry, where) : data::stored_array(file, entry, where);
    if (!arrays.emplace(name, std::move(tensor)).second)
      throw Error::io("{}: holds array '{}' twice", path, name);
  }
  return arrays;
}

}  // namespace compressor
