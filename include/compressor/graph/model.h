// model: a main graph and all that a file says around it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "compressor/graph/graph.h"

namespace compressor {

struct OpsetImport {
  std::string domain;  ///< "" for ai.onnx ("ai.onnx" in a file reads as "")
  std::int64_t version = 0;
  std::string unknown = {};  ///< serialized fields that have no member here
  bool operator==(const OpsetImport&) const = default;
};

/// A model-local function. Its body's values have no types, its inputs and outputs are the body's.
struct Function {
  std::string name, domain, overload, doc, unknown;
  std::vector<std::string> attributes;  ///< required attributes
  std::vector<Attribute> defaults;      ///< attributes with a default
  std::vector<OpsetImport> opsets;
  std::unique_ptr<Graph> body;
};

/// A model. Move-only; clone() shares the weights.
struct Model {
  std::int64_t ir_version = 0;
  std::string producer_name, producer_version, domain, doc;
  std::int64_t model_version = 0;
  bool has_model_version = false;
  std::vector<OpsetImport> opsets;
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<Function> functions;
  std::vector<Bytes> training_info;  ///< each a serialized TrainingInfoProto, carried through
  std::string unknown;               ///< serialized fields that this version of the format does not name
  std::unique_ptr<Graph> graph = std::make_unique<Graph>();

  Model clone() const;
  /// The imported version of a domain; 0 when it is not imported.
  std::int64_t opset(std::string_view of_domain = "") const;
  const Function* find_function(const Node& node) const;
  /// Calls visit(graph) for the main graph and every body below it (not for functions).
  template <class Visit>
  void each_graph(Visit&& visit) {
    visit_graphs(*graph, visit);
  }
  template <class Visit>
  void each_graph(Visit&& visit) const {
    visit_graphs(static_cast<const Graph&>(*graph), visit);
  }
  void verify() const;
  /// All nodes but those of functions: a graph's own before those in its bodies.
  std::vector<const Node*> node_list() const;
  /// The main graph, or the body below it that `of` is, to be changed.
  Graph& changeable(const Graph& of);

  /// True for an initializer that a caller may replace at run time: one that is also a graph input. Before IR
  /// version 4 every initializer had to be an input too, and such a one is a plain weight.
  bool is_overridable(const Value& value) const {
    return ir_version >= 4 && value.initializer() && value.is_input();
  }

 private:
  template <class Visit>
  static void visit_graphs(Graph& g, Visit& visit) {
    visit(g);
    for (const Node& node : g.nodes()) {
      for (Graph* body : g.bodies(node)) visit_graphs(*body, visit);
    }
  }
  template <class Visit>
  static void visit_graphs(const Graph& g, Visit& visit) {
    visit(g);
    for (const Node& node : g.nodes()) {
      for (const Graph* body : node.bodies()) visit_graphs(*body, visit);
    }
  }
};

/// As constant_of, but nullopt for an initializer that a caller may replace.
std::optional<Tensor> fixed_constant(const Model& model, const Value& value);

}  // namespace compressor
