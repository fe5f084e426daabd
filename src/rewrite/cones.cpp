// cones: which nodes are constant, and which of them are equal.
#include "rewrite/cones.h"

#include <algorithm>

#include "compressor/base/hash.h"
#include "compressor/rewrite/computation.h"

namespace compressor {
namespace {

constexpr std::uint64_t kFew = 64;         ///< elements that are not worth a compressed form
constexpr std::uint64_t kCompared = 1024;  ///< bytes of constants that are the same by what they hold

}  // namespace

Cones::Cones(Rewriter& rewriter, const FoldOptions& options) : r_(rewriter), options_(options) {
  std::unordered_map<std::string, const Node*> seen;
  for (Graph* graph : r_.graphs()) {  // parents first: what a body reads is known before it
    for (const Node& node : graph->nodes()) {
      if (!is_constant(node)) continue;
      std::string kind;
      if (const auto computation = computation_of(node)) {
        kind = *computation;
        for (const Value* v : node.inputs()) kind += name_of(v) + ",";
        for (const Value* v : node.outputs()) kind += v ? '1' : '0';
      } else {
        kind = fmt::format("{}", static_cast<const void*>(&node));
      }
      const Node* first = seen.emplace(std::move(kind), &node).first->second;
      first_of_[&node] = first;
      all_of_[first].push_back(&node);
      if (first == &node) firsts_.push_back(&node);
    }
  }
}

bool Cones::is_constant(const Node& node) const {
  if (!node.domain().empty() || node.is("Constant") || !r_.may_touch(node)) return false;
  if (std::find(options_.keep.begin(), options_.keep.end(), node.op()) != options_.keep.end()) return false;
  if (!node.bodies().empty() || node.inputs().empty()) return false;
  if (node.is("Identity") && node.output(0)->is_graph_output()) return false;  // only gives it that name
  const ops::Op* op = ops::find_op(r_.model(), node);
  if (!op || !op->compute || decodes(node)) return false;
  for (const Value* v : node.inputs()) {
    if (v && !(v->producer() && first_of_.contains(v->producer())) && !r_.constant(v)) return false;
  }
  return std::all_of(node.outputs().begin(), node.outputs().end(),
                     [&](const Value* v) { return !v || bytes_of(*v); });
}

/// Stored weights stay stored.
bool Cones::decodes(const Node& node) const {
  if (node.is("DequantizeLinear")) return true;
  const Facts& in = node.input(0) ? r_.facts(*node.input(0)) : none_;
  const auto shape = in.shape();
  if (!shape || num_elements(*shape) <= kFew) return false;
  if (node.is("BitShift") || node.is("BitwiseAnd")) return true;
  if (!node.is("Cast") || in.dtype == DType::kBool) return false;
  const DType to = r_.facts(*node.output(0)).dtype;
  return bits(in.dtype) <= 16 && bits(to) > bits(in.dtype);
}

/// Equal for equal values. Small constants are told by what they hold: each branch has its own.
std::string Cones::name_of(const Value* value) const {
  const Value* v = first(value);
  const auto constant = r_.constant(v);
  if (!constant || constant->dtype == DType::kString || constant->byte_size() > kCompared)
    return fmt::format("{}", static_cast<const void*>(v));
  return fmt::format("{}{}{}", static_cast<int>(constant->dtype), to_string(constant->shape),
                     hash_hex(constant->bytes.view().bytes()));
}

const Node* Cones::first(const Node& node) const {
  const auto it = first_of_.find(&node);
  return it == first_of_.end() ? nullptr : it->second;
}

const Value* Cones::first(const Value* value) const {
  if (!value || !value->producer()) return value;
  const Node* node = first(*value->producer());
  return node ? node->output(value->output_index()) : value;
}

const Node* Cones::producer(const Value& value) const {
  return value.producer() && first_of_.contains(value.producer()) ? value.producer() : nullptr;
}

bool Cones::all_read_in(const Nodes& nodes, const Value& value) const {
  return std::all_of(value.uses().begin(), value.uses().end(), [&](const Use& use) {
    const Node* reader = use.node ? first(*use.node) : nullptr;
    return reader && nodes.contains(reader);
  });
}

std::vector<const Value*> Cones::read_outside(const Nodes& nodes, const Node& node, std::size_t index) const {
  std::vector<const Value*> values;
  for (const Node* same : all_of_.at(&node)) {
    const Value* v = same->output(index);
    if (v && !all_read_in(nodes, *v)) values.push_back(v);
  }
  return values;
}

std::optional<std::uint64_t> Cones::bytes_of(const Value& value) const {
  if (const auto t = r_.constant(&value)) return t->byte_size();
  const Facts& f = r_.facts(value);
  const auto shape = f.shape();
  if (!shape || !is_known(f.dtype)) return std::nullopt;
  if (f.constant) return f.constant->byte_size();
  if (f.dtype == DType::kString) return std::nullopt;
  return packed_bytes(f.dtype, num_elements(*shape));
}

}  // namespace compressor
