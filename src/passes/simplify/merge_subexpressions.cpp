// merge subexpressions: x -> Op -> a, x -> Op -> b   ==>   x -> Op -> a, and who read b reads a
//
// Same operator, attributes and inputs in the same graph. For operators of ai.onnx that give the same result
// every time; QuantizeLinear and DequantizeLinear stay apart, because runtimes match them with their one
// reader.
#include <algorithm>
#include <array>
#include <bit>
#include <string_view>

#include "compressor/base/hash.h"
#include "passes/simplify/rewrites.h"

namespace compressor::simplify {
namespace {

constexpr std::array<std::string_view, 10> kApart = {
    "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial",
    "Bernoulli",    "Dropout",          "Constant",      "QuantizeLinear",    "DequantizeLinear"};

/// The attribute as text, equal for equal ones; nullopt for what is not compared (bodies, types, sparse
/// tensors).
std::optional<std::string> text(const Attribute& a) {
  std::string out = a.name + "=";
  if (const auto* i = a.get<std::int64_t>()) return out + std::to_string(*i);
  if (const auto* f = a.get<float>()) return out + std::to_string(std::bit_cast<std::uint32_t>(*f));
  if (const auto* s = a.get<std::string>()) return out + std::to_string(s->size()) + ":" + *s;
  if (const auto* ints = a.get<Attribute::Ints>()) {
    for (const std::int64_t i : *ints) out += std::to_string(i) + ",";
    return out;
  }
  if (const auto* floats = a.get<Attribute::Floats>()) {
    for (const float f : *floats) out += std::to_string(std::bit_cast<std::uint32_t>(f)) + ",";
    return out;
  }
  if (const auto* strings = a.get<Attribute::Strings>()) {
    for (const std::string& s : *strings) out += std::to_string(s.size()) + ":" + s + ",";
    return out;
  }
  const auto* t = a.get<Tensor>();
  if (!t || t->dtype == DType::kString) return std::nullopt;
  return out + std::to_string(static_cast<int>(t->dtype)) + to_string(t->shape) +
         hash_hex(t->bytes.view().bytes());
}

std::optional<std::string> key(const Rewriter& r, const Node& node) {
  if (!node.domain().empty() || std::find(kApart.begin(), kApart.end(), node.op()) != kApart.end())
    return std::nullopt;
  if (node.outputs().empty() || !r.may_touch(node) || r.model().find_function(node)) return std::nullopt;
  std::string out = node.op() + "(";
  for (const Value* v : node.inputs()) out += fmt::format("{},", static_cast<const void*>(v));
  std::vector<std::string> settings;
  for (const Attribute& a : node.attributes()) {
    auto one = text(a);
    if (!one || !a.ref.empty()) return std::nullopt;
    settings.push_back(std::move(*one));
  }
  std::sort(settings.begin(), settings.end());
  for (const std::string& s : settings) out += s + ";";
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
