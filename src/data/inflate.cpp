// inflate: zlib behind Inflater, and a temporary file for what is large.
#include "data/inflate.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "compressor/base/error.h"

namespace compressor::data {

struct Inflater::Stream {
  z_stream z = {};
  bool ended = false;
};

Inflater::Inflater(std::span<const std::byte> packed, Wrap wrap, std::string name)
    : packed_(packed), name_(std::move(name)), stream_(std::make_unique<Stream>()) {
  constexpr int kWindowBits = 15, kGzipBits = 16;
  if (inflateInit2(&stream_->z, wrap == Wrap::kGzip ? kWindowBits + kGzipBits : -kWindowBits) != Z_OK)
    throw Error::io("{}: cannot start unpacking", name_);
}

Inflater::~Inflater() {
  inflateEnd(&stream_->z);
}

std::uint64_t Inflater::most() const {
  return packed_.size() * 1032 + 64;
}

std::size_t Inflater::read_some(std::span<std::byte> out) {
  constexpr std::size_t kPiece = std::size_t{1} << 30U;
  z_stream& z = stream_->z;
  std::size_t done = 0;
  while (done < out.size() && !stream_->ended) {
    const std::size_t in = std::min(packed_.size(), kPiece), room = std::min(out.size() - done, kPiece);
    // zlib's next_in is not const in every build of it; it is not written to.
    z.next_in = reinterpret_cast<Bytef*>(
        const_cast<std::byte*>(packed_.data()));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
    z.avail_in = static_cast<uInt>(in);
    z.next_out = reinterpret_cast<Bytef*>(out.data() + done);
    z.avail_out = static_cast<uInt>(room);
    const int status = inflate(&z, Z_NO_FLUSH);
    packed_ = packed_.subspan(in - z.avail_in);
    done += room - z.avail_out;
    if (status == Z_STREAM_END) {
      stream_->ended = !is_gzip(packed_);  // gzip files may be laid end to end
      if (!stream_->ended) inflateReset(&z);
      continue;
    }
    if (status == Z_OK) continue;
    if (status == Z_BUF_ERROR) throw Error::io("{}: cut short: the packed data ends early", name_);
    throw Error::io("{}: damaged: {}", name_, z.msg != nullptr ? z.msg : "the packed data is invalid");
  }
  return done;
}

void Inflater::read(std::span<std::byte> out) {
  const std::size_t found = read_some(out);
  if (found < out.size()) {
    throw Error::io("{}: cut short: found {} bytes where {} more are announced", name_, found, out.size());
  }
}

void Inflater::finish() {
  std::byte one = {};
  if (read_some({&one, 1}) != 0) throw Error::io("{}: more bytes follow than are announced", name_);
}

namespace {

constexpr std::uint64_t kHeapLimit = std::uint64_t{64} << 20U;

class TemporaryFile {
 public:
  TemporaryFile() {
    std::string path = (std::filesystem::temp_directory_path() / "compressor-XXXXXX").string();
    fd_ = ::mkostemp(path.data(), O_CLOEXEC);
    if (fd_ < 0) throw Error::io("{}: cannot make a temporary file: {}", path, std::strerror(errno));
    ::unlink(path.c_str());
  }
  ~TemporaryFile() { ::close(fd_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  void write(std::span<const std::byte> bytes) const {
    while (!bytes.empty()) {
      const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) throw Error::io("temporary file: cannot write: {}", std::strerror(errno));
      bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
  }
  std::shared_ptr<const MappedFile> map() const {
    return MappedFile::open(fmt::format("/proc/self/fd/{}", fd_));
  }

 private:
  int fd_ = -1;
};

}  // namespace

Bytes unpack(Inflater& from, std::uint64_t size, const std::string& name) {
  if (size > from.most()) {
    throw Error::io("{}: announces {} bytes, more than its packed data can hold ({})", name, size,
                    from.most());
  }
  if (size <= kHeapLimit) {
    std::vector<std::byte> bytes(size);
    from.read(bytes);
    return Bytes::own(std::move(bytes));
  }
  const TemporaryFile file;
  std::vector<std::byte> piece(std::size_t{1} << 20U);
  for (std::uint64_t done = 0; done < size;) {
    const std::span<std::byte> part =
        std::span(piece).first(std::min<std::uint64_t>(piece.size(), size - done));
    from.read(part);
    file.write(part);
    done += part.size();
  }
  return Bytes::map(file.map(), 0, size);
}

std::string unpack_text(std::span<const std::byte> packed, std::uint64_t limit, const std::string& name) {
  Inflater from(packed, Inflater::Wrap::kGzip, name);
  std::string text;
  std::vector<std::byte> piece(std::size_t{1} << 18U);
  for (;;) {
    const std::size_t n = from.read_some(piece);
    if (n == 0) return text;
    if (n > limit - text.size()) throw Error::io("{}: unpacks to more than {} bytes", name, limit);
    text.append(reinterpret_cast<const char*>(piece.data()), n);
  }
}

bool is_gzip(std::span<const std::byte> bytes) {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x1F} && bytes[1] == std::byte{0x8B};
}

}  // namespace compressor::data
