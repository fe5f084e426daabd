// load: ModelProto, and the checks on the file and the finished model.
#include "compressor/onnx/load.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "compressor/base/hash.h"
#include "onnx/read.h"

namespace compressor {
namespace {

using namespace wire;

LoadContext open_file(const std::string& path, const char* expected) {
  struct stat st = {};
  if (::stat(path.c_str(), &st) != 0) throw Error::io("{}: cannot open: {}", path, std::strerror(errno));
  if (S_ISDIR(st.st_mode)) throw Error::io("{}: is a directory, expected {}", path, expected);
  if (!S_ISREG(st.st_mode)) throw Error::io("{}: is not a regular file, expected {}", path, expected);
  auto file = MappedFile::open(path);
  LoadContext context{{path, file->bytes(), file}, ExternalFiles(path), {}};
  if (context.source.all.empty()) throw Error::model("{}: is empty, expected {}", path, expected);
  return context;
}

Span read_fields(LoadContext& context, Model& model, std::vector<Span>& functions) {
  Span graph;
  bool has_graph = false;
  Reader reader(context.source, context.source.all, "model");
  for (Field f; reader.next(f);) {
    const bool is_bytes = f.kind == Kind::kBytes;
    if (f.number == 1 && f.kind == Kind::kVarint) {
      model.ir_version = f.integer();
      if (model.ir_version == 0) keep(f, model.unknown);
    } else if (f.number == 2 && is_bytes) {
      keep(f, model.producer_name, model.unknown);
    } else if (f.number == 3 && is_bytes) {
      keep(f, model.producer_version, model.unknown);
    } else if (f.number == 4 && is_bytes) {
      keep(f, model.domain, model.unknown);
    } else if (f.number == 5 && f.kind == Kind::kVarint) {
      model.model_version = f.integer();
      model.has_model_version = true;
    } else if (f.number == 6 && is_bytes) {
      keep(f, model.doc, model.unknown);
    } else if (f.number == 7 && is_bytes) {
      if (has_graph) throw Error::model("{}: has two graphs, expected one", context.path());
      graph = f.bytes;
      has_graph = true;
    } else if (f.number == 8 && is_bytes) {
      model.opsets.push_back(read_opset(context, f.bytes));
    } else if (f.number == 14 && is_bytes) {
      std::string key;
      std::string value;
      if (read_entry(context.source, f.bytes, key, value)) {
        model.metadata.emplace_back(std::move(key), std::move(value));
      } else {
        keep(f, model.unknown);
      }
    } else if (f.number == 20 && is_bytes) {
      model.training_info.push_back(context.source.slice(f.bytes));
    } else if (f.number == 25 && is_bytes) {
      functions.push_back(f.bytes);
    } else {
      keep(f, model.unknown);
    }
  }
  if (!has_graph) throw Error::model("{}: has no graph; not an ONNX model", context.path());
  if (model.ir_version == 0)
    throw Error::model("{}: has no IR version; truncated or not an ONNX model", context.path());
  if (model.opsets.empty() && model.ir_version >= 3) {
    throw Error::model("{}: imports no operator set; truncated or not an ONNX model", context.path());
  }
  return graph;
}

void sort_graph(LoadContext& context, Graph& graph, const std::string& what) {
  if (graph.is_sorted()) return;
  try {
    graph.sort();
  } catch (const Error& error) {
    throw Error::model("{}: {}: {}", context.path(), what, error.what());
  }
  context.warnings.push_back(what +
                             ": nodes were not in an order in which they can run; they have been sorted");
}

}  // namespace

std::uint64_t LoadInfo::total_bytes() const {
  std::uint64_t total = file_bytes;
  for (const ExternalFile& f : external) total += f.bytes;
  return total;
}

std::string LoadInfo::hash() const {
  if (external.empty()) return hash_file(path);
  std::string all = hash_file(path);
  for (const ExternalFile& f : external) all += hash_file(f.path);
  return hash_hex(std::as_bytes(std::span(all)));
}

Model load_model(const std::string& path, const LoadOptions& options) {
  LoadContext context = open_file(path, "an ONNX model");
  Model model;
  std::vector<Span> functions;
  const Span graph = read_fields(context, model, functions);
  read_graph(context, graph, *model.graph);
  sort_graph(context, *model.graph, fmt::format("graph '{}'", model.graph->name()));
  for (const Span bytes : functions) {
    model.functions.push_back(read_function(context, bytes));
    const Function& f = model.functions.back();
    sort_graph(context, *f.body, fmt::format("function '{}'", f.name));
  }
  if (options.info) {
    LoadInfo& info = *options.info;
    info.path = path;
    info.file_bytes = context.source.all.size();
    info.external = context.external.opened();
    info.warnings = std::move(context.warnings);
  }
  return model;
}

Tensor load_tensor_pb(const std::string& path) {
  LoadContext context = open_file(path, "a tensor");
  const Span bytes = context.source.all;
  Reader reader(context.source, bytes, "tensor");
  for (Field f; reader.next(f);) {
    if (f.number == 3)
      throw Error::model("{}: holds a sequence or an optional value, expected one tensor", path);
  }
  Tensor tensor = read_tensor(context, bytes, path);
  if (tensor.dtype == DType::kUndefined)
    throw Error::model("{}: is not a tensor: it has no element type", path);
  return tensor;
}

namespace {

constexpr int kMaxNesting = 32;

StoredValue read_value(LoadContext& context, Span bytes, const std::string& path, Type::Kind kind,
                       int depth) {
  StoredValue value;
  if (depth > kMaxNesting) throw Error::model("{}: is nested more than {} deep", path, kMaxNesting);
  if (kind == Type::Kind::kTensor) {
    value.kind = kind;
    value.tensor = read_tensor(context, bytes, path);
    return value;
  }
  // Both protos: 3 a tensor, 5 a sequence, 7 an optional; an OptionalProto holds one of them or none.
  const bool optional = kind == Type::Kind::kOptional;
  value.kind = optional ? Type::Kind::kNone : Type::Kind::kSequence;
  Reader reader(context.source, bytes, "value");
  for (Field f; reader.next(f);) {
    if (f.number == 1 || f.number == 2) continue;
    const Type::Kind inner = f.number == 3   ? Type::Kind::kTensor
                             : f.number == 5 ? Type::Kind::kSequence
                             : f.number == 7 ? Type::Kind::kOptional
                                             : Type::Kind::kNone;
    if (inner == Type::Kind::kNone || f.kind != Kind::kBytes) {
      throw Error::model("{}: holds field {}, expected tensors or sequences of them", path, f.number);
    }
    StoredValue element = read_value(context, f.bytes, path, inner, depth + 1);
    if (optional) return element;
    value.elements.push_back(std::move(element));
  }
  return value;
}

}  // namespace

StoredValue load_value_pb(const std::string& path, const Type& type) {
  if (type.kind != Type::Kind::kSequence && type.kind != Type::Kind::kOptional) {
    return {Type::Kind::kTensor, load_tensor_pb(path), {}};
  }
  LoadContext context = open_file(path, "a sequence or an optional value");
  return read_value(context, context.source.all, path, type.kind, 0);
}

}  // namespace compressor
