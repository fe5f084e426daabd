// read_graph: GraphProto and FunctionProto. Values first, then nodes, so that nodes may come in any order.
#include <unordered_set>

#include "onnx/read.h"
#include "onnx/write.h"

namespace compressor::wire {
namespace {

struct GraphParts {
  std::vector<Span> nodes, inputs, outputs, infos, initializers, sparse;
};

GraphParts read_parts(LoadContext& context, Span bytes, Graph& graph) {
  GraphParts parts;
  std::string name;
  std::string doc;
  std::string unknown;
  Reader reader(context.source, bytes, "graph");
  for (Field f; reader.next(f);) {
    const std::uint32_t number = f.kind == Kind::kBytes ? f.number : 0;
    switch (number) {
      case 1:
        parts.nodes.push_back(f.bytes);
        break;
      case 2:
        keep(f, name, unknown);
        break;
      case 5:
        parts.initializers.push_back(f.bytes);
        break;
      case 10:
        keep(f, doc, unknown);
        break;
      case 11:
        parts.inputs.push_back(f.bytes);
        break;
      case 12:
        parts.outputs.push_back(f.bytes);
        break;
      case 13:
        parts.infos.push_back(f.bytes);
        break;
      case 15:
        parts.sparse.push_back(f.bytes);
        break;
      default:
        keep(f, unknown);
    }
  }
  graph.set_name(std::move(name));
  graph.set_doc(std::move(doc));
  graph.set_unknown(std::move(unknown));
  return parts;
}

void read_inputs(LoadContext& context, const std::vector<Span>& inputs, Graph& graph) {
  for (const Span bytes : inputs) {
    ValueInfo info = read_value_info(context, bytes);
    if (info.name.empty())
      throw Error::model("{}: graph '{}': an input has no name", context.path(), graph.name());
    if (graph.find(info.name))
      throw Error::model("{}: graph '{}': input '{}' is there twice", context.path(), graph.name(),
                         info.name);
    const Value* value = graph.add_input(info.name, std::move(info.type));
    graph.set_value_notes(*value, std::move(info.doc), std::move(info.unknown));
  }
}

void check_new_initializer(const LoadContext& context, const Graph& graph, const std::string& name) {
  if (name.empty())
    throw Error::model("{}: graph '{}': an initializer has no name", context.path(), graph.name());
  const Value* v = graph.find(name);
  if (v && (v->initializer() || v->sparse_initializer())) {
    throw Error::model("{}: graph '{}': initializer '{}' is there twice", context.path(), graph.name(), name);
  }
}

void read_initializers(LoadContext& context, const GraphParts& parts, Graph& graph) {
  const std::string& where = context.path();
  for (const Span bytes : parts.initializers) {
    Tensor tensor = read_tensor(context, bytes, where);
    check_new_initializer(context, graph, tensor.name);
    const std::string name = std::move(tensor.name);
    tensor.name.clear();
    graph.add_initializer(name, std::move(tensor));
  }
  for (const Span bytes : parts.sparse) {
    SparseTensor sparse = read_sparse_tensor(context, bytes, where);
    check_new_initializer(context, graph, sparse.values.name);
    const std::string name = std::move(sparse.values.name);
    sparse.values.name.clear();
    graph.add_sparse_initializer(name, std::move(sparse));
  }
}

/// The entry that would be written for the value as it is.
std::string entry_of(const Value& value) {
  return value_info_text(value, value.name(), false);
}
std::string entry_of(const ValueInfo& info) {
  return value_info_text(info.type, info.name, info.doc, info.unknown, false);
}

/// True when nothing has said yet what the value is.
bool undeclared(const Value& value) {
  return !value.is_input() && value.info_rank() < 0 && value.type().kind == Type::Kind::kNone &&
         value.doc().empty() && value.unknown().empty() && !value.is_graph_output();
}

}  // namespace

void read_output(LoadContext& context, const ValueInfo& info, Graph& graph) {
  const Value* value = graph.resolve(info.name);
  if (!value) {
    throw Error::model("{}: graph '{}': output '{}' is not the output of a node, an input or an initializer",
                       context.path(), graph.name(), info.name);
  }
  const bool fresh = &value->graph() == &graph && undeclared(*value);
  graph.add_output(*value);
  if (fresh) {
    graph.set_type(*value, info.type);
    graph.set_value_notes(*value, info.doc, info.unknown);
  } else if (entry_of(*value) != entry_of(info)) {
    graph.set_output_note(graph.outputs().size() - 1, entry_of(info));
  }
}

void read_value_infos(LoadContext& context, const std::vector<Span>& infos, Graph& graph, std::uint32_t field,
                      std::string& unknown) {
  std::int64_t rank = -1;
  for (const Span bytes : infos) {
    ValueInfo info = read_value_info(context, bytes);
    ++rank;
    const Value* value = info.name.empty() ? nullptr : graph.find(info.name);
    if (value && undeclared(*value)) {
      graph.set_type(*value, std::move(info.type));
      graph.set_value_notes(*value, std::move(info.doc), std::move(info.unknown));
    } else if (!value || value->info_rank() >= 0 || entry_of(*value) != entry_of(info)) {
      put_text(unknown, field, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
      continue;
    }
    graph.set_info_rank(*value, rank);
  }
}

void read_graph(LoadContext& context, Span bytes, Graph& graph, int depth) {
  if (depth > kMaxGraphDepth) {
    throw Error::model("{}: graphs are nested more than {} deep", context.path(), kMaxGraphDepth);
  }
  const GraphParts parts = read_parts(context, bytes, graph);
  read_inputs(context, parts.inputs, graph);
  read_initializers(context, parts, graph);
  read_nodes(context, parts.nodes, graph, depth);
  for (const Span output : parts.outputs) read_output(context, read_value_info(context, output), graph);
  std::string unknown = graph.unknown();
  read_value_infos(context, parts.infos, graph, 13, unknown);
  graph.set_unknown(std::move(unknown));
}

Function read_function(LoadContext& context, Span bytes) {
  Function function;
  function.body = std::make_unique<Graph>();
  std::vector<Span> nodes;
  std::vector<Span> infos;
  std::vector<Span> defaults;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  Reader reader(context.source, bytes, "function");
  for (Field f; reader.next(f);) {
    const std::uint32_t number = f.kind == Kind::kBytes ? f.number : 0;
    switch (number) {
      case 1:
        keep(f, function.name, function.unknown);
        break;
      case 4:
        inputs.emplace_back(f.text());
        break;
      case 5:
        outputs.emplace_back(f.text());
        break;
      case 6:
        function.attributes.emplace_back(f.text());
        break;
      case 7:
        nodes.push_back(f.bytes);
        break;
      case 8:
        keep(f, function.doc, function.unknown);
        break;
      case 9:
        function.opsets.push_back(read_opset(context, f.bytes));
        break;
      case 10:
        keep_domain(f, function.domain, function.unknown);
        break;
      case 11:
        defaults.push_back(f.bytes);
        break;
      case 12:
        infos.push_back(f.bytes);
        break;
      case 13:
        keep(f, function.overload, function.unknown);
        break;
      default:
        keep(f, function.unknown);
    }
  }
  const std::string where = fmt::format("{}: function '{}'", context.path(), function.name);
  Graph& body = *function.body;
  body.set_name(function.name);
  for (const Span a : defaults) function.defaults.push_back(read_attribute(context, a, nullptr, where, 0));
  for (const std::string& name : inputs) {
    if (name.empty() || body.find(name))
      throw Error::model("{}: input '{}' is there twice or has no name", where, name);
    body.add_input(name, {});
  }
  read_nodes(context, nodes, body, 0);
  for (const std::string& name : outputs) {
    const Value* value = body.find(name);
    if (!value) throw Error::model("{}: output '{}' is not the output of a node or an input", where, name);
    body.add_output(*value);
  }
  // Its inputs and outputs have no entries of their own, so every entry of value_info is the first word on a
  // value.
  std::int64_t rank = 0;
  for (const Span span : infos) {
    ValueInfo info = read_value_info(context, span);
    const Value* value = body.find(info.name);
    if (value && value->info_rank() < 0) {
      body.set_type(*value, std::move(info.type));
      body.set_value_notes(*value, std::move(info.doc), std::move(info.unknown));
      body.set_info_rank(*value, rank);
    } else {
      put_text(function.unknown, 12, {reinterpret_cast<const char*>(span.data()), span.size()});
    }
    ++rank;
  }
  return function;
}

}  // namespace compressor::wire
