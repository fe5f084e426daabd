// graph: looking things up and building; every edit keeps the lists of uses right.
#include "compressor/graph/graph.h"

#include <algorithm>

#include "compressor/base/error.h"

namespace compressor {

Graph::Graph() : next_id_(std::make_shared<NodeId>(1)) {}
Graph::Graph(const Node& holder) : holder_(&holder), next_id_(holder.graph().next_id_) {}
Graph::~Graph() = default;

std::vector<const Node*> Graph::node_list() const {
  std::vector<const Node*> list;
  list.reserve(nodes_.size());
  for (const Node& node : nodes_) list.push_back(&node);
  return list;
}

std::vector<const Value*> Graph::values() const {
  std::vector<const Value*> list;
  list.reserve(values_.size());
  for (const auto& [name, value] : values_) list.push_back(value.get());
  std::sort(list.begin(), list.end(), [](const Value* a, const Value* b) { return a->name() < b->name(); });
  return list;
}

const Value* Graph::find(std::string_view name) const {
  const auto it = values_.find(name);
  return it == values_.end() ? nullptr : it->second.get();
}

const Value* Graph::resolve(std::string_view name) const {
  for (const Graph* g = this; g; g = g->parent()) {
    if (const Value* v = g->find(name)) return v;
  }
  return nullptr;
}

const Graph& Graph::root() const {
  const Graph* g = this;
  while (g->parent()) g = g->parent();
  return *g;
}

bool Graph::name_taken(std::string_view name) const {
  if (find(name)) return true;
  for (const Node& node : nodes_) {
    for (const Graph* body : node.bodies()) {
      if (body->name_taken(name)) return true;
    }
  }
  return false;
}

std::string Graph::fresh_name(std::string_view stem) const {
  std::string name(stem);
  const Graph& top = root();
  for (int i = 1; name.empty() || top.name_taken(name); ++i)
    name = std::string(stem) + "_" + std::to_string(i);
  return name;
}

// Casting back to changeable form: a Graph is the only one who may, and only for what it owns.
Value* Graph::own(const Value& value) {
  CHECK(value.graph_ == this, "value '{}' belongs to another graph", value.name_);
  return const_cast<Value*>(&value);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
}

Node* Graph::own(const Node& node) {
  CHECK(node.graph_ == this, "node '{}' belongs to another graph", node.label());
  return const_cast<Node*>(&node);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
}

void Graph::add_use(const Value* value, const Use& use) {
  if (value)
    const_cast<Value*>(value)->uses_.push_back(use);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
}

void Graph::remove_use(const Value* value, const Use& use) {
  if (!value) return;
  auto& uses = const_cast<Value*>(value)->uses_;  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  const auto it = std::find(uses.begin(), uses.end(), use);
  CHECK(it != uses.end(), "value '{}' does not know one of its uses", value->name());
  uses.erase(it);
}

Value* Graph::make_value(const std::string& name) {
  auto [it, added] = values_.try_emplace(name);
  if (!added) throw Error::model("value '{}' is defined twice", name);
  it->second = std::make_unique<Value>();
  it->second->name_ = name;
  it->second->graph_ = this;
  return it->second.get();
}

const Value* Graph::add_value(const std::string& name, Type type) {
  Value* value = make_value(name);
  value->type_ = std::move(type);
  return value;
}

const Value* Graph::add_input(const std::string& name, Type type) {
  const auto it = values_.find(name);
  Value* value = it == values_.end() ? make_value(name) : it->second.get();
  if (value->is_input_ || value->producer_) throw Error::model("value '{}' is defined twice", name);
  value->type_ = std::move(type);
  value->is_input_ = true;
  inputs_.push_back(value);
  return value;
}

const Value* Graph::add_initializer(const std::string& name, Tensor tensor) {
  const auto it = values_.find(name);
  Value* value = it == values_.end() ? make_value(name) : it->second.get();
  if (value->initializer_ || value->sparse_ || value->producer_)
    throw Error::model("value '{}' is defined twice", name);
  value->initializer_ = std::move(tensor);
  initializers_.push_back(value);
  return value;
}

const Value* Graph::add_sparse_initializer(const std::string& name, SparseTensor tensor) {
  const auto it = values_.find(name);
  Value* value = it == values_.end() ? make_value(name) : it->second.get();
  if (value->initializer_ || value->sparse_ || value->producer_)
    throw Error::model("value '{}' is defined twice", name);
  value->sparse_ = std::move(tensor);
  sparse_.push_back(value);
  return value;
}

const Node& Graph::add_node(NodeSpec spec, const Node* before, bool exact_names) {
  const auto at = before ? own(*before)->self_ : nodes_.end();
  const auto it = nodes_.emplace(at);
  Node& node = *it;
  node.self_ = it;
  node.graph_ = this;
  node.id_ = (*next_id_)++;
  node.op_ = std::move(spec.op);
  node.domain_ = std::move(spec.domain);
  node.overload_ = std::move(spec.overload);
  node.name_ = std::move(spec.name);
  node.doc_ = std::move(spec.doc);
  node.unknown_ = std::move(spec.unknown);
  for (const std::string& name : spec.outputs) {
    if (name.empty()) {
      node.outputs_.push_back(nullptr);
      continue;
    }
    const auto found = values_.find(name);
    Value* value = nullptr;
    if (found != values_.end() && exact_names) {  // a forward reference that this node resolves
      value = found->second.get();
      if (value->producer_ || value->is_input_ || value->initializer_ || value->sparse_) {
        throw Error::model("value '{}' is defined twice", name);
      }
    } else {
      value = make_value(exact_names ? name : fresh_name(name));
    }
    value->producer_ = &node;
    value->output_index_ = node.outputs_.size();
    node.outputs_.push_back(value);
  }
  for (const Value* input : spec.inputs) {
    add_use(input, {&node, node.inputs_.size(), this});
    node.inputs_.push_back(input);
  }
  node.attributes_ = std::move(spec.attributes);
  for (Attribute& a : node.attributes_) adopt_bodies(a, node);
  return node;
}

void Graph::adopt_bodies(Attribute& attribute, const Node& holder) {
  const auto adopt = [&](Graph& body) {
    CHECK(body.holder_ == nullptr || body.holder_ == &holder, "a body has one holder");
    body.holder_ = &holder;
    body.next_id_ = next_id_;
  };
  if (auto* body = std::get_if<Attribute::Body>(&attribute.value)) adopt(**body);
  if (auto* bodies = std::get_if<Attribute::Bodies>(&attribute.value)) {
    for (auto& body : *bodies) adopt(*body);
  }
}

void Graph::add_output(const Value& value) {
  add_use(&value, {nullptr, outputs_.size(), this});
  outputs_.push_back(&value);
}

}  // namespace compressor
