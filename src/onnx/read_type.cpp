// read_type: TypeProto, ValueInfoProto, and the small messages: opset imports and key-value pairs.
#include "onnx/read.h"

namespace compressor::wire {
namespace {

Dim read_dim(LoadContext& context, Span bytes) {
  Dim dim;
  Reader reader(context.source, bytes, "dimension");
  for (Field f; reader.next(f);) {
    if (f.number == 1 && f.kind == Kind::kVarint) {
      if (f.integer() < -1)
        throw Error::model("{}: a declared shape has dimension {}", context.path(), f.integer());
      if (f.integer() == -1) {  // how some exporters spell "unknown"
        keep(f, dim.unknown);
        continue;
      }
      dim.value = f.integer();
      dim.param.clear();
    } else if (f.number == 2 && f.kind == Kind::kBytes) {
      keep(f, dim.param, dim.unknown);
      dim.value = -1;
    } else if (f.number == 3 && f.kind == Kind::kBytes) {
      keep(f, dim.denotation, dim.unknown);
    } else {
      keep(f, dim.unknown);
    }
  }
  return dim;
}

void read_shape(LoadContext& context, Span bytes, Type& type) {
  type.has_shape = true;
  Reader reader(context.source, bytes, "shape");
  for (Field f; reader.next(f);) {
    if (f.number == 1 && f.kind == Kind::kBytes) {
      type.dims.push_back(read_dim(context, f.bytes));
    } else {
      keep(f, type.shape_unknown);
    }
  }
}

void read_kind(LoadContext& context, Span bytes, Type& type, int depth) {
  using K = Type::Kind;
  const bool tensor = type.kind == K::kTensor || type.kind == K::kSparseTensor;
  const bool map = type.kind == K::kMap;
  const bool opaque = type.kind == K::kOpaque;
  const std::uint32_t element = map ? 2 : 1;
  Reader reader(context.source, bytes, "type");
  for (Field f; reader.next(f);) {
    if (f.number == 1 && f.kind == Kind::kVarint && (tensor || map)) {
      type.dtype = static_cast<DType>(static_cast<std::int32_t>(f.value));
      if (type.dtype == DType::kUndefined) keep(f, type.kind_unknown);
    } else if (f.number == 2 && f.kind == Kind::kBytes && tensor) {
      read_shape(context, f.bytes, type);
    } else if (f.number == element && f.kind == Kind::kBytes && !tensor && !opaque) {
      type.element = std::make_shared<const Type>(read_type(context, f.bytes, depth + 1));
    } else if (f.number == 1 && f.kind == Kind::kBytes && opaque) {
      keep(f, type.opaque_domain, type.kind_unknown);
    } else if (f.number == 2 && f.kind == Kind::kBytes && opaque) {
      keep(f, type.opaque_name, type.kind_unknown);
    } else {
      keep(f, type.kind_unknown);
    }
  }
}

Type::Kind kind_of(std::uint32_t number) {
  switch (number) {
    case 1:
      return Type::Kind::kTensor;
    case 4:
      return Type::Kind::kSequence;
    case 5:
      return Type::Kind::kMap;
    case 7:
      return Type::Kind::kOpaque;
    case 8:
      return Type::Kind::kSparseTensor;
    case 9:
      return Type::Kind::kOptional;
    default:
      return Type::Kind::kNone;
  }
}

}  // namespace

Type read_type(LoadContext& context, Span bytes, int depth) {
  if (depth > kMaxTypeDepth) {
    throw Error::model("{}: types are nested more than {} deep", context.path(), kMaxTypeDepth);
  }
  Type type;
  Reader reader(context.source, bytes, "type");
  for (Field f; reader.next(f);) {
    const Type::Kind kind = f.kind == Kind::kBytes ? kind_of(f.number) : Type::Kind::kNone;
    if (kind != Type::Kind::kNone) {
      if (type.kind != Type::Kind::kNone)
        throw Error::model("{}: a type is two kinds at once", context.path());
      type.kind = kind;
      read_kind(context, f.bytes, type, depth);
    } else if (f.number == 6 && f.kind == Kind::kBytes) {
      keep(f, type.denotation, type.unknown);
    } else {
      keep(f, type.unknown);
    }
  }
  return type;
}

ValueInfo read_value_info(LoadContext& context, Span bytes) {
  ValueInfo info;
  Reader reader(context.source, bytes, "value info");
  for (Field f; reader.next(f);) {
    if (f.number == 1 && f.kind == Kind::kBytes) {
      keep(f, info.name, info.unknown);
    } else if (f.number == 2 && f.kind == Kind::kBytes) {
      info.type = read_type(context, f.bytes);
      if (info.type.kind == Type::Kind::kNone) keep(f, info.unknown);
    } else if (f.number == 3 && f.kind == Kind::kBytes) {
      keep(f, info.doc, info.unknown);
    } else {
      keep(f, info.unknown);
    }
  }
  if (info.type.kind == Type::Kind::kNone) info.type = {};
  return info;
}

void keep_domain(const Field& field, std::string& domain, std::string& unknown) {
  keep(field, domain, unknown);
  if (domain != "ai.onnx") return;
  keep(field, unknown);
  domain.clear();
}

OpsetImport read_opset(LoadContext& context, Span bytes) {
  OpsetImport opset;
  Reader reader(context.source, bytes, "opset import");
  for (Field f; reader.next(f);) {
    if (f.number == 1 && f.kind == Kind::kBytes) {
      keep_domain(f, opset.domain, opset.unknown);
    } else if (f.number == 2 && f.kind == Kind::kVarint) {
      opset.version = f.integer();
      if (opset.version == 0) keep(f, opset.unknown);
    } else {
      keep(f, opset.unknown);
    }
  }
  return opset;
}

bool read_entry(const Source& source, Span bytes, std::string& key, std::string& value) {
  int keys = 0;
  int values = 0;
  Reader reader(source, bytes, "key-value pair");
  for (Field f; reader.next(f);) {
    if (f.number == 1 && f.kind == Kind::kBytes) {
      key = f.text();
      ++keys;
    } else if (f.number == 2 && f.kind == Kind::kBytes) {
      value = f.text();
      ++values;
    } else {
      return false;
    }
  }
  return keys == 1 && values == 1;
}

}  // namespace compressor::wire
