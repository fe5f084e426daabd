// bytes: the four homes of a payload behind one handle.
#include "compressor/tensor/bytes.h"

#include <algorithm>
#include <cstring>

#include "compressor/base/error.h"

namespace compressor {

Bytes Bytes::own(std::vector<std::byte> bytes) {
  Bytes result;
  result.size_ = bytes.size();
  result.owned_ = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  return result;
}

Bytes Bytes::share(std::span<const std::byte> bytes, std::shared_ptr<const void> keep) {
  Bytes result;
  result.keep_ = std::move(keep);
  result.shared_ = bytes.data();
  result.size_ = bytes.size();
  return result;
}

Bytes Bytes::copy(std::span<const std::byte> bytes) {
  return own({bytes.begin(), bytes.end()});
}

Bytes Bytes::map(std::shared_ptr<const MappedFile> file, std::uint64_t offset, std::uint64_t size) {
  const std::uint64_t have = file->bytes().size();
  if (offset > have || size > have - offset) {
    throw Error::model("{}: {} bytes at offset {} are past the end of the file ({} bytes)", file->path(),
                       size, offset, have);
  }
  Bytes result;
  result.file_ = std::move(file);
  result.offset_ = offset;
  result.size_ = size;
  return result;
}

Bytes Bytes::derive(std::uint64_t size, Fill fill) {
  Bytes result;
  result.fill_ = std::make_shared<const Fill>(std::move(fill));
  result.size_ = size;
  return result;
}

BytesView Bytes::view() const {
  if (owned_) return {std::span(*owned_).subspan(offset_, size_), owned_};
  if (keep_) return {std::span(shared_ + offset_, size_), keep_};
  if (file_) return {file_->bytes().subspan(offset_, size_), file_};
  if (!fill_) return {};
  auto buffer = std::make_shared<std::vector<std::byte>>(size_);
  (*fill_)(offset_, *buffer);
  return {std::span<const std::byte>(*buffer), buffer};
}

void Bytes::read(std::uint64_t offset, std::span<std::byte> out) const {
  CHECK(offset <= size_ && out.size() <= size_ - offset, "read of {} at {} from {} bytes", out.size(), offset,
        size_);
  if (out.empty()) return;
  if (owned_) std::memcpy(out.data(), owned_->data() + offset_ + offset, out.size());
  if (keep_) std::memcpy(out.data(), shared_ + offset_ + offset, out.size());
  if (file_) file_->read(offset_ + offset, out);
  if (fill_) (*fill_)(offset_ + offset, out);
}

Bytes Bytes::slice(std::uint64_t offset, std::uint64_t size) const {
  CHECK(offset <= size_ && size <= size_ - offset);
  Bytes result = *this;
  result.offset_ += offset;
  result.size_ = size;
  return result;
}

void Bytes::drop() const {
  if (file_) file_->drop(offset_, size_);
}

Bytes Bytes::materialized() const {
  if (!fill_) return *this;
  std::vector<std::byte> buffer(size_);
  (*fill_)(offset_, buffer);
  return own(std::move(buffer));
}

std::shared_ptr<std::byte> Bytes::take_sole() {
  if (!keep_ || offset_ != 0 || keep_.use_count() != 1) return nullptr;
  // The memory was made to be written to: see share(). const_cast is how its maker gets it back.
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast)
  std::shared_ptr<std::byte> memory(std::move(keep_), const_cast<std::byte*>(shared_));
  *this = Bytes();
  return memory;
}

}  // namespace compressor
