// zip: the directory of a zip archive, the little of it that .npz files use.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "compressor/base/atomic_file.h"
#include "compressor/base/memory_map.h"

namespace compressor::data {

struct ZipEntry {
  std::string name;
  bool deflated = false;
  std::uint32_t crc = 0;
  std::uint64_t packed_size = 0, size = 0;
  std::uint64_t data_offset = 0;  ///< of the packed bytes in the file
};

/// All entries, in the order of the directory, each inside the file. Throws Error::io for archives that are
/// damaged, encrypted, in parts, packed otherwise, or whose entries overlap.
std::vector<ZipEntry> read_zip(const MappedFile& file);

/// CRC-32 of bytes, going on from `crc`.
std::uint32_t crc32_of(std::span<const std::byte> bytes, std::uint32_t crc = 0);

/// Writes entries one after the other, then the directory.
class ZipWriter {
 public:
  explicit ZipWriter(AtomicFile& file) : file_(file) {}
  /// A stored entry; `size` and `crc` are of what the caller then writes to the file.
  void begin_stored(const std::string& name, std::uint64_t size, std::uint32_t crc);
  /// A deflated entry: write() the content, then end().
  void begin_deflated(const std::string& name);
  void write(std::span<const std::byte> bytes);
  void end();
  void finish();

 private:
  struct Written : ZipEntry {
    std::uint64_t header_offset = 0;
    bool sizes_follow = false;
  };
  void local_header(const Written& entry);
  AtomicFile& file_;
  std::vector<Written> entries_;
  struct Deflater;
  std::shared_ptr<Deflater> deflater_;
};

}  // namespace compressor::data
