// write_graph: attributes, nodes, graphs, functions and the model, fields in the order of their numbers.
#include <algorithm>

#include "onnx/attribute_type.h"
#include "onnx/read.h"
#include "onnx/write.h"

namespace compressor::wire {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

/// The value's field; returns the attribute's type.
int put_value(SaveContext& context, Rope& out, const Attribute& attribute) {
  const bool external = context.external_attributes;
  return std::visit(
      Overloaded{
          [&](const std::monostate&) { return attribute.ref_type; },
          [&](const std::int64_t& v) { return put_int(out.text, 3, v), int{kIntType}; },
          [&](const float& v) { return put_float(out.text, 2, v), int{kFloatType}; },
          [&](const std::string& v) { return put_text(out.text, 4, v), int{kStringType}; },
          [&](const Tensor& v) {
            return out.put(5, tensor_rope(context, v, v.name, external)), int{kTensorType};
          },
          [&](const SparseTensor& v) {
            return out.put(22, sparse_tensor_rope(context, v, v.values.name)), int{kSparseType};
          },
          [&](const Type& v) { return put_text(out.text, 14, type_text(v)), int{kTypeType}; },
          [&](const Attribute::Body& v) { return out.put(6, graph_rope(context, *v)), int{kGraphType}; },
          [&](const Attribute::Ints& v) {
            for (const std::int64_t i : v) put_int(out.text, 8, i);
            return int{kIntsType};
          },
          [&](const Attribute::Floats& v) {
            for (const float f : v) put_float(out.text, 7, f);
            return int{kFloatsType};
          },
          [&](const Attribute::Strings& v) {
            for (const std::string& s : v) put_text(out.text, 9, s);
            return int{kStringsType};
          },
          [&](const std::vector<Tensor>& v) {
            for (const Tensor& t : v) out.put(10, tensor_rope(context, t, t.name, external));
            return int{kTensorsType};
          },
          [&](const std::vector<SparseTensor>& v) {
            for (const SparseTensor& t : v) out.put(23, sparse_tensor_rope(context, t, t.values.name));
            return int{kSparsesType};
          },
          [&](const std::vector<Type>& v) {
            for (const Type& t : v) put_text(out.text, 15, type_text(t));
            return int{kTypesType};
          },
          [&](const Attribute::Bodies& v) {
            for (const auto& body : v) out.put(11, graph_rope(context, *body));
            return int{kGraphsType};
          },
      },
      attribute.value);
}

/// value_info in the file's order; `spare` are the entries that answer to no value, which fill the gaps.
void put_infos(SaveContext& context, Rope& out, const Graph& graph, std::uint32_t field,
               const std::vector<std::string>& spare) {
  std::vector<const Value*> ranked;
  for (const Value* v : graph.values()) {
    if (v->info_rank() >= 0) ranked.push_back(v);
  }
  std::sort(ranked.begin(), ranked.end(), [](const Value* a, const Value* b) {
    return a->info_rank() != b->info_rank() ? a->info_rank() < b->info_rank() : a->name() < b->name();
  });
  auto next = spare.begin();
  std::int64_t position = 0;
  for (const Value* v : ranked) {
    for (; position < v->info_rank() && next != spare.end(); ++next, ++position)
      put_text(out.text, field, *next);
    put_text(out.text, field, value_info_text(*v, v->name(), context.strip_docs));
    ++position;
  }
  for (; next != spare.end(); ++next) put_text(out.text, field, *next);
}

bool compatible(const Type& a, const Type& b) {
  if (a.kind == Type::Kind::kNone || b.kind == Type::Kind::kNone) return true;
  if (a.kind != b.kind || a.dtype != b.dtype) return false;
  if (a.element && b.element && !compatible(*a.element, *b.element)) return false;
  if (!a.has_shape || !b.has_shape) return true;
  return std::equal(
      a.dims.begin(), a.dims.end(), b.dims.begin(), b.dims.end(),
      [](const Dim& x, const Dim& y) { return !x.known() || !y.known() || x.value == y.value; });
}

/// False for an entry of the file about a value that has since got another type.
bool still_true(const std::string& entry, const Value* value) {
  if (!value) return true;
  LoadContext context{{"value info", std::as_bytes(std::span(entry)), nullptr}, ExternalFiles(""), {}};
  return compatible(read_value_info(context, context.source.all).type, value->type());
}

/// Takes the entries of `field` out of serialized fields.
std::vector<std::string> take_entries(std::string& unknown, std::uint32_t field, const Graph& graph) {
  std::vector<std::string> entries;
  std::string rest;
  LoadContext context{{"unknown fields", std::as_bytes(std::span(unknown)), nullptr}, ExternalFiles(""), {}};
  Reader reader(context.source, context.source.all, "graph");
  for (Field f; reader.next(f);) {
    if (f.number != field || f.kind != Kind::kBytes) {
      rest += f.whole_text();
      continue;
    }
    std::string entry(f.text());
    if (still_true(entry, graph.find(read_value_info(context, f.bytes).name)))
      entries.push_back(std::move(entry));
  }
  unknown = std::move(rest);
  return entries;
}

/// The file's own entry of an output while it holds, else what the value says.
std::string output_text(const SaveContext& context, const Value& value, const std::string& note) {
  if (!note.empty() && still_true(note, &value)) {
    LoadContext source{{"output", std::as_bytes(std::span(note)), nullptr}, ExternalFiles(""), {}};
    const ValueInfo info = read_value_info(source, source.source.all);
    if (info.name == value.name())
      return value_info_text(info.type, info.name, info.doc, info.unknown, context.strip_docs);
  }
  return value_info_text(value, value.name(), context.strip_docs);
}

}  // namespace

Rope attribute_rope(SaveContext& context, const Attribute& attribute) {
  Rope out;
  out.text = attribute.unknown;
  put_text_if(out.text, 1, attribute.name);
  const int type = put_value(context, out, attribute);
  put_text_if(out.text, 13, context.doc(attribute.doc));
  if (type != 0) put_int(out.text, 20, type);
  put_text_if(out.text, 21, attribute.ref);
  return out;
}

Rope node_rope(SaveContext& context, const Node& node) {
  Rope out;
  out.text = node.unknown();
  for (const Value* v : node.inputs()) put_text(out.text, 1, v ? v->name() : "");
  for (const Value* v : node.outputs()) put_text(out.text, 2, v ? v->name() : "");
  put_text_if(out.text, 3, node.name());
  put_text_if(out.text, 4, node.op());
  for (const Attribute& a : node.attributes()) out.put(5, attribute_rope(context, a));
  put_text_if(out.text, 6, context.doc(node.doc()));
  put_text_if(out.text, 7, node.domain());
  put_text_if(out.text, 8, node.overload());
  return out;
}

Rope graph_rope(SaveContext& context, const Graph& graph) {
  Rope out;
  out.text = graph.unknown();
  const std::vector<std::string> spare = take_entries(out.text, 13, graph);
  for (const Node& node : graph.nodes()) out.put(1, node_rope(context, node));
  put_text_if(out.text, 2, graph.name());
  for (const Value* v : graph.initializers())
    out.put(5, tensor_rope(context, *v->initializer(), v->name(), true));
  put_text_if(out.text, 10, context.doc(graph.doc()));
  for (const Value* v : graph.inputs())
    put_text(out.text, 11, value_info_text(*v, v->name(), context.strip_docs));
  for (std::size_t i = 0; i < graph.outputs().size(); ++i) {
    const Value& v = *graph.outputs()[i];
    put_text(out.text, 12, output_text(context, v, graph.output_note(i)));
  }
  put_infos(context, out, graph, 13, spare);
  for (const Value* v : graph.sparse_initializers()) {
    out.put(15, sparse_tensor_rope(context, *v->sparse_initializer(), v->name()));
  }
  return out;
}

Rope function_rope(SaveContext& context, const Function& function) {
  Rope out;
  out.text = function.unknown;
  const std::vector<std::string> spare = take_entries(out.text, 12, *function.body);
  put_text_if(out.text, 1, function.name);
  for (const Value* v : function.body->inputs()) put_text(out.text, 4, v->name());
  for (const Value* v : function.body->outputs()) put_text(out.text, 5, v->name());
  for (const std::string& a : function.attributes) put_text(out.text, 6, a);
  for (const Node& node : function.body->nodes()) out.put(7, node_rope(context, node));
  put_text_if(out.text, 8, context.doc(function.doc));
  for (const OpsetImport& opset : function.opsets) put_text(out.text, 9, opset_text(opset));
  put_text_if(out.text, 10, function.domain);
  for (const Attribute& a : function.defaults) out.put(11, attribute_rope(context, a));
  put_infos(context, out, *function.body, 12, spare);
  put_text_if(out.text, 13, function.overload);
  return out;
}

Rope model_rope(SaveContext& context, const Model& model) {
  Rope out;
  out.text = model.unknown;
  if (model.ir_version != 0) put_int(out.text, 1, model.ir_version);
  put_text_if(out.text, 2, model.producer_name);
  put_text_if(out.text, 3, model.producer_version);
  put_text_if(out.text, 4, model.domain);
  if (model.has_model_version) put_int(out.text, 5, model.model_version);
  put_text_if(out.text, 6, context.doc(model.doc));
  out.put(7, graph_rope(context, *model.graph));
  for (const OpsetImport& opset : model.opsets) put_text(out.text, 8, opset_text(opset));
  for (const auto& [key, value] : model.metadata) {
    std::string entry;
    put_text(entry, 1, key);
    put_text(entry, 2, value);
    put_text(out.text, 14, entry);
  }
  for (const Bytes& info : model.training_info) out.put(20, info);
  for (const Function& f : model.functions) out.put(25, function_rope(context, f));
  return out;
}

}  // namespace compressor::wire
