// summary: counts over the graph as it stands.
#include "compressor/analysis/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "compressor/analysis/weights.h"
#include "compressor/ops/op.h"

namespace compressor {
namespace {

std::string qualified(const std::string& domain, const std::string& name) {
  return domain.empty() ? name : domain + "." + name;
}

std::vector<ModelSummary::Count> sorted(const std::map<std::string, std::int64_t>& counts) {
  std::vector<ModelSummary::Count> list;
  list.reserve(counts.size());
  for (const auto& [name, count] : counts) list.push_back({.name = name, .count = count});
  std::stable_sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.count > b.count; });
  return list;
}

ModelSummary::Port port(const Value& value) {
  const Type& type = value.type();
  const bool tensor = type.kind == Type::Kind::kTensor;
  return {.name = value.name(),
          .dtype = tensor ? std::string(name(type.dtype)) : type_text(type),
          .shape = shape_text(type)};
}

void count_nodes(ModelSummary& s, const Model& model) {
  std::map<std::string, std::int64_t> ops, functions, unknown;
  for (const Function& f : model.functions) functions[qualified(f.domain, f.name)] = 0;
  const auto visit = [&](const Graph& graph) {
    for (const Node& node : graph.nodes()) {
      const std::string name = qualified(node.domain(), node.op());
      ++s.nodes;
      ++ops[name];
      s.bodies += static_cast<std::int64_t>(node.bodies().size());
      if (model.find_function(node)) {
        ++functions[name];
        continue;
      }
      if (!ops::find_op(model, node)) ++unknown[name];
    }
  };
  model.each_graph(visit);
  s.ops = sorted(ops);
  s.functions = sorted(functions);
  s.unknown_ops = sorted(unknown);
}

void count_weights(ModelSummary& s, const Model& model) {
  std::map<std::string, ModelSummary::Stored> stored;
  for (const Weight& w : weights(model)) {
    if (w.parameter) s.params += w.elements;
    if (w.parameter && w.generated) s.generated_params += w.elements;
    if (w.generated) continue;
    ModelSummary::Stored& entry = stored[std::string(name(w.dtype))];
    ++entry.tensors;
    entry.elements += w.elements;
    entry.bytes += w.bytes;
  }
  for (auto& [dtype, entry] : stored) {
    entry.dtype = dtype;
    s.stored.push_back(entry);
  }
  std::stable_sort(s.stored.begin(), s.stored.end(),
                   [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
}

void warn(ModelSummary& s, const Model& model) {
  std::string unknown;
  for (const auto& [name, count] : s.unknown_ops) {
    unknown += fmt::format("{}{} ({})", unknown.empty() ? "" : ", ", name, count);
  }
  if (!unknown.empty()) {
    s.warnings.push_back("operators that are not known to this program are kept as they are: " + unknown);
  }
  const auto old_inputs = std::count_if(model.graph->inputs().begin(), model.graph->inputs().end(),
                                        [](const Value* v) { return v->initializer() != nullptr; });
  if (old_inputs > 0 && model.ir_version >= 4) {
    s.warnings.push_back(fmt::format(
        "{} initializer{} also graph input{}: a caller may override them, so they are not constant",
        old_inputs, old_inputs == 1 ? " is" : "s are", old_inputs == 1 ? "" : "s"));
  }
}

}  // namespace

std::string shape_text(const Type& type) {
  if (type.kind != Type::Kind::kTensor && type.kind != Type::Kind::kSparseTensor) return "";
  if (!type.has_shape) return "?";
  if (type.dims.empty()) return "scalar";
  std::string text;
  for (const Dim& d : type.dims) {
    text += text.empty() ? "" : "x";
    text += d.known() ? std::to_string(d.value) : d.param.empty() ? "?" : d.param;
  }
  return text;
}

std::string type_text(const Type& type) {
  const auto element = [&] { return type.element ? type_text(*type.element) : std::string("?"); };
  switch (type.kind) {
    case Type::Kind::kNone:
      return "?";
    case Type::Kind::kTensor:
      return fmt::format("{} {}", name(type.dtype), shape_text(type));
    case Type::Kind::kSparseTensor:
      return fmt::format("sparse {} {}", name(type.dtype), shape_text(type));
    case Type::Kind::kSequence:
      return "sequence of " + element();
    case Type::Kind::kOptional:
      return "optional " + element();
    case Type::Kind::kMap:
      return fmt::format("map from {} to {}", name(type.dtype), element());
    case Type::Kind::kOpaque:
      return fmt::format("opaque {}.{}", type.opaque_domain, type.opaque_name);
  }
  return "?";
}

ModelSummary summarize(const Model& model) {
  ModelSummary s;
  s.ir_version = model.ir_version;
  s.producer = model.producer_name + (model.producer_version.empty() ? "" : " " + model.producer_version);
  s.graph_name = model.graph->name();
  s.doc = model.doc;
  s.metadata = model.metadata;
  s.training_graphs = static_cast<std::int64_t>(model.training_info.size());
  for (const OpsetImport& o : model.opsets)
    s.opsets.emplace_back(o.domain.empty() ? "ai.onnx" : o.domain, o.version);
  for (const Value* v : model.graph->inputs()) {
    if (!v->initializer()) s.inputs.push_back(port(*v));
  }
  for (const Value* v : model.graph->outputs()) s.outputs.push_back(port(*v));
  count_nodes(s, model);
  count_weights(s, model);
  warn(s, model);
  return s;
}

}  // namespace compressor
