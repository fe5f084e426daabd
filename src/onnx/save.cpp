// save: decides where weights go, refuses to write over what is being read, and commits one or two files.
#include "compressor/onnx/save.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <set>

#include "onnx/stream.h"
#include "onnx/varints.h"
#include "onnx/write.h"

namespace compressor {
namespace {

using namespace wire;

constexpr std::size_t kHashDigits = 32;

std::string stem_of(const std::string& path) {
  const std::string name = std::filesystem::path(path).filename().string();
  const bool onnx = name.size() > 5 && name.ends_with(".onnx");
  return onnx ? name.substr(0, name.size() - 5) : name;
}

std::string beside(const std::string& path, const std::string& name) {
  const auto slash = path.find_last_of('/');
  return slash == std::string::npos ? name : path.substr(0, slash + 1) + name;
}

template <class Visit>
void each_payload(const Graph& graph, const Visit& visit) {
  const auto sparse = [&](const SparseTensor& t) { visit(t.values.bytes), visit(t.indices.bytes); };
  for (const Value* v : graph.initializers()) visit(v->initializer()->bytes);
  for (const Value* v : graph.sparse_initializers()) sparse(*v->sparse_initializer());
  for (const Node& node : graph.nodes()) {
    for (const Attribute& a : node.attributes()) {
      if (const auto* t = a.get<Tensor>()) visit(t->bytes);
      if (const auto* t = a.get<SparseTensor>()) sparse(*t);
      if (const auto* ts = a.get<std::vector<Tensor>>()) {
        for (const Tensor& t : *ts) visit(t.bytes);
      }
    }
    for (const Graph* body : node.bodies()) each_payload(*body, visit);
  }
}

/// Renaming over a mapped file would be safe for the mapping, but it would replace the user's input.
void refuse_own_source(const Model& model, const std::string& path) {
  std::set<const MappedFile*> seen;
  const auto check = [&](const Bytes& bytes) {
    const Bytes source = encoded_varints(bytes).value_or(bytes);
    if (source.is_mapped() && seen.insert(source.file().get()).second) {
      check_not_same_file(path, source.file()->path());
    }
  };
  each_payload(*model.graph, check);
  for (const Function& f : model.functions) each_payload(*f.body, check);
  for (const Bytes& info : model.training_info) check(info);
}

std::vector<std::string> find_stale(const std::string& path, const std::string& current) {
  std::vector<std::string> stale;
  const std::string prefix = stem_of(path) + ".";
  std::error_code ignored;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(beside(path, ".")), ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.size() != prefix.size() + kHashDigits + 5 || !name.starts_with(prefix) ||
        !name.ends_with(".data"))
      continue;
    const std::string digits = name.substr(prefix.size(), kHashDigits);
    const bool hex =
        std::all_of(digits.begin(), digits.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
    if (hex && name != current) stale.push_back(beside(path, name));
  }
  std::sort(stale.begin(), stale.end());
  return stale;
}

std::string side_name(const std::string& path, const std::string& hash) {
  return stem_of(path) + "." + hash + ".data";
}

/// The model with large weights beside it, under a name of the right length; `context.side` gets the weights.
Rope with_side(const Model& model, SaveContext& context, const std::string& location, std::uint64_t limit) {
  context.external = true;
  context.location = location;
  context.side = {};
  Rope main = model_rope(context, model);
  if (main.size() <= limit || context.external_attributes) return main;
  context.external_attributes = true;  // still too large: the tensors of Constant nodes go too
  context.side = {};
  return model_rope(context, model);
}

}  // namespace

std::uint64_t saved_bytes(const Model& model) {
  SaveContext context;
  return model_rope(context, model).size();
}

SaveResult save_model(const Model& model, const std::string& path, const SaveOptions& options) {
  refuse_own_source(model, path);
  AtomicFile file(path);
  SaveContext context;
  context.strip_docs = options.strip_docs;
  Rope main;
  if (!options.external) main = model_rope(context, model);
  const bool external = options.external || main.size() > options.single_file_limit;
  SaveResult result;
  Hasher hasher;
  if (!external) {
    stream(main, file, options.hash ? &hasher : nullptr);
    result.file_bytes = main.size();
    file.commit();
    if (options.hash) result.hash = hasher.hex();
    result.stale_side_files = find_stale(path, "");
    return result;
  }
  main = with_side(model, context, side_name(path, std::string(kHashDigits, '0')), options.single_file_limit);
  if (context.side.size() == 0) {  // nothing is large enough
    stream(main, file, options.hash ? &hasher : nullptr);
    result.file_bytes = main.size();
    file.commit();
    if (options.hash) result.hash = hasher.hex();
    return result;
  }
  Hasher side_hasher;
  AtomicFile side(beside(path, side_name(path, std::string(kHashDigits, '0'))));
  stream(context.side, side, &side_hasher);
  const std::string name = side_name(path, side_hasher.hex());
  result.side_path = beside(path, name);
  refuse_own_source(model, result.side_path);
  side.set_path(result.side_path);
  main = with_side(model, context, name, options.single_file_limit);  // now with the right name
  stream(main, file, options.hash ? &hasher : nullptr);
  result.file_bytes = main.size();
  result.side_bytes = side.size();
  AtomicFile::commit(side, file);
  if (options.hash) {
    const std::string all = hasher.hex() + side_hasher.hex();
    result.hash = hash_hex(std::as_bytes(std::span(all)));
  }
  result.stale_side_files = find_stale(path, name);
  return result;
}

}  // namespace compressor
