// read_attribute: AttributeProto; its type says which field counts, what else is there is carried along.
#include <bit>
#include <cstring>

#include "onnx/attribute_type.h"
#include "onnx/read.h"

namespace compressor::wire {
namespace {

/// The type an attribute of the first file versions has by what it holds.
int guess_type(std::uint32_t number) {
  switch (number) {
    case 2:
      return kFloatType;
    case 3:
      return kIntType;
    case 4:
      return kStringType;
    case 5:
      return kTensorType;
    case 6:
      return kGraphType;
    case 7:
      return kFloatsType;
    case 8:
      return kIntsType;
    case 9:
      return kStringsType;
    case 10:
      return kTensorsType;
    case 11:
      return kGraphsType;
    case 14:
      return kTypeType;
    case 15:
      return kTypesType;
    case 22:
      return kSparseType;
    case 23:
      return kSparsesType;
    default:
      return 0;
  }
}

/// AttributeProto.type, or by what the attribute holds where the file does not say.
int find_type(LoadContext& context, Span bytes, bool& is_reference) {
  int type = 0;
  int guess = 0;
  is_reference = false;
  Reader reader(context.source, bytes, "attribute");
  for (Field f; reader.next(f);) {
    if (f.number == 20 && f.kind == Kind::kVarint) type = static_cast<std::int32_t>(f.value);
    if (f.number == 21 && f.kind == Kind::kBytes && !f.bytes.empty()) is_reference = true;
    if (guess == 0) guess = guess_type(f.number);
  }
  return type != 0 ? type : guess;
}

/// An empty value of the type, to be filled.
Attribute::AnyValue empty_value(int type) {
  switch (type) {
    case kFloatType:
      return 0.0F;
    case kIntType:
      return std::int64_t{0};
    case kStringType:
      return std::string();
    case kFloatsType:
      return Attribute::Floats();
    case kIntsType:
      return Attribute::Ints();
    case kStringsType:
      return Attribute::Strings();
    case kTensorsType:
      return std::vector<Tensor>();
    case kGraphsType:
      return Attribute::Bodies();
    case kTypesType:
      return std::vector<Type>();
    case kSparsesType:
      return std::vector<SparseTensor>();
    default:
      return {};
  }
}

void add_floats(const Field& f, Attribute::Floats& floats) {
  const std::size_t old = floats.size();
  floats.resize(old + f.bytes.size() / sizeof(float));
  std::memcpy(floats.data() + old, f.bytes.data(), (floats.size() - old) * sizeof(float));
}

class AttributeReader {
 public:
  AttributeReader(LoadContext& context, const Node* holder, const std::string& where, int depth)
      : context_(context), holder_(holder), where_(where), depth_(depth) {}

  /// True when the field is the value of an attribute of that type.
  bool read(const Field& f, int type, Attribute& a) {
    const bool is_bytes = f.kind == Kind::kBytes;
    if (type == 0 || guess_type(f.number) != type) return false;
    if (type == kFloatType && f.kind == Kind::kFixed32) {
      a.value = std::bit_cast<float>(static_cast<std::uint32_t>(f.value));
    } else if (type == kIntType && f.kind == Kind::kVarint) {
      a.value = f.integer();
    } else if (type == kFloatsType && (f.kind == Kind::kFixed32 || (is_bytes && f.bytes.size() % 4 == 0))) {
      if (!f.bytes.empty()) add_floats(f, std::get<Attribute::Floats>(a.value));
    } else if (type == kIntsType && (f.kind == Kind::kVarint || is_bytes)) {
      auto& ints = std::get<Attribute::Ints>(a.value);
      each_integer(context_.source, f, [&](std::int64_t v) { ints.push_back(v); });
    } else if (is_bytes && type != kFloatType && type != kIntType && type != kFloatsType &&
               type != kIntsType) {
      read_bytes(f, type, a);
    } else {
      return false;
    }
    return true;
  }

 private:
  void read_bytes(const Field& f, int type, Attribute& a) {
    if (type == kStringType) a.value = std::string(f.text());
    if (type == kStringsType) std::get<Attribute::Strings>(a.value).emplace_back(f.text());
    if (type == kTensorType) a.value = once(a, read_tensor(context_, f.bytes, here(a)));
    if (type == kTensorsType)
      std::get<std::vector<Tensor>>(a.value).push_back(read_tensor(context_, f.bytes, here(a)));
    if (type == kSparseType) a.value = once(a, read_sparse_tensor(context_, f.bytes, here(a)));
    if (type == kSparsesType)
      std::get<std::vector<SparseTensor>>(a.value).push_back(read_sparse_tensor(context_, f.bytes, here(a)));
    if (type == kTypeType) a.value = once(a, read_type(context_, f.bytes));
    if (type == kTypesType) std::get<std::vector<Type>>(a.value).push_back(read_type(context_, f.bytes));
    if (type == kGraphType) a.value = once(a, body(f, a));
    if (type == kGraphsType) std::get<Attribute::Bodies>(a.value).push_back(body(f, a));
  }
  template <class T>
  T once(const Attribute& a, T value) {
    if (!std::holds_alternative<std::monostate>(a.value)) throw Error::model("{}: has two values", here(a));
    return value;
  }
  Attribute::Body body(const Field& f, const Attribute& a) {
    if (!holder_) throw Error::model("{}: a default cannot be a graph", here(a));
    auto graph = std::make_unique<Graph>(*holder_);
    read_graph(context_, f.bytes, *graph, depth_ + 1);
    return graph;
  }
  std::string here(const Attribute& a) const { return fmt::format("{}: attribute '{}'", where_, a.name); }

  LoadContext& context_;
  const Node* holder_;
  const std::string& where_;
  int depth_;
};

}  // namespace

std::string peek_attribute(LoadContext& context, Span bytes, bool& has_bodies) {
  std::string name;
  has_bodies = false;
  Reader reader(context.source, bytes, "attribute");
  for (Field f; reader.next(f);) {
    if (f.number == 1 && f.kind == Kind::kBytes) name = f.text();
    if ((f.number == 6 || f.number == 11) && f.kind == Kind::kBytes) has_bodies = true;
  }
  return name;
}

Attribute read_attribute(LoadContext& context, Span bytes, const Node* holder, const std::string& where,
                         int depth) {
  bool is_reference = false;
  const int type = find_type(context, bytes, is_reference);
  const int held = is_reference ? 0 : type;  // a reference holds nothing itself
  bool has_bodies = false;
  Attribute a(peek_attribute(context, bytes, has_bodies), empty_value(held));
  AttributeReader values(context, holder, where, depth);
  Reader reader(context.source, bytes, "attribute");
  for (Field f; reader.next(f);) {
    if (f.number == 1 && f.kind == Kind::kBytes) {
      if (f.bytes.empty()) keep(f, a.unknown);
    } else if (f.number == 20 && f.kind == Kind::kVarint) {
      continue;
    } else if (f.number == 13 && f.kind == Kind::kBytes) {
      keep(f, a.doc, a.unknown);
    } else if (f.number == 21 && f.kind == Kind::kBytes) {
      keep(f, a.ref, a.unknown);
    } else if (!values.read(f, held, a)) {
      keep(f, a.unknown);
    }
  }
  if (std::holds_alternative<std::monostate>(a.value)) {
    if (held == kTensorType || held == kGraphType || held == kSparseType || held == kTypeType) {
      throw Error::model("{}: attribute '{}' has no value, its type asks for one", where, a.name);
    }
    a.ref_type = type;  // of the value referred to, or a type of a later version
  }
  return a;
}

}  // namespace compressor::wire
