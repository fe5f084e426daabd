// atomic_file: a file that appears complete or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "compressor/base/interrupt.h"
#include "compressor/base/memory_map.h"

namespace compressor {

/// A file being written: a temporary in the folder of its destination that replaces the destination on commit
/// and is removed when it is not committed, also by Ctrl-C. Written data goes to the disk while writing goes
/// on, so that the final sync is short.
class AtomicFile {
 public:
  /// Throws Error::io when the destination is a folder or another thing that is not a regular file, or when
  /// its folder is missing or cannot be written to. A link is replaced, not followed.
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  const std::string& path() const { return path_; }
  std::uint64_t size() const { return size_; }
  /// Says how large the file will be: space is set aside at once, which is faster, and a disk that is too
  /// full is an error now. Throws Error::io then.
  void reserve(std::uint64_t size);
  /// Appends; buffers small pieces. Throws Error::io (a full disk, a size limit).
  void write(std::span<const std::byte> bytes);
  /// Appends a part of another file, by the kernel alone where it can.
  void copy(const MappedFile& from, std::uint64_t offset, std::uint64_t size);
  void write(const std::string& text) { write(std::as_bytes(std::span(text))); }
  /// Another destination in the same folder: for a name that depends on the content.
  void set_path(std::string path);
  /// Writes what is buffered and waits until the disk has it. commit() does so too.
  void sync();
  /// Sync, rename, sync of the folder.
  void commit();
  /// Two files that belong together, `main` naming `side`: both appear or neither does. `side` is renamed
  /// first; renaming `main` commits. A `side` that existed before under that name is kept whatever happens.
  static void commit(AtomicFile& side, AtomicFile& main);

 private:
  void flush();
  void put(std::span<const std::byte> bytes);
  void push();
  void rename_into_place();
  void sync_folder() const;

  std::string path_, temporary_;
  std::unique_ptr<InterruptGuard> guard_;
  int fd_ = -1;
  std::uint64_t size_ = 0;     ///< bytes taken
  std::uint64_t written_ = 0;  ///< bytes given to the system
  std::uint64_t pushed_ = 0;   ///< bytes whose write-back has been started
  std::unique_ptr<std::byte[]> buffer_;
  std::size_t buffered_ = 0;
};

/// Throws Error::io, as AtomicFile would, without creating anything: to fail before the work and not after
/// it.
void check_writable(const std::string& path);
/// Throws Error::io when `output` is the file `input` under whatever name: a link, a hard link, another
/// spelling.
void check_not_same_file(const std::string& output, const std::string& input);

}  // namespace compressor
