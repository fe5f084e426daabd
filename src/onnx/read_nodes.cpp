// read_nodes: NodeProto; all outputs are declared before any input is looked up.
#include <unordered_set>

#include "onnx/read.h"

namespace compressor::wire {
namespace {

struct NodeParts {
  NodeSpec spec;
  std::vector<std::string> inputs;
  std::vector<Span> attributes;
};

NodeParts read_parts(LoadContext& context, Span bytes) {
  NodeParts parts;
  NodeSpec& n = parts.spec;
  Reader reader(context.source, bytes, "node");
  for (Field f; reader.next(f);) {
    const std::uint32_t number = f.kind == Kind::kBytes ? f.number : 0;
    switch (number) {
      case 1:
        parts.inputs.emplace_back(f.text());
        break;
      case 2:
        n.outputs.emplace_back(f.text());
        break;
      case 3:
        keep(f, n.name, n.unknown);
        break;
      case 4:
        keep(f, n.op, n.unknown);
        break;
      case 5:
        parts.attributes.push_back(f.bytes);
        break;
      case 6:
        keep(f, n.doc, n.unknown);
        break;
      case 7:
        keep_domain(f, n.domain, n.unknown);
        break;
      case 8:
        keep(f, n.overload, n.unknown);
        break;
      default:
        keep(f, n.unknown);
    }
  }
  return parts;
}

std::string label(const LoadContext& context, const NodeSpec& n) {
  if (!n.name.empty()) return fmt::format("{}: node '{}'", context.path(), n.name);
  return fmt::format("{}: node '{} -> '{}''", context.path(), n.op,
                     n.outputs.empty() ? "" : n.outputs.front());
}

void declare_outputs(const LoadContext& context, const NodeSpec& n, Graph& graph) {
  for (const std::string& name : n.outputs) {
    if (name.empty()) continue;
    const Value* taken = graph.find(name);
    if (taken) {
      const char* by = taken->is_input()      ? "an input"
                       : taken->initializer() ? "an initializer"
                                              : "the output of a node";
      throw Error::model("{}: its output '{}' is already {} of the graph", label(context, n), name, by);
    }
    graph.add_value(name);
  }
}

void read_node(LoadContext& context, NodeParts parts, Graph& graph, int depth) {
  NodeSpec& n = parts.spec;
  const std::string where = label(context, n);
  if (n.op.empty()) throw Error::model("{}: has no op_type", where);
  for (const std::string& name : parts.inputs) {
    const Value* value = name.empty() ? nullptr : graph.resolve(name);
    if (!value && !name.empty()) {
      throw Error::model("{}: reads '{}', which no node, input or initializer defines", where, name);
    }
    n.inputs.push_back(value);
  }
  // Bodies need their node, so their attributes get an empty place now and their value below.
  std::unordered_set<std::string> names;
  std::vector<Span> bodies;
  for (const Span bytes : parts.attributes) {
    bool has_bodies = false;
    std::string name = peek_attribute(context, bytes, has_bodies);
    if (!names.insert(name).second) throw Error::model("{}: attribute '{}' is there twice", where, name);
    if (has_bodies) {
      bodies.push_back(bytes);
      n.attributes.emplace_back(std::move(name), std::monostate());
    } else {
      n.attributes.push_back(read_attribute(context, bytes, nullptr, where, depth));
    }
  }
  const Node& node = graph.add_node(std::move(n), nullptr, true);
  for (const Span bytes : bodies)
    graph.set_attribute(node, read_attribute(context, bytes, &node, where, depth));
}

}  // namespace

void read_nodes(LoadContext& context, const std::vector<Span>& nodes, Graph& graph, int depth) {
  std::vector<NodeParts> parts;
  parts.reserve(nodes.size());
  for (const Span bytes : nodes) {
    parts.push_back(read_parts(context, bytes));
    declare_outputs(context, parts.back().spec, graph);
  }
  for (NodeParts& p : parts) read_node(context, std::move(p), graph, depth);
}

}  // namespace compressor::wire
