// wire: tags, varints, lengths and groups.
#include "onnx/wire.h"

#include <cstring>

namespace compressor::wire {
namespace {

constexpr int kMaxGroups = 100;

/// -1 when the bytes end inside the varint, 0 when it is longer than ten bytes, else its length.
int read_varint(Span bytes, std::uint64_t& value) {
  value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 10) return 0;
    const auto byte = std::to_integer<std::uint64_t>(bytes[i]);
    value |= (byte & 0x7FU) << (7 * i);
    if (byte < 0x80) return static_cast<int>(i + 1);
  }
  return bytes.size() >= 10 ? 0 : -1;
}

}  // namespace

void Reader::fail(const std::string& problem) const {
  throw Error::model("{}: {}, byte {}: {}", source_.path, what_, source_.offset(rest_.data()), problem);
}

std::uint64_t Reader::varint(const char* of) {
  std::uint64_t value = 0;
  const int n = read_varint(rest_, value);
  if (n < 0) fail(fmt::format("{} is cut off; the file is truncated or not an ONNX file", of));
  if (n == 0) fail(fmt::format("{} is longer than ten bytes; the file is damaged or not an ONNX file", of));
  rest_ = rest_.subspan(static_cast<std::size_t>(n));
  return value;
}

Span Reader::take(std::uint64_t size, const char* of) {
  if (size > rest_.size()) {
    fail(fmt::format("{} should have {} bytes but {} are left; the file is truncated or damaged", of, size,
                     rest_.size()));
  }
  const Span taken = rest_.first(size);
  rest_ = rest_.subspan(size);
  return taken;
}

void Reader::skip_group(std::uint32_t number, int depth) {
  if (depth > kMaxGroups) fail("groups are nested too deeply");
  for (;;) {
    const std::uint64_t tag = varint("a tag in a group");
    const auto kind = static_cast<unsigned>(tag & 7U);
    if (kind == 0) {
      varint("a number in a group");
    } else if (kind == 1) {
      take(8, "a number in a group");
    } else if (kind == 2) {
      take(varint("a length in a group"), "a field in a group");
    } else if (kind == 3) {
      skip_group(static_cast<std::uint32_t>(tag >> 3U), depth + 1);
    } else if (kind == 4) {
      if (tag >> 3U != number) fail("a group ends that was not begun");
      return;
    } else if (kind == 5) {
      take(4, "a number in a group");
    } else {
      fail(fmt::format("wire type {} does not exist; not an ONNX file", kind));
    }
  }
}

bool Reader::next(Field& field) {
  if (rest_.empty()) return false;
  const Span start = rest_;
  const std::uint64_t tag = varint("a tag");
  if (tag > UINT32_MAX || tag >> 3U == 0)
    fail(fmt::format("found tag {}, which does not exist; not an ONNX file", tag));
  field.number = static_cast<std::uint32_t>(tag >> 3U);
  const auto kind = static_cast<unsigned>(tag & 7U);
  const Span payload = rest_;
  if (kind == 0) {
    field.value = varint("a number");
  } else if (kind == 1 || kind == 5) {
    const Span bits = take(kind == 1 ? 8 : 4, "a number");
    field.value = 0;
    std::memcpy(&field.value, bits.data(), bits.size());
  } else if (kind == 2) {
    field.bytes = take(varint("a length"), "a field");
  } else if (kind == 3) {
    skip_group(field.number, 0);
  } else {
    fail(fmt::format("found wire type {} in field {}, which does not belong here; not an ONNX file", kind,
                     field.number));
  }
  field.kind = static_cast<Kind>(kind);
  if (kind != 2) field.bytes = payload.first(payload.size() - rest_.size());
  field.whole = start.first(start.size() - rest_.size());
  return true;
}

void keep(const Field& field, std::string& target, std::string& unknown) {
  target = field.text();
  if (target.empty()) keep(field, unknown);
}

std::uint64_t take_varint(const Source& source, Span& bytes, const char* what) {
  std::uint64_t value = 0;
  const int n = read_varint(bytes, value);
  if (n <= 0)
    throw Error::model("{}: {}, byte {}: a number is cut off or too long", source.path, what,
                       source.offset(bytes.data()));
  bytes = bytes.subspan(static_cast<std::size_t>(n));
  return value;
}

std::uint64_t varint_size(std::uint64_t value) {
  std::uint64_t n = 1;
  while (value >>= 7U) ++n;
  return n;
}

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7U) out += static_cast<char>(value | 0x80U);
  out += static_cast<char>(value);
}

void put_tag(std::string& out, std::uint32_t number, Kind kind) {
  put_varint(out, (std::uint64_t{number} << 3U) | static_cast<std::uint64_t>(kind));
}

void put_int(std::string& out, std::uint32_t number, std::int64_t value) {
  put_tag(out, number, Kind::kVarint);
  put_varint(out, static_cast<std::uint64_t>(value));
}

void put_float(std::string& out, std::uint32_t number, float value) {
  put_tag(out, number, Kind::kFixed32);
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put_text(std::string& out, std::uint32_t number, std::string_view text) {
  put_tag(out, number, Kind::kBytes);
  put_varint(out, text.size());
  out += text;
}

void put_text_if(std::string& out, std::uint32_t number, std::string_view text) {
  if (!text.empty()) put_text(out, number, text);
}

}  // namespace compressor::wire
