// read_tensor: TensorProto and SparseTensorProto; payloads stay where they are and are checked against the
// shape.
#include <algorithm>
#include <charconv>

#include "onnx/read.h"
#include "onnx/tensor_field.h"
#include "onnx/varints.h"

namespace compressor::wire {
namespace {

/// The fields of a TensorProto before they are made sense of.
struct Parts {
  Tensor tensor;
  TensorNotes notes;
  std::vector<Span>
      typed[12];  ///< by field number: float_data, int32_data, int64_data, double_data, uint64_data
  std::vector<std::string> strings;
  std::vector<Span> external;
  std::string external_whole;
  Span raw;
  bool has_raw = false;
  bool is_external = false;
};

bool is_typed_field(std::uint32_t number) {
  return number == 4 || number == 5 || number == 7 || number == 10 || number == 11;
}

Parts read_parts(LoadContext& context, Span bytes) {
  Parts parts;
  Tensor& t = parts.tensor;
  std::string& unknown = parts.notes.unknown;
  Reader reader(context.source, bytes, "tensor");
  for (Field f; reader.next(f);) {
    const bool is_bytes = f.kind == Kind::kBytes;
    if (f.number == 1 && (is_bytes || f.kind == Kind::kVarint)) {
      each_integer(context.source, f, [&](std::int64_t d) { t.shape.push_back(d); });
    } else if (f.number == 2 && f.kind == Kind::kVarint) {
      t.dtype = static_cast<DType>(static_cast<std::int32_t>(f.value));
      if (t.dtype == DType::kUndefined) keep(f, unknown);
    } else if (is_typed_field(f.number) && f.kind != Kind::kGroup) {
      if (!f.bytes.empty()) parts.typed[f.number].push_back(f.bytes);
    } else if (f.number == 6 && is_bytes) {
      parts.strings.emplace_back(f.text());
    } else if (f.number == 8 && is_bytes) {
      keep(f, t.name, unknown);
    } else if (f.number == 9 && is_bytes) {
      parts.raw = f.bytes;
      parts.has_raw = true;
    } else if (f.number == 12 && is_bytes) {
      keep(f, parts.notes.doc, unknown);
    } else if (f.number == 13 && is_bytes) {
      parts.external.push_back(f.bytes);
      parts.external_whole += f.whole_text();
    } else if (f.number == 14 && f.kind == Kind::kVarint) {
      if (f.value > 1)
        throw Error::model("{}: tensor '{}': data location {} does not exist", context.path(), t.name,
                           f.value);
      parts.is_external = f.value == 1;
      if (!parts.is_external) keep(f, unknown);
    } else {
      keep(f, unknown);
    }
  }
  return parts;
}

std::uint64_t parse_number(const std::string& text, const char* key, const std::string& where) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || value > INT64_MAX) {
    throw Error::model("{}: external data has {} '{}', expected a number of bytes", where, key, text);
  }
  return value;
}

void read_external(LoadContext& context, Parts& parts, const std::string& where) {
  std::string location;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;
  for (const Span entry : parts.external) {
    std::string key;
    std::string value;
    if (!read_entry(context.source, entry, key, value)) {
      throw Error::model("{}: an entry of its external data is not a key and a value", where);
    }
    if (key == "location") {
      location = value;
    } else if (key == "offset") {
      offset = parse_number(value, "offset", where);
    } else if (key == "length") {
      length = parse_number(value, "length", where);
    } else {
      parts.notes.external_extra.emplace_back(std::move(key), std::move(value));
    }
  }
  Tensor& t = parts.tensor;
  if (t.dtype == DType::kString) throw Error::model("{}: strings cannot be external data", where);
  const auto file = context.external.open(location, where);
  const std::uint64_t have = file->bytes().size();
  const bool sized = bits(t.dtype) > 0;
  const std::uint64_t needed =
      sized ? packed_bytes(t.dtype, t.size()) : length.value_or(have - std::min(have, offset));
  if (length && *length != needed) {
    throw Error::model("{}: external data has length {}, expected {} for {} {}", where, *length, needed,
                       name(t.dtype), to_string(t.shape));
  }
  if (offset > have || needed > have - offset) {
    throw Error::model("{}: external data is bytes {} to {} of '{}', which has {} bytes", where, offset,
                       offset + needed, location, have);
  }
  t.bytes = Bytes::map(file, offset, needed);
}

/// One slice where the payload is in one piece, a copy where it is scattered.
Bytes join(const LoadContext& context, const std::vector<Span>& pieces) {
  if (pieces.empty()) return {};
  if (pieces.size() == 1) return context.source.slice(pieces.front());
  std::vector<std::byte> all;
  for (const Span piece : pieces) all.insert(all.end(), piece.begin(), piece.end());
  return Bytes::own(std::move(all));
}

void read_typed(LoadContext& context, Parts& parts, const std::string& where) {
  Tensor& t = parts.tensor;
  const TensorField field = tensor_field(t.dtype);
  for (std::uint32_t number = 0; number < 12; ++number) {
    if (number != field.number && !parts.typed[number].empty()) {
      throw Error::model("{}: holds {}, expected {} for {}", where, field_name(number),
                         field_name(field.number), name(t.dtype));
    }
  }
  const std::uint64_t needed = packed_bytes(t.dtype, t.size());
  Bytes payload = join(context, parts.typed[field.number]);
  if (field.varint) {
    if (needed == 0 && payload.empty()) return;
    t.bytes = decode_varints(
        std::move(payload), field.width, needed / field.width,
        fmt::format("{}: {} of {} {}", where, field_name(field.number), name(t.dtype), to_string(t.shape)));
    return;
  }
  if (payload.size() != needed) {
    throw Error::model("{}: {} has {} bytes, expected {} for {} {}", where, field_name(field.number),
                       payload.size(), needed, name(t.dtype), to_string(t.shape));
  }
  t.bytes = std::move(payload);
}

void keep_typed(LoadContext& context, Span bytes, std::string& unknown) {
  Reader reader(context.source, bytes, "tensor");
  for (Field f; reader.next(f);) {
    if (is_typed_field(f.number) && f.kind != Kind::kGroup) keep(f, unknown);
  }
}

void read_payload(LoadContext& context, Span bytes, Parts& parts, const std::string& where) {
  Tensor& t = parts.tensor;
  const bool typed =
      std::any_of(std::begin(parts.typed), std::end(parts.typed), [](const auto& v) { return !v.empty(); });
  const int homes =
      int{!parts.raw.empty()} + int{typed} + int{!parts.strings.empty()} + int{parts.is_external};
  if (homes > 1) throw Error::model("{}: holds its numbers twice, in fields that exclude each other", where);
  if (parts.is_external) return read_external(context, parts, where);
  t.field = parts.has_raw ? Tensor::Field::kRaw : Tensor::Field::kTyped;
  if (t.dtype == DType::kString) {
    if (typed || !parts.raw.empty()) throw Error::model("{}: strings are not in string_data", where);
    if (parts.strings.size() != t.size()) {
      throw Error::model("{}: found {} strings, expected {} for {}", where, parts.strings.size(), t.size(),
                         to_string(t.shape));
    }
    t.strings = std::make_shared<const std::vector<std::string>>(std::move(parts.strings));
    return;
  }
  if (!parts.strings.empty())
    throw Error::model("{}: holds string_data, its type is {}", where, name(t.dtype));
  if (bits(t.dtype) == 0) {  // a type of a later version: carried along as it is
    if (parts.has_raw) t.bytes = context.source.slice(parts.raw);
    keep_typed(context, bytes, parts.notes.unknown);
    return;
  }
  if (!parts.has_raw || (parts.raw.empty() && typed)) {
    if (parts.has_raw) put_text(parts.notes.unknown, 9, "");
    t.field = Tensor::Field::kTyped;
    return read_typed(context, parts, where);
  }
  const std::uint64_t needed = packed_bytes(t.dtype, t.size());
  if (parts.raw.size() != needed) {
    throw Error::model("{}: raw_data has {} bytes, expected {} for {} {}", where, parts.raw.size(), needed,
                       name(t.dtype), to_string(t.shape));
  }
  t.bytes = context.source.slice(parts.raw);
}

}  // namespace

Tensor read_tensor(LoadContext& context, Span bytes, const std::string& where) {
  Parts parts = read_parts(context, bytes);
  const std::string here =
      parts.tensor.name.empty() ? where : fmt::format("{}: tensor '{}'", where, parts.tensor.name);
  try {
    num_elements(parts.tensor.shape);
    packed_bytes(parts.tensor.dtype, num_elements(parts.tensor.shape));
  } catch (const Error& error) {
    throw Error::model("{}: {}", here, error.what());
  }
  if (!parts.is_external) parts.notes.unknown += parts.external_whole;
  read_payload(context, bytes, parts, here);
  if (!parts.notes.doc.empty() || !parts.notes.unknown.empty() || !parts.notes.external_extra.empty()) {
    parts.tensor.notes = std::make_shared<const TensorNotes>(std::move(parts.notes));
  }
  return std::move(parts.tensor);
}

SparseTensor read_sparse_tensor(LoadContext& context, Span bytes, const std::string& where) {
  SparseTensor sparse;
  Reader reader(context.source, bytes, "sparse tensor");
  for (Field f; reader.next(f);) {
    if (f.number == 1 && f.kind == Kind::kBytes) {
      sparse.values = read_tensor(context, f.bytes, where);
    } else if (f.number == 2 && f.kind == Kind::kBytes) {
      sparse.indices = read_tensor(context, f.bytes, where);
    } else if (f.number == 3 && (f.kind == Kind::kBytes || f.kind == Kind::kVarint)) {
      each_integer(context.source, f, [&](std::int64_t d) { sparse.dims.push_back(d); });
    } else {
      keep(f, sparse.unknown);
    }
  }
  const std::string here =
      sparse.values.name.empty() ? where : fmt::format("{}: sparse tensor '{}'", where, sparse.values.name);
  const auto refuse = [&](const std::string& why) { return Error::model("{}: {}", here, why); };
  std::uint64_t dense = 0;
  try {
    dense = num_elements(sparse.dims);
  } catch (const Error& error) {
    throw refuse(error.what());
  }
  const Dims& v = sparse.values.shape;
  const Dims& i = sparse.indices.shape;
  if (v.size() != 1) throw refuse(fmt::format("values have shape {}, expected one dimension", to_string(v)));
  if (sparse.values.size() > dense)
    throw refuse(fmt::format("{} values do not fit into {}", v[0], to_string(sparse.dims)));
  const bool empty = v[0] == 0 && sparse.indices.dtype == DType::kUndefined;  // without indices
  if (empty) return sparse;
  if (sparse.indices.dtype != DType::kInt64) throw refuse("indices are not int64");
  const bool linear = i.size() == 1 && i[0] == v[0];
  const bool coordinates =
      i.size() == 2 && i[0] == v[0] && i[1] == static_cast<std::int64_t>(sparse.dims.size());
  if (!linear && !coordinates) {
    throw refuse(fmt::format("indices have shape {}, expected {} or {}x{}", to_string(i), v[0], v[0],
                             sparse.dims.size()));
  }
  return sparse;
}

}  // namespace compressor::wire
