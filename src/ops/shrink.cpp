// shrink: what a shrink rule asks, and how a number inside a computed shape is changed at its origin.
#include <algorithm>

#include "compressor/ops/channels.h"

namespace compressor::ops {

const std::vector<std::int64_t>* ShrinkContext::kept_in(std::size_t i, std::int64_t axis) const {
  const Value* v = node_.input(i);
  return v ? kept_(*v, axis < 0 ? axis + in(i).rank() : axis) : nullptr;
}

const std::vector<std::int64_t>* ShrinkContext::kept_out(std::size_t i, std::int64_t axis) const {
  const Value* v = node_.output(i);
  return v ? kept_(*v, axis < 0 ? axis + out(i).rank() : axis) : nullptr;
}

std::int64_t ShrinkContext::new_out_dim(std::size_t i, std::int64_t axis) const {
  if (const auto* kept = kept_out(i, axis)) return static_cast<std::int64_t>(kept->size());
  return out(i).dim(axis).maybe_number().value_or(-1);
}

std::int64_t ShrinkContext::new_in_dim(std::size_t i, std::int64_t axis) const {
  if (const auto* kept = kept_in(i, axis)) return static_cast<std::int64_t>(kept->size());
  return in(i).dim(axis).maybe_number().value_or(-1);
}

namespace {

/// The graph that holds a node, seen from the graph that is being edited: itself or one around it.
Graph& holder(Graph& graph, const Node& node) {
  CHECK(&node.graph() == &graph, "'{}' is edited through another graph", node.label());
  return graph;
}

const Value* new_constant(Graph& graph, const Value& old, Tensor tensor) {
  // Where the old one was a Constant node, the new one is an initializer all the same: it is simpler and
  // always legal.
  tensor.notes = nullptr;
  tensor.name.clear();
  return graph.add_initializer(graph.fresh_name(old.name() + "_pruned"), std::move(tensor));
}

}  // namespace

void ShrinkContext::set_constant(std::size_t i, Tensor tensor) {
  const Value* old = node_.input(i);
  Graph& graph = holder(graph_, node_);
  if (!old) {
    graph.set_input(
        node_, i,
        graph.add_initializer(graph.fresh_name(node_.output(0)->name() + "_sizes"), std::move(tensor)));
    return;
  }
  graph.set_input(node_, i, new_constant(graph, *old, std::move(tensor)));
}

namespace {

enum class Outcome { kChanged, kAdapts, kCannot };

/// Makes element `position` of the integers that `reader` reads at input `index` equal `value`.
class ElementEdit {
 public:
  ElementEdit(Graph& graph, const FactsMap& before) : graph_(graph), before_(before) {}

  Outcome apply(const Node& reader, std::size_t index, std::int64_t position, std::int64_t value,
                int depth = 0) {
    const Value* v = reader.input(index);
    if (!v || depth > 32) return Outcome::kCannot;
    if (auto constant = constant_of(*v)) return edit_constant(reader, index, *v, *constant, position, value);
    const Node* node = v->producer();
    if (!node || &node->graph() != &reader.graph()) return Outcome::kCannot;
    // A node that others read too must not change under them: give this reader a node of its own.
    if (node->is("Concat")) return edit_concat(reader, index, *node, position, value, depth);
    if (node->is("Unsqueeze") || node->is("Squeeze") || node->is("Cast") || node->is("Identity") ||
        node->is("Reshape")) {
      return through(reader, index, *node, position, value, depth);
    }
    if (node->is("Shape") || node->is("Gather") || node->is("Slice") || node->is("Div") || node->is("Mul") ||
        node->is("Add") || node->is("Sub") || node->is("Size") || node->is("Mod") || node->is("Floor") ||
        node->is("Where") || node->is("ConstantOfShape") || node->is("Equal") || node->is("Expand") ||
        node->is("Split") || node->is("ReduceProd")) {
      return Outcome::kAdapts;  // computed from a shape; the check after the cut tells whether it came out
                                // right
    }
    return Outcome::kCannot;
  }

 private:
  Outcome edit_constant(const Node& reader, std::size_t index, const Value& v, const Tensor& constant,
                        std::int64_t position, std::int64_t value) {
    std::vector<std::int64_t> numbers = to_ints(constant);
    if (position < 0 || position >= static_cast<std::int64_t>(numbers.size())) return Outcome::kCannot;
    std::int64_t& number = numbers[static_cast<std::size_t>(position)];
    if (number == value) return Outcome::kAdapts;
    number = value;
    Tensor edited;
    if (constant.dtype == DType::kInt64) {
      edited = Tensor::of(constant.shape, std::span<const std::int64_t>(numbers));
    } else {
      edited =
          Tensor::of(constant.dtype, constant.shape, std::vector<double>(numbers.begin(), numbers.end()));
    }
    edited.field = constant.field;
    graph_.set_input(reader, index, new_constant(graph_, v, std::move(edited)));
    return Outcome::kChanged;
  }

  /// A copy of `node` for this reader alone, unless it is the only reader already.
  const Node& own_copy(const Node& reader, std::size_t index, const Node& node) {
    const Value& out = *node.output(0);
    if (out.uses().size() == 1) return node;
    NodeSpec spec;
    spec.op = node.op();
    spec.domain = node.domain();
    spec.inputs.assign(node.inputs().begin(), node.inputs().end());
    spec.outputs = {graph_.fresh_name(out.name() + "_pruned")};
    if (!node.name().empty()) spec.name = spec.outputs[0];
    for (const Attribute& a : node.attributes()) spec.attributes.push_back(copy_plain(a));
    const Node& copy = graph_.add_node(std::move(spec), &reader);
    graph_.set_input(reader, index, copy.output(0));
    return copy;
  }

  Outcome edit_concat(const Node& reader, std::size_t index, const Node& concat, std::int64_t position,
                      std::int64_t value, int depth) {
    std::int64_t at = 0;
    for (std::size_t i = 0; i < concat.inputs().size(); ++i) {
      const Facts& piece = before_.of(*concat.input(i));
      if (!piece.ranked || piece.rank() != 1 || !piece.dims[0].is_number()) return Outcome::kCannot;
      const std::int64_t n = piece.dims[0].number();
      if (position < at + n) {
        if (const auto constant = constant_of(*concat.input(i));
            constant && to_ints(*constant)[static_cast<std::size_t>(position - at)] == value) {
          return Outcome::kAdapts;
        }
        if (!constant_of(*concat.input(i)) && !concat.input(i)->producer()) return Outcome::kCannot;
        // Look before copying: what adapts by itself needs no copy.
        if (adapts(*concat.input(i))) return Outcome::kAdapts;
        const Node& own = own_copy(reader, index, concat);
        return apply(own, i, position - at, value, depth + 1);
      }
      at += n;
    }
    return Outcome::kCannot;
  }

  static bool adapts(const Value& v) {
    const Node* node = v.producer();
    while (node && (node->is("Unsqueeze") || node->is("Squeeze") || node->is("Cast") ||
                    node->is("Identity") || node->is("Reshape"))) {
      node = node->input(0) ? node->input(0)->producer() : nullptr;
    }
    return node && !node->is("Constant") && !node->is("Concat");
  }

  Outcome through(const Node& reader, std::size_t index, const Node& node, std::int64_t position,
                  std::int64_t value, int depth) {
    if (adapts(*node.output(0))) return Outcome::kAdapts;
    const Node& own = own_copy(reader, index, node);
    return apply(own, 0, position, value, depth + 1);
  }

  Graph& graph_;
  const FactsMap& before_;
};

}  // namespace

void ShrinkContext::set_element(std::size_t i, std::int64_t position, std::int64_t value) {
  // Numbers that are known although they are computed become a constant: what follows from the cut is set by
  // rules like the one that asks, element by element.
  if (const Value* v = node_.input(i); v && !constant_of(*v)) {
    const Facts& facts = before_.of(*v);
    const auto shape = facts.shape();
    const auto known = facts.contents ? numbers(*facts.contents) : std::nullopt;
    if (shape && known && num_elements(*shape) == known->size()) {
      set_constant(i, Tensor::of(facts.dtype, *shape, std::vector<double>(known->begin(), known->end())));
    }
  }
  ElementEdit edit(holder(graph_, node_), before_);
  if (edit.apply(node_, i, position, value) == Outcome::kCannot) {
    fail("element {} of '{}' holds a channel count that cannot be changed to {}", position,
         node_.input(i) ? node_.input(i)->name() : "", value);
  }
}

}  // namespace compressor::ops
