// computation: operator and attributes as text.
#include "compressor/rewrite/computation.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "compressor/base/hash.h"

namespace compressor {
namespace {

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

}  // namespace

std::optional<std::string> computation_of(const Node& node) {
  if (!node.domain().empty()) return std::nullopt;
  std::vector<std::string> settings;
  for (const Attribute& a : node.attributes()) {
    auto one = text(a);
    if (!one || !a.ref.empty()) return std::nullopt;
    settings.push_back(std::move(*one));
  }
  std::sort(settings.begin(), settings.end());
  std::string out = node.op() + "(";
  for (const std::string& s : settings) out += s + ";";
  return out + ")";
}

}  // namespace compressor
