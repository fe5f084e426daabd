// read_together: one pass over the constants, and one over the readers.
#include "passes/quantize/channels/read_together.h"

#include <map>
#include <optional>

#include "compressor/base/disjoint_sets.h"

namespace compressor::quantize {

std::vector<bool> open_classes(const ScaleFlow& flow, bool products_only) {
  using Role = ScaledConstant::Role;
  std::vector<bool> made(flow.classes), read(flow.classes), other(flow.classes), open(flow.classes);
  for (const ScaledConstant& c : flow.constants) {
    const bool product = c.node->is("MatMul") || c.node->is("Gemm");
    for (const std::size_t k : c.classes) {
      if (c.role == Role::kMaker) made[k] = true;
      if (c.role == Role::kReader) read[k] = true;
      if (c.role == Role::kReader && !product) other[k] = true;
      if (c.role == Role::kMaker && c.node->is("Conv")) other[k] = true;
    }
  }
  for (std::size_t k = 0; k < flow.classes; ++k)
    open[k] = made[k] && read[k] && flow.fixed[k].empty() && !(products_only && other[k]);
  return open;
}

std::vector<std::vector<std::size_t>> read_together(const ScaleFlow& flow, const std::vector<bool>& open,
                                                    const std::vector<const ScaledConstant*>& readers) {
  DisjointSets sets(flow.classes);
  for (const ScaledConstant* reader : readers) {
    std::optional<std::size_t> first;
    for (const std::size_t k : reader->classes) {
      if (!open[k]) continue;
      if (!first) first = k;
      sets.join(k, *first);
    }
  }
  std::map<std::size_t, std::vector<std::size_t>> by_root;
  for (std::size_t k = 0; k < flow.classes; ++k) {
    if (open[k]) by_root[sets.root(k)].push_back(k);
  }
  std::vector<std::vector<std::size_t>> list;
  for (auto& [root, set] : by_root) list.push_back(std::move(set));
  return list;
}

}  // namespace compressor::quantize
