// merge subexpressions: x -> Op -> a, x -> Op -> b   ==>   x -> Op -> a, and who read b reads a
//
// Same operator, attributes and inputs in the same graph. For operators of ai.onnx that give the same result
// every time; QuantizeLinear and DequantizeLinear stay apart, because runtimes match them with their one
// reader.
#include <algorithm>
#include <array>
#include <string_view>

#include "compressor/rewrite/computation.h"
#include "passes/simplify/rewrites.h"

namespace compressor::simplify {
namespace {

constexpr std::array<std::string_view, 10> kApart = {
    "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial",
    "Bernoulli",    "Dropout",          "Constant",      "QuantizeLinear",    "DequantizeLinear"};

std::optional<std::string> key(const Rewriter& r, const Node& node) {
  if (!node.domain().empty() || std::find(kApart.begin(), kApart.end(), node.op()) != kApart.end())
    return std::nullopt;
  if (node.outputs().empty() || !r.may_touch(node) || r.model().find_function(node)) return std::nullopt;
  std::optional<std::string> out = computation_of(node);
  if (!out) return std::nullopt;
  for (const Value* v : node.inputs()) *out += fmt::format("{},", static_cast<const void*>(v));
  return out;
}

bool merge(Rewriter& r, const Node& first, const Node& second) {
  for (std::size_t i = 0; i < second.outputs().size(); ++i) {
    const Value* from = second.output(i);
    if (!from || from->uses().empty()) continue;
    const Value* to = first.output(i);
    if (!to || !Graph::can_replace(*from, *to)) return false;
  }
  bool changed = false;
  for (std::size_t i = 0; i < second.outputs().size(); ++i) {
    const Value* from = second.output(i);
    if (!from || from->uses().empty()) continue;
    r.replace(*from, *first.output(i));
    changed = true;
  }
  return changed;  // the second goes with the dead
}

}  // namespace

std::int64_t merge_subexpressions(Rewriter& r) {
  std::int64_t count = 0;
  for (Graph* graph : r.graphs()) {
    std::unordered_map<std::string, const Node*> seen;
    for (const Node& node : graph->nodes()) {
      const auto k = key(r, node);
      if (!k) continue;
      const auto [it, added] = seen.emplace(*k, &node);
      if (!added && merge(r, *it->second, node)) ++count;
    }
  }
  return count;
}

}  // namespace compressor::simplify
