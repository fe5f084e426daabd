// memory_map: mmap, pread and madvise behind MappedFile.
#include "compressor/base/memory_map.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "compressor/base/error.h"
#include "compressor/base/interrupt.h"

namespace compressor {

std::shared_ptr<const MappedFile> MappedFile::open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw Error::io("{}: cannot open: {}", path, std::strerror(errno));
  struct stat st = {};
  if (::fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
    const char* what = S_ISDIR(st.st_mode) ? "is a directory, expected a file" : "is not a regular file";
    ::close(fd);
    throw Error::io("{}: {}", path, what);
  }
  const auto size = static_cast<std::size_t>(st.st_size);
  void* data = nullptr;
  if (size > 0) {
    data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) {
      const int error = errno;
      ::close(fd);
      throw Error::io("{}: cannot map {} bytes: {}", path, size, std::strerror(error));
    }
  }
  return std::shared_ptr<const MappedFile>(
      new MappedFile(path, fd, static_cast<const std::byte*>(data), size));
}

MappedFile::MappedFile(std::string path, int fd, const std::byte* data, std::size_t size)
    : path_(std::move(path)),
      fd_(fd),
      data_(data),
      size_(size),
      watch_(watch_mapping(data_, size_, path_.c_str())) {}

MappedFile::~MappedFile() {
  unwatch_mapping(watch_);
  // munmap and madvise take changeable memory but change none.
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast)
  if (size_ > 0) ::munmap(const_cast<std::byte*>(data_), size_);
  ::close(fd_);
}

void MappedFile::read(std::uint64_t offset, std::span<std::byte> out) const {
  CHECK(offset <= size_ && out.size() <= size_ - offset);
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t n = ::pread(fd_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw Error::io("{}: cannot read: {}", path_, std::strerror(errno));
    if (n == 0) throw Error::io("{}: the file became shorter while it was being read", path_);
    done += static_cast<std::size_t>(n);
  }
}

std::uint64_t MappedFile::copy_to(int fd, std::uint64_t offset, std::uint64_t size) const {
  CHECK(offset <= size_ && size <= size_ - offset);
  auto from = static_cast<loff_t>(offset);
  for (;;) {
    const ssize_t n = ::copy_file_range(fd_, &from, fd, nullptr, size, 0);
    if (n >= 0) return static_cast<std::uint64_t>(n);
    if (errno != EINTR) return 0;  // a real error will come up again in read or write
  }
}

void MappedFile::drop(std::uint64_t offset, std::uint64_t size) const {
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uint64_t first = (offset + page - 1) / page * page;  // whole pages inside the range only
  const std::uint64_t last = std::min<std::uint64_t>(offset + size, size_) / page * page;
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast)
  if (first < last) ::madvise(const_cast<std::byte*>(data_) + first, last - first, MADV_DONTNEED);
}

}  // namespace compressor
