// clone: deep copies of graphs that share weights, and copying a body into another graph.
#include "compressor/base/error.h"
#include "compressor/graph/graph.h"

namespace compressor {

Attribute copy_plain(const Attribute& attribute) {
  Attribute copy;
  copy.name = attribute.name;
  copy.ref = attribute.ref;
  copy.ref_type = attribute.ref_type;
  copy.doc = attribute.doc;
  copy.unknown = attribute.unknown;
  std::visit(
      [&](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_copy_constructible_v<T> && !std::is_same_v<T, Attribute::Bodies>) {
          copy.value = value;
        } else {
          CHECK(false, "attribute '{}' holds a body", attribute.name);
        }
      },
      attribute.value);
  return copy;
}

Attribute Graph::clone_attribute(const Attribute& attribute, ValueMap& map, const Node& holder) {
  const auto* body = attribute.get<Attribute::Body>();
  const auto* bodies = attribute.get<Attribute::Bodies>();
  if (!body && !bodies) return copy_plain(attribute);
  Attribute copy;
  copy.name = attribute.name;
  copy.doc = attribute.doc;
  copy.unknown = attribute.unknown;
  if (body) {
    copy.value = (*body)->clone_body(map, &holder);
    return copy;
  }
  Attribute::Bodies copies;
  for (const auto& b : *bodies) copies.push_back(b->clone_body(map, &holder));
  copy.value = std::move(copies);
  return copy;
}

std::unique_ptr<Graph> Graph::clone_body(ValueMap& map, const Node* holder) const {
  auto copy = holder ? std::make_unique<Graph>(*holder) : std::make_unique<Graph>();
  fill_clone(*copy, map);
  return copy;
}

void Graph::copy_value(const Value& from, ValueMap& map, const std::string& name) {
  Value* to = make_value(name);
  to->type_ = from.type_;
  to->initializer_ = from.initializer_;
  to->sparse_ = from.sparse_;
  to->doc_ = from.doc_;
  to->unknown_ = from.unknown_;
  to->info_rank_ = from.info_rank_;
  map[&from] = to;
}

const Node& Graph::copy_node(const Node& from, ValueMap& map, const Node* before,
                             const std::string* name_prefix) {
  const auto mapped = [&](const Value* v) -> const Value* {
    if (!v) return nullptr;
    const auto it = map.find(v);
    return it == map.end() ? v : it->second;
  };
  NodeSpec spec;
  spec.op = from.op_;
  spec.domain = from.domain_;
  spec.overload = from.overload_;
  spec.name = name_prefix && !from.name_.empty() ? *name_prefix + from.name_ : from.name_;
  spec.doc = from.doc_;
  spec.unknown = from.unknown_;
  for (const Value* v : from.inputs_) spec.inputs.push_back(mapped(v));
  for (const Value* v : from.outputs_) spec.outputs.push_back(v ? mapped(v)->name() : "");
  const Node& node = add_node(std::move(spec), before, true);
  Node* n = own(node);
  for (const Attribute& a : from.attributes_) n->attributes_.push_back(clone_attribute(a, map, node));
  return node;
}

void Graph::fill_clone(Graph& copy, ValueMap& map) const {
  copy.name_ = name_;
  copy.doc_ = doc_;
  copy.unknown_ = unknown_;
  copy.output_notes_ = output_notes_;
  for (const auto& [name, value] : values_) copy.copy_value(*value, map, name);
  const auto mapped = [&](const Value* v) -> const Value* {
    const auto it = map.find(v);
    return it == map.end() ? v : it->second;
  };
  for (const Value* v : inputs_) {
    copy.inputs_.push_back(mapped(v));
    copy.own(*mapped(v))->is_input_ = true;
  }
  for (const Value* v : initializers_) copy.initializers_.push_back(mapped(v));
  for (const Value* v : sparse_) copy.sparse_.push_back(mapped(v));
  for (const Node& node : nodes_) {
    const NodeId next = *copy.next_id_;
    const Node& n = copy.copy_node(node, map, nullptr, nullptr);
    copy.own(n)->id_ = node.id_;  // ids survive a clone
    *copy.next_id_ = next;
  }
  for (const Value* v : outputs_) copy.add_output(*mapped(v));
}

std::unique_ptr<Graph> Graph::clone() const {
  CHECK(!holder_, "a body is cloned with the graph around it");
  ValueMap map;
  auto copy = clone_body(map, nullptr);
  *copy->next_id_ = *next_id_;
  return copy;
}

std::vector<const Value*> Graph::splice(const Graph& body, std::span<const Value* const> arguments,
                                        const Node* before, std::string_view prefix) {
  CHECK(arguments.size() <= body.inputs_.size(), "{} arguments for {} inputs", arguments.size(),
        body.inputs_.size());
  ValueMap map;
  for (std::size_t i = 0; i < body.inputs_.size(); ++i)
    map[body.inputs_[i]] = i < arguments.size() ? arguments[i] : nullptr;
  const std::string stem(prefix);
  for (const Value* v : body.values()) {
    if (v->is_input()) continue;
    copy_value(*v, map, fresh_name(stem + v->name()));
    const Value* copy = map.at(v);
    own(*copy)->info_rank_ = -1;
    if (copy->initializer()) initializers_.push_back(copy);
    if (copy->sparse_initializer()) sparse_.push_back(copy);
  }
  for (const Node& node : body.nodes_) copy_node(node, map, before, &stem);
  std::vector<const Value*> results;
  for (const Value* v : body.outputs_) {
    const auto it = map.find(v);
    results.push_back(it == map.end() ? v : it->second);
  }
  return results;
}

}  // namespace compressor
