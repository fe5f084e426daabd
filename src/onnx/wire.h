// wire: the protobuf wire format, read field by field from mapped bytes and written to strings.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "compressor/base/error.h"
#include "compressor/tensor/bytes.h"

namespace compressor::wire {

using Span = std::span<const std::byte>;

/// The bytes that spans point into.
struct Source {
  std::string path;  ///< for messages
  Span all;
  std::shared_ptr<const MappedFile> file;  ///< null for bytes in memory, which have no slices
  std::uint64_t offset(const std::byte* at) const { return static_cast<std::uint64_t>(at - all.data()); }
  Bytes slice(Span bytes) const { return Bytes::map(file, offset(bytes.data()), bytes.size()); }
};

enum class Kind : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kGroup = 3, kFixed32 = 5 };

struct Field {
  std::uint32_t number = 0;
  Kind kind = Kind::kVarint;
  std::uint64_t value = 0;  ///< of a varint or the bits of a fixed field
  Span bytes;               ///< the payload: what follows the tag (and the length)
  Span whole;               ///< tag, length and payload

  std::string_view text() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
  std::string_view whole_text() const { return {reinterpret_cast<const char*>(whole.data()), whole.size()}; }
  std::int64_t integer() const { return static_cast<std::int64_t>(value); }
};

/// Walks the fields of one message. Throws Error::model for bytes that are not a message.
class Reader {
 public:
  /// `what` names the message in errors: "graph", "node".
  Reader(const Source& source, Span bytes, const char* what) : source_(source), rest_(bytes), what_(what) {}
  bool next(Field& field);

 private:
  void skip_group(std::uint32_t number, int depth);
  std::uint64_t varint(const char* of);
  Span take(std::uint64_t size, const char* of);
  [[noreturn]] void fail(const std::string& problem) const;
  const Source& source_;
  Span rest_;
  const char* what_;
};

/// Keeps a string field. Present but empty is told apart from absent: it is kept among the unknown fields.
void keep(const Field& field, std::string& target, std::string& unknown);
/// Keeps a field that has no member.
inline void keep(const Field& field, std::string& unknown) {
  unknown += field.whole_text();
}
/// Calls visit(field) for each varint of a repeated integer field, packed or not; visit takes an int64.
template <class Visit>
void each_integer(const Source& source, const Field& field, Visit&& visit);
/// One varint from the front of `bytes`; throws Error::model when there is none.
std::uint64_t take_varint(const Source& source, Span& bytes, const char* what);

template <class Visit>
void each_integer(const Source& source, const Field& field, Visit&& visit) {
  if (field.kind == Kind::kVarint) return visit(field.integer());
  for (Span rest = field.bytes; !rest.empty();)
    visit(static_cast<std::int64_t>(take_varint(source, rest, "integers")));
}

// Writing. Unknown fields of a message go first, so that a known field written after wins over an empty one.
std::uint64_t varint_size(std::uint64_t value);
void put_varint(std::string& out, std::uint64_t value);
void put_tag(std::string& out, std::uint32_t number, Kind kind);
void put_int(std::string& out, std::uint32_t number, std::int64_t value);
void put_float(std::string& out, std::uint32_t number, float value);
void put_text(std::string& out, std::uint32_t number, std::string_view text);
/// Nothing for an empty text.
void put_text_if(std::string& out, std::uint32_t number, std::string_view text);

}  // namespace compressor::wire
