// edit: changing a graph: inputs, attributes, uses, names; and taking things out of it.
#include <algorithm>

#include "compressor/base/error.h"
#include "compressor/graph/graph.h"

namespace compressor {

void Graph::set_output(std::size_t index, const Value& value) {
  CHECK(index < outputs_.size());
  remove_use(outputs_[index], {nullptr, index, this});
  add_use(&value, {nullptr, index, this});
  outputs_[index] = &value;
}

void Graph::set_output_note(std::size_t index, std::string note) {
  CHECK(index < outputs_.size());
  if (output_notes_.size() <= index) output_notes_.resize(index + 1);
  output_notes_[index] = std::move(note);
}

void Graph::set_input(const Node& node, std::size_t index, const Value* value) {
  Node* n = own(node);
  while (n->inputs_.size() <= index) n->inputs_.push_back(nullptr);
  remove_use(n->inputs_[index], {n, index, this});
  add_use(value, {n, index, this});
  n->inputs_[index] = value;
  while (!n->inputs_.empty() && !n->inputs_.back()) n->inputs_.pop_back();
}

void Graph::set_inputs(const Node& node, std::vector<const Value*> values) {
  Node* n = own(node);
  for (std::size_t i = 0; i < n->inputs_.size(); ++i) remove_use(n->inputs_[i], {n, i, this});
  n->inputs_ = std::move(values);
  for (std::size_t i = 0; i < n->inputs_.size(); ++i) add_use(n->inputs_[i], {n, i, this});
}

void Graph::drop_output(const Node& node, std::size_t index) {
  Node* n = own(node);
  const Value* value = node.output(index);
  if (!value) return;
  CHECK(value->uses().empty(), "output '{}' is still read", value->name());
  n->outputs_[index] = nullptr;
  values_.erase(values_.find(value->name()));
  while (!n->outputs_.empty() && !n->outputs_.back()) n->outputs_.pop_back();
}

const Value* Graph::add_node_output(const Node& node, const std::string& name) {
  Node* n = own(node);
  Value* value = make_value(fresh_name(name));
  value->producer_ = n;
  const auto hole = std::find(n->outputs_.begin(), n->outputs_.end(), nullptr);
  value->output_index_ = static_cast<std::size_t>(hole - n->outputs_.begin());
  if (hole == n->outputs_.end()) {
    n->outputs_.push_back(value);
  } else {
    *hole = value;
  }
  return value;
}

void Graph::set_attribute(const Node& node, Attribute attribute) {
  Node* n = own(node);
  const auto it = std::find_if(n->attributes_.begin(), n->attributes_.end(),
                               [&](const Attribute& a) { return a.name == attribute.name; });
  Attribute* slot = nullptr;
  if (it != n->attributes_.end()) {
    release_bodies(*it);
    *it = std::move(attribute);
    slot = &*it;
  } else {
    slot = &n->attributes_.emplace_back(std::move(attribute));
  }
  adopt_bodies(*slot, node);
}

void Graph::erase_attribute(const Node& node, std::string_view name) {
  Node* n = own(node);
  const auto it = std::find_if(n->attributes_.begin(), n->attributes_.end(),
                               [&](const Attribute& a) { return a.name == name; });
  if (it == n->attributes_.end()) return;
  release_bodies(*it);
  n->attributes_.erase(it);
}

void Graph::set_op(const Node& node, const std::string& op, const std::string& domain) {
  Node* n = own(node);
  n->op_ = op;
  n->domain_ = domain;
}

void Graph::set_node_name(const Node& node, const std::string& name) {
  own(node)->name_ = name;
}

std::vector<Graph*> Graph::bodies(const Node& node) {
  std::vector<Graph*> result;
  for (Attribute& a : own(node)->attributes_) {
    if (auto* body = std::get_if<Attribute::Body>(&a.value)) result.push_back(body->get());
    if (auto* bodies = std::get_if<Attribute::Bodies>(&a.value)) {
      for (auto& body : *bodies) result.push_back(body.get());
    }
  }
  return result;
}

Graph& Graph::body(const Node& node, std::string_view name) {
  const Graph* found = node.body(name);
  for (Graph* body : bodies(node)) {
    if (body == found) return *body;
  }
  throw Error::model("node '{}': has no body '{}'", node.label(), name);
}

void Graph::set_initializer(const Value& value, Tensor tensor) {
  Value* v = own(value);
  CHECK(v->initializer_, "value '{}' is not an initializer", v->name_);
  if (v->type_.kind == Type::Kind::kTensor) {
    v->type_.dtype = tensor.dtype;
    if (v->type_.has_shape) v->type_.dims = Type::tensor(tensor.dtype, tensor.shape).dims;
  }
  v->initializer_ = std::move(tensor);
}

void Graph::set_type(const Value& value, Type type) {
  own(value)->type_ = std::move(type);
}
void Graph::set_info_rank(const Value& value, std::int64_t rank) {
  own(value)->info_rank_ = rank;
}

void Graph::set_value_notes(const Value& value, std::string doc, std::string unknown) {
  own(value)->doc_ = std::move(doc);
  own(value)->unknown_ = std::move(unknown);
}

bool Graph::can_replace(const Value& from, const Value& to) {
  if (!from.is_graph_output()) return true;
  return !from.is_input() && from.graph_ == to.graph_ && to.producer_ != nullptr && !to.is_graph_output();
}

void Graph::replace_uses(const Value& from, const Value& to) {
  CHECK(&from != &to && can_replace(from, to), "'{}' cannot stand for '{}'", to.name(), from.name());
  const bool is_output = from.is_graph_output();
  const std::vector<Use> uses = from.uses_;
  own(from)->uses_.clear();
  for (const Use& use : uses) {
    // A use may sit in a body below this graph; the Graph that holds it lends its node.
    auto* graph = const_cast<Graph*>(use.graph);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
    if (use.node) {
      graph->own(*use.node)->inputs_[use.index] = &to;
    } else {
      graph->outputs_[use.index] = &to;
    }
    add_use(&to, use);
  }
  if (!is_output) return;
  const std::string interface_name = from.name_;
  rename(from, fresh_name(interface_name + "_replaced"));
  rename(to, interface_name);
  if (from.type_.kind != Type::Kind::kNone) own(to)->type_ = from.type_;
}

void Graph::rename(const Value& value, const std::string& name) {
  if (value.name_ == name) return;
  if (find(name)) throw Error::model("value '{}' is defined twice", name);
  auto handle = values_.extract(own(value)->name_);
  handle.key() = name;
  handle.mapped()->name_ = name;
  values_.insert(std::move(handle));
}

void Graph::erase_input(const Value& value) {
  Value* v = own(value);
  CHECK(v->is_input_);
  inputs_.erase(std::find(inputs_.begin(), inputs_.end(), v));
  v->is_input_ = false;
  if (v->initializer_ || v->sparse_) return;
  CHECK(v->uses_.empty(), "input '{}' is still read", v->name_);
  values_.erase(values_.find(v->name_));
}

void Graph::release_body(Graph& body) {
  for (Node& node : body.nodes_) {
    for (std::size_t i = 0; i < node.inputs_.size(); ++i) remove_use(node.inputs_[i], {&node, i, &body});
    for (Attribute& a : node.attributes_) body.release_bodies(a);
    node.inputs_.clear();
  }
  for (std::size_t i = 0; i < body.outputs_.size(); ++i) remove_use(body.outputs_[i], {nullptr, i, &body});
  body.outputs_.clear();
}

void Graph::release_bodies(Attribute& attribute) {
  if (auto* body = std::get_if<Attribute::Body>(&attribute.value)) release_body(**body);
  if (auto* bodies = std::get_if<Attribute::Bodies>(&attribute.value)) {
    for (auto& body : *bodies) release_body(*body);
  }
}

void Graph::erase(const Node& node) {
  Node* n = own(node);
  for (const Value* out : n->outputs_)
    CHECK(!out || out->uses().empty(), "output '{}' of '{}' is still read", out->name(), n->label());
  for (std::size_t i = 0; i < n->inputs_.size(); ++i) remove_use(n->inputs_[i], {n, i, this});
  for (Attribute& a : n->attributes_) release_bodies(a);
  for (const Value* out : n->outputs_) {
    if (out) values_.erase(values_.find(out->name()));
  }
  nodes_.erase(n->self_);
}

void Graph::erase_initializer(const Value& value) {
  Value* v = own(value);
  CHECK(v->uses_.empty(), "initializer '{}' is still read", v->name_);
  std::erase(initializers_, v);
  std::erase(sparse_, v);
  std::erase(inputs_, v);
  values_.erase(values_.find(v->name_));
}

void Graph::move_before(const Node& node, const Node& before) {
  nodes_.splice(own(before)->self_, nodes_, own(node)->self_);
}

}  // namespace compressor
