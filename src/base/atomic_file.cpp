// atomic_file: temporary, write with early write-back, fsync, rename, fsync of the folder.
#include "compressor/base/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <vector>

#include "compressor/base/error.h"

namespace compressor {
namespace {

// Larger writes make the kernel take larger and colder pages for its cache: 64 KiB measured 2 to 4 times
// faster than 256 KiB and more on a virtual machine.
constexpr std::size_t kWrite = std::size_t{64} << 10U;
constexpr std::size_t kBuffer = std::size_t{64} << 10U;   // small pieces are collected up to this
constexpr std::uint64_t kPush = std::uint64_t{8} << 20U;  // write-back starts every so many bytes

std::string folder_of(const std::string& path) {
  const auto slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string temporary_for(const std::string& path) {
  static std::atomic<int> count{0};
  const auto slash = path.find_last_of('/');
  const std::size_t start = slash == std::string::npos ? 0 : slash + 1;
  const std::string stem =
      path.substr(start, 100);  // room for the suffix where names are limited to 255 bytes
  return fmt::format("{}.{}.tmp.{}.{}", path.substr(0, start), stem, ::getpid(), count++);
}

void check_destination(const std::string& path) {
  if (path.empty() || path.back() == '/') throw Error::io("'{}': is not the name of a file", path);
  struct stat st = {};
  if (::stat(path.c_str(), &st) == 0) {
    if (S_ISDIR(st.st_mode)) throw Error::io("{}: is a directory, expected a file to write", path);
    if (!S_ISREG(st.st_mode)) throw Error::io("{}: exists and is not a regular file", path);
  } else if (errno != ENOENT && errno != ELOOP) {
    throw Error::io("{}: cannot write: {}", path, std::strerror(errno));
  }
}

}  // namespace

void check_writable(const std::string& path) {
  check_destination(path);
  const std::string folder = folder_of(path);
  if (::access(folder.c_str(), W_OK | X_OK) != 0) {
    throw Error::io("{}: cannot write into '{}': {}", path, folder, std::strerror(errno));
  }
}

void check_not_same_file(const std::string& output, const std::string& input) {
  struct stat a = {};
  struct stat b = {};
  if (::stat(output.c_str(), &a) != 0 || ::stat(input.c_str(), &b) != 0) return;
  if (a.st_dev != b.st_dev || a.st_ino != b.st_ino) return;
  throw Error::io("{}: is the same file as the input '{}'; give another output", output, input);
}

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)) {
  check_destination(path_);
  temporary_ = temporary_for(path_);
  guard_ = std::make_unique<InterruptGuard>(temporary_);
  fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd_ < 0)
    throw Error::io("{}: cannot write into '{}': {}", path_, folder_of(path_), std::strerror(errno));
}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::set_path(std::string path) {
  CHECK(folder_of(path) == folder_of(path_), "'{}' and '{}' are not in one folder", path, path_);
  check_destination(path);
  path_ = std::move(path);
}

void AtomicFile::reserve(std::uint64_t size) {
  if (size < kPush || ::fallocate(fd_, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(size)) == 0) return;
  if (errno == ENOSPC || errno == EFBIG || errno == EDQUOT) {
    throw Error::io("{}: cannot write {} bytes: {}", path_, size, std::strerror(errno));
  }
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  size_ += bytes.size();
  if (bytes.size() >= kBuffer) {
    flush();
    return put(bytes);
  }
  if (!buffer_) buffer_ = std::make_unique_for_overwrite<std::byte[]>(kBuffer);
  if (bytes.size() > kBuffer - buffered_) flush();
  std::memcpy(buffer_.get() + buffered_, bytes.data(), bytes.size());
  buffered_ += bytes.size();
}

void AtomicFile::flush() {
  const std::size_t n = buffered_;
  buffered_ = 0;
  put({buffer_.get(), n});
}

void AtomicFile::put(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), std::min(bytes.size(), kWrite));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      throw Error::io("{}: cannot write after {} bytes: {}", path_, written_, std::strerror(errno));
    }
    written_ += static_cast<std::uint64_t>(n);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  push();
}

void AtomicFile::copy(const MappedFile& from, std::uint64_t offset, std::uint64_t size) {
  flush();
  const std::uint64_t end = offset + size;
  while (offset < end) {
    const std::uint64_t n = from.copy_to(fd_, offset, std::min(end - offset, kPush));
    if (n == 0) break;
    offset += n;
    size_ += n;
    written_ += n;
    push();
  }
  std::vector<std::byte> buffer(std::min(end - offset, kPush));
  for (; offset < end; offset += buffer.size()) {
    buffer.resize(std::min<std::uint64_t>(end - offset, buffer.size()));
    from.read(offset, buffer);
    write(buffer);
  }
}

void AtomicFile::push() {
  if (written_ - pushed_ < kPush) return;
  ::sync_file_range(fd_, static_cast<off_t>(pushed_), static_cast<off_t>(written_ - pushed_),
                    SYNC_FILE_RANGE_WRITE);
  pushed_ = written_;
}

void AtomicFile::sync() {
  flush();
  if (::fsync(fd_) != 0) throw Error::io("{}: cannot write: {}", path_, std::strerror(errno));
}

void AtomicFile::rename_into_place() {
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    throw Error::io("{}: cannot replace: {}", path_, std::strerror(errno));
  }
  temporary_.clear();
}

void AtomicFile::sync_folder() const {
  const int folder = ::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;  // a folder that may be written but not read
  const bool failed = ::fsync(folder) != 0 && errno != EINVAL && errno != ENOTSUP;
  ::close(folder);
  if (failed) throw Error::io("{}: cannot sync its folder: {}", path_, std::strerror(errno));
}

void AtomicFile::commit() {
  sync();
  rename_into_place();
  guard_.reset();
  sync_folder();
}

void AtomicFile::commit(AtomicFile& side, AtomicFile& main) {
  side.sync();
  main.sync();
  struct stat st = {};
  const bool existed = ::lstat(side.path_.c_str(), &st) == 0;
  std::unique_ptr<InterruptGuard> guard;
  if (!existed) guard = std::make_unique<InterruptGuard>(side.path_, main.temporary_);
  try {
    side.rename_into_place();
    main.rename_into_place();
  } catch (...) {
    if (!existed && side.temporary_.empty()) ::unlink(side.path_.c_str());
    throw;
  }
  guard.reset();
  side.guard_.reset();
  main.guard_.reset();
  main.sync_folder();
}

}  // namespace compressor
