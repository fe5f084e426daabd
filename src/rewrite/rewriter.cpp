// rewriter: edits that keep facts, worklist and dead nodes right.
#include "compressor/rewrite/rewriter.h"

#include <algorithm>

namespace compressor {

namespace {

/// The node itself and the nodes that hold it, from the inside out.
std::vector<const Node*> holders(const Node* node) {
  std::vector<const Node*> list;
  for (; node; node = node->graph().holder()) list.push_back(node);
  return list;
}

/// Of the innermost graph around all of these values: the first node that computes one of them, in a body or
/// itself.
const Node& first_around(std::span<const Value* const> values) {
  std::vector<const Node*> chain = holders(values.front()->producer());
  for (const Value* v : values) {
    const std::vector<const Node*> other = holders(v->producer());
    const auto holds_both = [&](const Node* node) {
      return std::any_of(other.begin(), other.end(),
                         [&](const Node* o) { return &o->graph() == &node->graph(); });
    };
    while (!holds_both(chain.front())) chain.erase(chain.begin());
  }
  const Graph& graph = chain.front()->graph();
  std::unordered_set<const Node*> in_it;
  for (const Value* v : values) {
    for (const Node* node : holders(v->producer())) {
      if (&node->graph() == &graph) in_it.insert(node);
    }
  }
  return *std::find_if(graph.nodes().begin(), graph.nodes().end(),
                       [&](const Node& node) { return in_it.contains(&node); });
}

}  // namespace

Rewriter::Rewriter(Model& model, FactsMap facts, const NodeFilter* filter)
    : model_(model), facts_(std::move(facts)), filter_(filter) {
  enlist(*model_.graph);
}

void Rewriter::enlist(Graph& graph) {
  graphs_[&graph] = &graph;
  for (const Node& node : graph.nodes()) enlist(graph, node);
}

void Rewriter::enlist(Graph& graph, const Node& node) {
  alive_[node.id()] = &node;
  for (Graph* body : graph.bodies(node)) enlist(*body);
}

/// The node is about to go: nothing may remember it, its values or its bodies.
void Rewriter::forget(const Node& node) {
  alive_.erase(node.id());
  for (const Value* v : node.outputs()) {
    if (v) facts_.set(*v, {});
  }
  for (const Graph* body : node.bodies()) {
    for (const Value* v : body->values()) facts_.set(*v, {});
    for (const Node& inner : body->nodes()) forget(inner);
    graphs_.erase(body);
  }
}

std::optional<Tensor> Rewriter::constant(const Value* value) const {
  return value ? fixed_constant(model_, *value) : std::nullopt;
}

std::optional<std::vector<std::int64_t>> Rewriter::ints(const Value* value) const {
  if (!value) return std::nullopt;
  if (const auto t = constant(value)) {
    if (is_integer(t->dtype)) return to_ints(*t);
    return std::nullopt;
  }
  const Facts& f = facts(*value);
  return f.contents ? numbers(*f.contents) : std::nullopt;
}

std::optional<std::vector<std::int64_t>> Rewriter::ints_or_attribute(const Node& node, std::size_t i,
                                                                     std::string_view name) const {
  if (node.input(i)) return ints(node.input(i));
  if (!node.attribute(name)) return std::nullopt;
  return node.ints_or(name, {});
}

bool Rewriter::same_shape(const Value& a, const Value& b) const {
  const Facts& x = facts(a);
  const Facts& y = facts(b);
  return x.ranked && y.ranked && x.dims == y.dims;
}

const Node* Rewriter::find(NodeId id) const {
  const auto it = alive_.find(id);
  return it == alive_.end() ? nullptr : it->second;
}

std::vector<Graph*> Rewriter::graphs() {
  std::vector<Graph*> list;
  model_.each_graph([&](Graph& graph) { list.push_back(&graph); });
  return list;
}

const Node& Rewriter::add_node(NodeSpec spec, const Node& before) {
  Graph& graph = graph_of(before);
  const Node& node = graph.add_node(std::move(spec), &before);
  enlist(graph, node);
  queue(node);
  return node;
}

/// IR versions below 4 want every initializer among the graph's inputs.
void Rewriter::declare(Graph& graph, const Value& initializer) {
  if (model_.ir_version >= 4 || graph.holder() || initializer.is_input()) return;
  const Tensor& t = *initializer.initializer();
  graph.add_input(initializer.name(), Type::tensor(t.dtype, t.shape));
}

const Value* Rewriter::add_constant(std::string_view stem, Tensor tensor, const Node& before) {
  Graph& graph = graph_of(before);
  Facts facts = Facts::of(tensor);
  const Value* value = nullptr;
  if (graph.holder() && model_.ir_version < 4) {  // an input would change what the body is called with
    NodeSpec spec{.op = "Constant", .outputs = {std::string(stem)}};
    spec.attributes.emplace_back("value", std::move(tensor));
    value = add_node(std::move(spec), before).output(0);
  } else {
    tensor.name.clear();
    value = graph.add_initializer(graph.fresh_name(stem), std::move(tensor));
    declare(graph, *value);
  }
  facts_.set(*value, std::move(facts));
  return value;
}

void Rewriter::set_input(const Node& node, std::size_t index, const Value* value) {
  const Value* old = node.input(index);
  graph_of(node).set_input(node, index, value);
  queue(node);
  if (!old) return;
  if (old->producer()) maybe_dead_.push_back(old->producer()->id());
  if (old->initializer()) maybe_unused_.emplace_back(&old->graph(), old->name());
}

void Rewriter::set_attribute(const Node& node, Attribute attribute) {
  graph_of(node).set_attribute(node, std::move(attribute));
  queue(node);
}

void Rewriter::set_constant(const Node& node, std::size_t index, Tensor tensor, std::string_view stem) {
  const Value* old = node.input(index);
  const bool in_place = old && old->initializer() && old->uses().size() == 1 && !model_.is_overridable(*old);
  if (!in_place) {
    set_input(node, index, add_constant(stem, std::move(tensor), node));
    return;
  }
  facts_.set(*old, Facts::of(tensor));
  graph_of(*old).set_initializer(*old, std::move(tensor));
  queue(node);
}

void Rewriter::drop_output(const Node& node, std::size_t index) {
  facts_.set(*node.output(index), {});
  graph_of(node).drop_output(node, index);
}

void Rewriter::import(const std::string& domain, std::int64_t version) {
  CHECK(model_.opset(domain) == 0, "domain '{}' is imported already", domain);
  model_.opsets.push_back({.domain = domain, .version = version});
}

void Rewriter::replace(const Value& from, const Value& to) {
  const Value* target = &to;
  if (!Graph::can_replace(from, to)) {
    CHECK(from.producer(), "'{}' is an interface that nothing computes", from.name());
    target =
        add_node({.op = "Identity", .inputs = {&to}, .outputs = {from.name()}}, *from.producer()).output(0);
  }
  queue_readers(from);
  if (!facts_.knows(*target) || !facts_.of(*target).ranked) facts_.set(*target, facts_.of(from));
  graph_of(from).replace_uses(from, *target);
  if (target->producer()) queue(*target->producer());
  if (from.producer()) maybe_dead_.push_back(from.producer()->id());
  if (from.initializer()) maybe_unused_.emplace_back(&from.graph(), from.name());
}

void Rewriter::replace(const Value& from, Tensor tensor) {
  const Node& node = *from.producer();
  // NOLINTNEXTLINE(performance-unnecessary-copy-initialization): the name outlives the value
  const std::string name = from.name();
  if (from.is_graph_output()) {  // an output is computed by a node
    NodeSpec spec{.op = "Constant", .outputs = {name}};
    spec.attributes.emplace_back("value", std::move(tensor));
    replace(from, *add_node(std::move(spec), node).output(0));
    return;
  }
  const Value* constant = add_constant(name, std::move(tensor), node);
  Graph& graph = graph_of(node);
  replace(from, *constant);
  if (node.outputs().size() > 1) return;
  clear_dead();
  if (!graph.find(name)) graph.rename(*constant, name);
}

void Rewriter::replace(std::span<const Value* const> equal, Tensor tensor) {
  if (equal.size() == 1) return replace(*equal.front(), std::move(tensor));
  const Value* constant = add_constant(equal.front()->name(), std::move(tensor), first_around(equal));
  for (const Value* from : equal) replace(*from, *constant);
  clear_dead();
}

std::vector<const Node*> Rewriter::inline_body(const Node& node, const Graph& body,
                                               std::span<const Value* const> arguments,
                                               const std::string& prefix) {
  Graph& graph = graph_of(node);
  std::unordered_set<const Value*> had(graph.initializers().begin(), graph.initializers().end());
  const std::vector<const Value*> results = graph.splice(body, arguments, &node, prefix);
  const std::vector<const Value*> initializers(graph.initializers().begin(), graph.initializers().end());
  for (const Value* v : initializers) {
    if (had.contains(v)) continue;
    facts_.set(*v, Facts::of(*v->initializer()));
    declare(graph, *v);
  }
  std::vector<const Node*> added;
  for (const Node& n : graph.nodes()) {
    if (alive_.contains(n.id())) continue;
    added.push_back(&n);
  }
  for (const Node* n : added) {
    enlist(graph, *n);
    queue(*n);
  }
  for (std::size_t i = 0; i < node.outputs().size(); ++i) {
    const Value* out = node.output(i);
    if (out && !out->uses().empty()) replace(*out, *results.at(i));
  }
  maybe_dead_.push_back(node.id());
  return added;
}

void Rewriter::skip(const Node& node, const std::string& why) {
  Skip entry{node.label(), node.op(), why};
  if (skipped_.insert(entry).second) skips_.push_back(std::move(entry));
}

}  // namespace compressor
