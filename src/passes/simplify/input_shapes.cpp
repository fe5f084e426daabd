// input shapes: x: [batch, 3, h, w] and --input-shape x:1x3x224x224  ==>  x: [1, 3, 224, 224]
//
// The declared types of all other values follow what the shape rules say of the new inputs: numbers replace
// symbols, and what the rules contradict or cannot confirm is no longer declared.
#include "passes/simplify/rewrites.h"

namespace compressor::simplify {
namespace {

Dim dim_of(const SymDim& fact, const Dim& declared) {
  Dim d = declared;
  if (fact.is_number()) {
    d.value = fact.number();
    d.param.clear();
  } else if (d.known()) {
    d.value = -1;  // a number of the old shape
  }
  return d;
}

Type type_of(const Facts& facts, Type type) {
  if (facts.ranked && facts.dims.size() == type.dims.size()) {
    for (std::size_t i = 0; i < type.dims.size(); ++i) type.dims[i] = dim_of(facts.dims[i], type.dims[i]);
    return type;
  }
  type.has_shape = false;
  type.dims.clear();
  if (!facts.ranked) return type;
  type.has_shape = true;
  for (const SymDim& d : facts.dims) type.dims.push_back(dim_of(d, {}));
  return type;
}

}  // namespace

bool set_input_shapes(Model& model, PassContext& context) {
  if (context.input_shapes.empty()) return false;
  InferOptions options;
  for (const auto& [name, dims] : context.input_shapes) options.input_shapes[name] = sym_dims(dims);
  const FactsMap before = infer_facts(model);
  const FactsMap facts = infer_facts(model, options);
  bool changed = false;
  model.each_graph([&](Graph& graph) {
    for (const Value* v : graph.values()) {
      const bool given = !graph.holder() && v->is_input() && options.input_shapes.contains(v->name());
      if (v->type().kind != Type::Kind::kTensor || (!v->type().has_shape && !given) || v->initializer())
        continue;
      Type type = type_of(facts.of(*v), v->type());
      changed = changed || type.has_shape != v->type().has_shape || type.dims != v->type().dims;
      graph.set_type(*v, std::move(type));
    }
  });
  drop_impossible_branches(model, before, facts, context);
  return changed;
}

}  // namespace compressor::simplify
