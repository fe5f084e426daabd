// write_type: TypeProto, ValueInfoProto, opset imports.
#include "onnx/write.h"

namespace compressor::wire {
namespace {

std::string shape_text(const Type& type) {
  std::string out = type.shape_unknown;
  for (const Dim& dim : type.dims) {
    std::string d = dim.unknown;
    if (dim.known()) put_int(d, 1, dim.value);
    if (!dim.known()) put_text_if(d, 2, dim.param);
    put_text_if(d, 3, dim.denotation);
    put_text(out, 1, d);
  }
  return out;
}

std::string kind_text(const Type& type) {
  std::string out = type.kind_unknown;
  const bool map = type.kind == Type::Kind::kMap;
  if (type.dtype != DType::kUndefined) put_int(out, 1, static_cast<std::int32_t>(type.dtype));
  if (type.has_shape) put_text(out, 2, shape_text(type));
  if (type.element) put_text(out, map ? 2 : 1, type_text(*type.element));
  put_text_if(out, 1, type.opaque_domain);
  put_text_if(out, 2, type.opaque_name);
  return out;
}

std::uint32_t number_of(Type::Kind kind) {
  switch (kind) {
    case Type::Kind::kTensor:
      return 1;
    case Type::Kind::kSequence:
      return 4;
    case Type::Kind::kMap:
      return 5;
    case Type::Kind::kOpaque:
      return 7;
    case Type::Kind::kSparseTensor:
      return 8;
    case Type::Kind::kOptional:
      return 9;
    case Type::Kind::kNone:
      break;
  }
  return 0;
}

}  // namespace

std::string type_text(const Type& type) {
  std::string out = type.unknown;
  if (type.kind != Type::Kind::kNone) put_text(out, number_of(type.kind), kind_text(type));
  put_text_if(out, 6, type.denotation);
  return out;
}

std::string value_info_text(const Type& type, const std::string& name, const std::string& doc,
                            const std::string& unknown, bool strip_docs) {
  std::string out = unknown;
  put_text_if(out, 1, name);
  if (type.kind != Type::Kind::kNone) put_text(out, 2, type_text(type));
  if (!strip_docs) put_text_if(out, 3, doc);
  return out;
}

std::string value_info_text(const Value& value, const std::string& name, bool strip_docs) {
  return value_info_text(value.type(), name, value.doc(), value.unknown(), strip_docs);
}

std::string opset_text(const OpsetImport& opset) {
  std::string out = opset.unknown;
  put_text_if(out, 1, opset.domain);
  if (opset.version != 0) put_int(out, 2, opset.version);
  return out;
}

}  // namespace compressor::wire
