// read: from the wire to tensors, types and graphs; shared by the files that read one kind of message each.
#pragma once

#include <string>
#include <vector>

#include "compressor/graph/model.h"
#include "onnx/external.h"
#include "onnx/wire.h"

namespace compressor::wire {

constexpr int kMaxGraphDepth = 100;  ///< bodies in bodies
constexpr int kMaxTypeDepth = 32;    ///< sequences of maps of optionals of ...

/// What reading one file needs everywhere.
struct LoadContext {
  Source source;
  ExternalFiles external;
  std::vector<std::string> warnings;

  const std::string& path() const { return source.path; }
};

/// An entry of input, output or value_info.
struct ValueInfo {
  std::string name;
  Type type;
  std::string doc, unknown;
};

Type read_type(LoadContext& context, Span bytes, int depth = 0);
ValueInfo read_value_info(LoadContext& context, Span bytes);

/// `where` says whose tensor it is and begins messages: "m.onnx: node 'c': attribute 'value'".
Tensor read_tensor(LoadContext& context, Span bytes, const std::string& where);
SparseTensor read_sparse_tensor(LoadContext& context, Span bytes, const std::string& where);

/// Fills an empty graph.
void read_graph(LoadContext& context, Span bytes, Graph& graph, int depth = 0);
Function read_function(LoadContext& context, Span bytes);

/// Reads nodes into `graph`, whose inputs and initializers are there already; sorts where the file is
/// unsorted.
void read_nodes(LoadContext& context, const std::vector<Span>& nodes, Graph& graph, int depth);
/// Reads an attribute; bodies become graphs that capture from around `holder` (null: bodies are refused).
Attribute read_attribute(LoadContext& context, Span bytes, const Node* holder, const std::string& where,
                         int depth);
/// The name of an attribute, and whether it holds bodies, without reading the rest.
std::string peek_attribute(LoadContext& context, Span bytes, bool& has_bodies);
/// value_info entries: declares values of the graph that have no type yet; those that cannot be told from the
/// values are added to `unknown` under the field number `field`.
void read_value_infos(LoadContext& context, const std::vector<Span>& infos, Graph& graph, std::uint32_t field,
                      std::string& unknown);
/// Declares a graph output; its value must be there.
void read_output(LoadContext& context, const ValueInfo& info, Graph& graph);
OpsetImport read_opset(LoadContext& context, Span bytes);
/// "ai.onnx" is "" here; the spelling is kept among the unknown fields.
void keep_domain(const Field& field, std::string& domain, std::string& unknown);
/// A StringStringEntryProto; false when it holds anything else than a key and a value.
bool read_entry(const Source& source, Span bytes, std::string& key, std::string& value);

}  // namespace compressor::wire
