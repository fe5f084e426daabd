// merge initializers: a = T, b = T   ==>   a = T, and who read b reads a
//
// Same type, shape and bytes. Not for initializers that a caller may replace or that are graph outputs, and
// not for float vectors: sharing a bias or a scale saves next to nothing and ties layers together that have
// nothing in common (whoever prunes one would have to prune the other).
#include <algorithm>

#include "compressor/base/hash.h"
#include "passes/simplify/rewrites.h"

namespace compressor::simplify {
namespace {

constexpr std::uint64_t kSample = 256;  ///< bytes that sort constants before they are compared as a whole

bool may_merge(const Model& model, const Value& value) {
  const Tensor& t = *value.initializer();
  if (model.is_overridable(value) || value.is_graph_output() || t.dtype == DType::kString) return false;
  if (value.is_input() && value.graph().holder()) return false;
  return !is_float(t.dtype) || t.rank() > 1 || t.size() == 1;
}

std::string sample(const Tensor& t) {
  std::vector<std::byte> bytes(std::min(kSample, t.bytes.size()));
  t.bytes.read(0, bytes);
  return fmt::format("{}:{}:{}", static_cast<int>(t.dtype), to_string(t.shape), hash_hex(bytes));
}

}  // namespace

std::int64_t merge_initializers(Rewriter& r) {
  std::int64_t count = 0;
  for (Graph* graph : r.graphs()) {
    std::unordered_map<std::string, std::vector<const Value*>> seen;
    const std::vector<const Value*> list(graph->initializers().begin(), graph->initializers().end());
    for (const Value* v : list) {
      if (v->uses().empty() || !may_merge(r.model(), *v)) continue;
      std::vector<const Value*>& candidates = seen[sample(*v->initializer())];
      const auto twin = std::find_if(candidates.begin(), candidates.end(), [&](const Value* c) {
        return equal(*c->initializer(), *v->initializer());
      });
      if (twin == candidates.end()) {
        candidates.push_back(v);
        continue;
      }
      r.replace(*v, **twin);  // goes with the dead
      ++count;
    }
  }
  return count;
}

}  // namespace compressor::simplify
