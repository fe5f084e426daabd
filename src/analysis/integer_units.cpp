// integer_units: from a value to all that reads it.
#include "analysis/integer_units.h"

#include <algorithm>

namespace compressor {
namespace {

/// Every reader is `wanted`, and there is one.
template <class Wanted>
bool all_readers(const Value& value, Wanted wanted) {
  const auto& uses = value.uses();
  return !uses.empty() &&
         std::all_of(uses.begin(), uses.end(), [&](const Use& use) { return use.node && wanted(*use.node); });
}

bool is_bound(const Node& node) {
  return node.is("Relu") || node.is("Clip");
}

/// Only codes of it are read, or of Relu or Clip of it (no kernel takes more than a few of them).
bool only_codes(const Value& value, int bounds = 2) {
  return all_readers(value, [bounds](const Node& reader) {
    if (reader.is("QuantizeLinear")) return true;
    return bounds > 0 && is_bound(reader) && reader.output(0) && only_codes(*reader.output(0), bounds - 1);
  });
}

bool reads_codes(const Node& node) {
  const auto& inputs = node.inputs();
  return std::any_of(inputs.begin(), inputs.end(), [](const Value* v) {
    return v && v->producer() && v->producer()->is("DequantizeLinear");
  });
}

}  // namespace

bool inside_integer_unit(const Value& value) {
  const Node* maker = value.producer();
  if (!maker || maker->is("QuantizeLinear")) return false;
  if (maker->is("DequantizeLinear")) {
    return all_readers(value, [](const Node& reader) {
      const auto& outputs = reader.outputs();
      return std::all_of(outputs.begin(), outputs.end(), [](const Value* v) { return v && only_codes(*v); });
    });
  }
  // A bound belongs to the operator in front of it.
  const Node* before = is_bound(*maker) && maker->input(0) ? maker->input(0)->producer() : nullptr;
  return (reads_codes(*maker) || (before && reads_codes(*before))) && only_codes(value);
}

}  // namespace compressor
