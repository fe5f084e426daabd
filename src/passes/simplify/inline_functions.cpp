// inline functions: x -> F(a = 2) -> y, with F { u -> Op(k = @a) -> v }   ==>   x -> Op(k = 2) -> y
//
// A reference takes the caller's attribute, else the function's default, else it goes. Functions that call
// functions are inlined level by level. Not where the function imports another version of a domain than the
// model does and an operator that it uses changed between the two.
#include <algorithm>

#include "compressor/graph/call.h"
#include "passes/simplify/op_versions.h"
#include "passes/simplify/rewrites.h"

namespace compressor::simplify {
namespace {

/// Calls visit(node) for every node of a graph and its bodies.
template <class Visit>
void each_node(const Graph& graph, const Visit& visit) {
  for (const Node& node : graph.nodes()) {
    visit(node);
    for (const Graph* body : node.bodies()) each_node(*body, visit);
  }
}

bool reaches(const Model& model, const Function& from, const Function& to, std::set<const Function*>& seen) {
  bool found = false;
  each_node(*from.body, [&](const Node& node) {
    const Function* next = found ? nullptr : model.find_function(node);
    if (!next) return;
    found = next == &to || (seen.insert(next).second && reaches(model, *next, to, seen));
  });
  return found;
}

std::int64_t imported(const std::vector<OpsetImport>& opsets, const std::string& domain) {
  const auto it =
      std::find_if(opsets.begin(), opsets.end(), [&](const OpsetImport& o) { return o.domain == domain; });
  return it == opsets.end() ? 0 : it->version;
}

/// Why its nodes would mean something else in the model; "" when they would not.
std::string conflict(const Model& model, const Function& f) {
  std::string why;
  each_node(*f.body, [&](const Node& node) {
    if (!why.empty() || model.find_function(node)) return;
    const std::int64_t theirs = imported(f.opsets, node.domain());
    const std::int64_t ours = model.opset(node.domain());
    if (theirs == ours || ours == 0 || theirs == 0) return;
    if (node.domain().empty() && same_operator(node.op(), theirs, ours)) return;
    why = fmt::format("it uses {} of opset {}{}, the model imports {}", node.op(), theirs,
                      node.domain().empty() ? "" : " of '" + node.domain() + "'", ours);
  });
  return why;
}

std::string refusal(const Model& model, const Function& f, const Node& node) {
  std::set<const Function*> seen;
  if (reaches(model, f, f, seen)) throw Error::model("function '{}' calls itself", f.name);
  if (node.inputs().size() > f.body->inputs().size()) {
    return fmt::format("it is called with {} inputs, expected at most {}", node.inputs().size(),
                       f.body->inputs().size());
  }
  if (node.outputs().size() > f.body->outputs().size()) {
    return fmt::format("{} outputs are asked of it, it has {}", node.outputs().size(),
                       f.body->outputs().size());
  }
  for (const Attribute& a : node.attributes()) {
    if (a.get<Attribute::Body>() || a.get<Attribute::Bodies>()) {
      return fmt::format("its attribute '{}' is a graph", a.name);
    }
  }
  for (std::size_t i = 0; i < node.outputs().size(); ++i) {
    const Value* result = f.body->outputs()[i];
    const auto inputs = f.body->inputs();
    const auto at =
        static_cast<std::size_t>(std::find(inputs.begin(), inputs.end(), result) - inputs.begin());
    if (node.output(i) && at < inputs.size() && !node.input(at)) {
      return fmt::format("its output {} is an input that the call leaves out", i);
    }
  }
  return conflict(model, f);
}

bool apply(Rewriter& r, const Node& node) {
  const Function* f = r.model().functions.empty() ? nullptr : r.model().find_function(node);
  if (!f) return false;
  if (const std::string why = refusal(r.model(), *f, node); !why.empty()) {
    r.skip(node, fmt::format("function '{}' is not inlined: {}", f->name, why));
    return false;
  }
  for (const OpsetImport& import : f->opsets) {
    if (r.model().opset(import.domain) == 0) r.import(import.domain, import.version);
  }
  const CallAttributes attributes(*f, node);
  Graph& graph = r.graph_of(node);
  const std::string prefix = (node.name().empty() ? f->name : node.name()) + "/";
  const std::vector<const Node*> added = r.inline_body(node, *f->body, node.inputs(), prefix);
  for (const Node* n : added) attributes.resolve(graph, *n);
  return true;
}

}  // namespace

Rewrite inline_functions() {
  return {.name = "inline-functions", .roots = {}, .apply = apply};
}

std::int64_t drop_functions(Model& model) {
  std::set<const Function*> called;
  const std::function<void(const Graph&)> mark = [&](const Graph& graph) {
    each_node(graph, [&](const Node& node) {
      const Function* f = model.find_function(node);
      if (f && called.insert(f).second) mark(*f->body);
    });
  };
  mark(*model.graph);
  std::vector<Function> kept;
  const auto before = static_cast<std::int64_t>(model.functions.size());
  for (Function& f : model.functions) {
    if (called.contains(&f)) kept.push_back(std::move(f));
  }
  model.functions = std::move(kept);
  return before - static_cast<std::int64_t>(model.functions.size());
}

}  // namespace compressor::simplify
