// values: what readers ask of values, nodes and constants.
#include <algorithm>

#include "compressor/base/error.h"
#include "compressor/graph/model.h"

namespace compressor {

Type Type::tensor(DType dtype, const Dims& dims) {
  Type type;
  type.kind = Kind::kTensor;
  type.dtype = dtype;
  type.has_shape = true;
  for (const std::int64_t d : dims) type.dims.push_back({.value = d, .param = {}, .denotation = {}});
  return type;
}

bool Value::is_graph_output() const {
  return std::any_of(uses_.begin(), uses_.end(), [](const Use& use) { return use.node == nullptr; });
}

const std::string& Graph::output_note(std::size_t index) const {
  static const std::string kNone;
  return index < output_notes_.size() ? output_notes_[index] : kNone;
}

std::string Node::label() const {
  if (!name_.empty()) return name_;
  for (const Value* out : outputs_) {
    if (out) return op_ + " -> '" + out->name() + "'";
  }
  return op_;
}

const Attribute* Node::attribute(std::string_view name) const {
  const auto it = std::find_if(attributes_.begin(), attributes_.end(),
                               [&](const Attribute& a) { return a.name == name; });
  return it == attributes_.end() ? nullptr : &*it;
}

namespace {

template <class T>
const T* typed(const Node& node, std::string_view name, std::string_view expected) {
  const Attribute* a = node.attribute(name);
  if (!a || !a->ref.empty()) return nullptr;
  const T* value = a->get<T>();
  if (!value && !std::holds_alternative<std::monostate>(a->value)) {
    throw Error::model("node '{}': attribute '{}' has another type than expected ({})", node.label(), name,
                       expected);
  }
  return value;
}

}  // namespace

std::int64_t Node::int_or(std::string_view name, std::int64_t otherwise) const {
  const auto* v = typed<std::int64_t>(*this, name, "int");
  return v ? *v : otherwise;
}
float Node::float_or(std::string_view name, float otherwise) const {
  const auto* v = typed<float>(*this, name, "float");
  return v ? *v : otherwise;
}
std::string Node::string_or(std::string_view name, std::string_view otherwise) const {
  const auto* v = typed<std::string>(*this, name, "string");
  return v ? *v : std::string(otherwise);
}
std::vector<std::int64_t> Node::ints_or(std::string_view name, std::vector<std::int64_t> otherwise) const {
  if (const auto* v = typed<Attribute::Ints>(*this, name, "ints")) return *v;
  return otherwise;
}
std::vector<float> Node::floats_or(std::string_view name, std::vector<float> otherwise) const {
  if (const auto* v = typed<Attribute::Floats>(*this, name, "floats")) return *v;
  return otherwise;
}
const Tensor* Node::tensor(std::string_view name) const {
  return typed<Tensor>(*this, name, "tensor");
}
const Graph* Node::body(std::string_view name) const {
  const auto* v = typed<Attribute::Body>(*this, name, "graph");
  return v ? v->get() : nullptr;
}

std::vector<const Graph*> Node::bodies() const {
  std::vector<const Graph*> result;
  for (const Attribute& a : attributes_) {
    if (const auto* body = a.get<Attribute::Body>()) result.push_back(body->get());
    if (const auto* bodies = a.get<Attribute::Bodies>()) {
      for (const auto& body : *bodies) result.push_back(body.get());
    }
  }
  return result;
}

std::optional<Tensor> constant_of(const Value& value) {
  if (const Tensor* t = value.initializer()) return *t;
  const Node* node = value.producer();
  if (!node || !node->is("Constant")) return std::nullopt;
  if (const Tensor* t = node->tensor("value")) return *t;
  for (const Attribute& a : node->attributes()) {
    if (a.name == "value_int") return Tensor::scalar(node->int_or(a.name, 0));
    if (a.name == "value_float") return Tensor::scalar(node->float_or(a.name, 0));
    if (a.name == "value_ints") {
      const auto v = node->ints_or(a.name, {});
      return Tensor::of({static_cast<std::int64_t>(v.size())}, std::span<const std::int64_t>(v));
    }
    if (a.name == "value_floats") {
      const auto v = node->floats_or(a.name, {});
      return Tensor::of({static_cast<std::int64_t>(v.size())}, std::span<const float>(v));
    }
    if (a.name == "value_string" || a.name == "value_strings") {
      const auto* one = a.get<std::string>();
      const auto* many = a.get<Attribute::Strings>();
      if (!one && !many) continue;
      Tensor t;
      t.dtype = DType::kString;
      auto strings = one ? std::vector<std::string>{*one} : *many;
      if (!one) t.shape = {static_cast<std::int64_t>(strings.size())};
      t.strings = std::make_shared<const std::vector<std::string>>(std::move(strings));
      return t;
    }
  }
  return std::nullopt;
}

std::optional<Tensor> fixed_constant(const Model& model, const Value& value) {
  return model.is_overridable(value) ? std::nullopt : constant_of(value);
}

Model Model::clone() const {
  Model copy;
  copy.ir_version = ir_version;
  copy.producer_name = producer_name;
  copy.producer_version = producer_version;
  copy.domain = domain;
  copy.doc = doc;
  copy.model_version = model_version;
  copy.has_model_version = has_model_version;
  copy.opsets = opsets;
  copy.metadata = metadata;
  copy.training_info = training_info;
  copy.unknown = unknown;
  copy.graph = graph->clone();
  for (const Function& f : functions) {
    Function g;
    g.name = f.name;
    g.domain = f.domain;
    g.overload = f.overload;
    g.doc = f.doc;
    g.unknown = f.unknown;
    g.attributes = f.attributes;
    g.opsets = f.opsets;
    for (const Attribute& a : f.defaults) g.defaults.push_back(copy_plain(a));
    g.body = f.body->clone();
    copy.functions.push_back(std::move(g));
  }
  return copy;
}

std::int64_t Model::opset(std::string_view of_domain) const {
  for (const OpsetImport& import : opsets) {
    if (import.domain == of_domain) return import.version;
  }
  return 0;
}

const Function* Model::find_function(const Node& node) const {
  for (const Function& f : functions) {
    if (f.name == node.op() && f.domain == node.domain() && f.overload == node.overload()) return &f;
  }
  return nullptr;
}

std::vector<const Node*> Model::node_list() const {
  std::vector<const Node*> nodes;
  each_graph([&](const Graph& g) {
    for (const Node& node : g.nodes()) nodes.push_back(&node);
  });
  return nodes;
}

Graph& Model::changeable(const Graph& of) {
  if (&of == graph.get()) return *graph;
  CHECK(of.holder(), "graph '{}' belongs to another model", of.name());
  for (Graph* body : changeable(of.holder()->graph()).bodies(*of.holder())) {
    if (body == &of) return *body;
  }
  CHECK(false, "body '{}' is not where its holder says", of.name());
  return *graph;
}

void Model::verify() const {
  graph->verify();
  for (const Function& f : functions) f.body->verify();
}

}  // namespace compressor
