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
  ElementEdit(Graph& graph, std::int64_t opset, const FactsMap& before, bool assumed)
      : graph_(graph), opset_(opset), before_(before), assumed_(assumed) {}

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
    const Facts& facts = before_.of(*v);
    const auto at = static_cast<std::size_t>(position);
    const bool known = facts.contents && at < facts.contents->size() && (*facts.contents)[at].is_number();
    if (known && facts.rank() == 1) return patch(reader, index, *v, facts, position, value);
    // Computed from a shape that is not known before the model runs: the number follows the cut by itself.
    // The check after the cut tells whether it did.
    return node->domain().empty() ? Outcome::kAdapts : Outcome::kCannot;
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

  /// v -> reader  ==>  Concat(v[0 : p], value, v[p + 1 : n]) -> reader: works whatever made v.
  Outcome patch(const Node& reader, std::size_t index, const Value& v, const Facts& facts,
                std::int64_t position, std::int64_t value) {
    if ((*facts.contents)[static_cast<std::size_t>(position)] == SymDim(value)) return Outcome::kAdapts;
    const auto n = static_cast<std::int64_t>(facts.contents->size());
    const double number = static_cast<double>(value);
    std::vector<const Value*> pieces;
    if (position > 0) pieces.push_back(&slice(reader, v, 0, position));
    pieces.push_back(new_constant(graph_, v, Tensor::of(facts.dtype, {1}, std::span(&number, 1))));
    if (position + 1 < n) pieces.push_back(&slice(reader, v, position + 1, n));
    NodeSpec spec;
    spec.op = "Concat";
    spec.inputs = std::move(pieces);
    spec.outputs = {graph_.fresh_name(v.name() + "_pruned")};
    spec.name = spec.outputs[0];
    spec.attributes.emplace_back("axis", std::int64_t{0});
    graph_.set_input(reader, index, graph_.add_node(std::move(spec), &reader).output(0));
    return Outcome::kChanged;
  }

  const Value& slice(const Node& before, const Value& v, std::int64_t begin, std::int64_t end) {
    NodeSpec spec;
    spec.op = "Slice";
    spec.inputs = {&v};
    spec.outputs = {graph_.fresh_name(v.name() + "_part")};
    spec.name = spec.outputs[0];
    if (opset_ < 10) {
      spec.attributes.emplace_back("starts", Attribute::Ints{begin});
      spec.attributes.emplace_back("ends", Attribute::Ints{end});
    } else {
      for (const std::int64_t bound : {begin, end}) {
        spec.inputs.push_back(
            new_constant(graph_, v, Tensor::of({1}, std::span<const std::int64_t>(&bound, 1))));
      }
    }
    return *graph_.add_node(std::move(spec), &before).output(0);
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
      if (position < at + n) return edit_piece(reader, index, concat, i, piece, position - at, value, depth);
      at += n;
    }
    return Outcome::kCannot;
  }

  /// Piece `i` of a Concat holds the element. A known number becomes a constant, whatever it was computed
  /// from: the width of another tensor may have the same value by chance.
  Outcome edit_piece(const Node& reader, std::size_t index, const Node& concat, std::size_t i,
                     const Facts& piece, std::int64_t position, std::int64_t value, int depth) {
    const auto known = piece.contents ? numbers(*piece.contents) : std::nullopt;
    if (known && position < static_cast<std::int64_t>(known->size()) && (known->size() == 1 || !assumed_)) {
      std::vector<double> edited(known->begin(), known->end());
      if (edited[static_cast<std::size_t>(position)] == static_cast<double>(value) &&
          constant_of(*concat.input(i)))
        return Outcome::kAdapts;
      edited[static_cast<std::size_t>(position)] = static_cast<double>(value);
      const Node& own = own_copy(reader, index, concat);
      const Dims shape{static_cast<std::int64_t>(edited.size())};
      graph_.set_input(own, i,
                       new_constant(graph_, *concat.input(i), Tensor::of(piece.dtype, shape, edited)));
      return Outcome::kChanged;
    }
    if (!concat.input(i)->producer()) return Outcome::kCannot;
    if (adapts(*concat.input(i))) return Outcome::kAdapts;  // look before copying
    return apply(own_copy(reader, index, concat), i, position, value, depth + 1);
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
  std::int64_t opset_;
  const FactsMap& before_;
  bool assumed_;
};

}  // namespace

void ShrinkContext::set_element(std::size_t i, std::int64_t position, std::int64_t value) {
  // Numbers that are known although they are computed become a constant: what follows from the cut is set by
  // rules like the one that asks, element by element.
  if (const Value* v = node_.input(i); v && !assumed_ && !constant_of(*v)) {
    const Facts& facts = before_.of(*v);
    const auto shape = facts.shape();
    const auto known = facts.contents ? numbers(*facts.contents) : std::nullopt;
    if (shape && known && num_elements(*shape) == known->size()) {
      set_constant(i, Tensor::of(facts.dtype, *shape, std::vector<double>(known->begin(), known->end())));
    }
  }
  ElementEdit edit(holder(graph_, node_), opset_, before_, assumed_);
  if (edit.apply(node_, i, position, value) == Outcome::kCannot) {
    fail("element {} of '{}' holds a channel count that cannot be changed to {}", position,
         node_.input(i) ? node_.input(i)->name() : "", value);
  }
}

}  // namespace compressor::ops
