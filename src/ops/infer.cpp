// infer: the facts of every value, by running the operators' shape rules in order.
#include <algorithm>

#include "compressor/ops/op.h"

namespace compressor {

Facts Facts::of(DType dtype, SymDims dims) {
  Facts f;
  f.kind = Type::Kind::kTensor;
  f.dtype = dtype;
  f.ranked = true;
  f.dims = std::move(dims);
  return f;
}

namespace {

/// Integer contents are kept up to this many elements: shapes and indices are short.
constexpr std::uint64_t kMaxContents = 4096;

void keep_contents(Facts& facts, const Tensor& tensor) {
  if (tensor.size() > kMaxContents) return;
  if (!is_integer(tensor.dtype) && tensor.dtype != DType::kBool) return;
  facts.contents = sym_dims(to_ints(tensor));
}

}  // namespace

Facts Facts::of(const Tensor& tensor) {
  Facts f = of(tensor.dtype, sym_dims(tensor.shape));
  f.constant = std::make_shared<const Tensor>(tensor);
  keep_contents(f, tensor);
  return f;
}

Facts Facts::of(const Type& type) {
  Facts f;
  f.kind = type.kind;
  f.dtype = type.dtype;
  if (type.element) f.element = std::make_shared<const Facts>(of(*type.element));
  f.ranked = type.has_shape && (type.kind == Type::Kind::kTensor || type.kind == Type::Kind::kSparseTensor);
  if (!f.ranked) return f;
  for (const Dim& d : type.dims) {
    f.dims.push_back(d.known() ? SymDim(d.value) : d.param.empty() ? SymDim() : SymDim::symbol(d.param));
  }
  return f;
}

bool Facts::is_static() const {
  return ranked && std::all_of(dims.begin(), dims.end(), [](const SymDim& d) { return d.is_number(); });
}

std::optional<Dims> Facts::shape() const {
  return ranked ? numbers(dims) : std::nullopt;
}

const SymDim& Facts::dim(std::int64_t axis) const {
  const std::int64_t at = axis < 0 ? axis + rank() : axis;
  if (at < 0 || at >= rank()) throw Error::model("axis {} is outside a tensor of rank {}", axis, rank());
  return dims[static_cast<std::size_t>(at)];
}

const Facts& FactsMap::of(const Value& value) const {
  static const Facts kNothing;
  const auto it = facts_.find(&value);
  return it == facts_.end() ? kNothing : it->second;
}

namespace {

class Inference {
 public:
  Inference(const Model& model, const InferOptions& options) : model_(model), options_(options) {}

  FactsMap run() {
    check_options();
    for (const Value* v : model_.graph->inputs()) set_input(*v);
    infer_graph(*model_.graph);
    return std::move(map_);
  }

 private:
  void check_options() const {
    for (const auto& [name, dims] : options_.input_shapes) {
      const Value* v = model_.graph->find(name);
      if (!v || !v->is_input()) {
        std::string names;
        for (const Value* input : model_.graph->inputs())
          names += (names.empty() ? "'" : ", '") + input->name() + "'";
        throw Error::usage("input shape for '{}': the model has no such input; its inputs are {}", name,
                           names);
      }
      if (v->type().has_shape && v->type().dims.size() != dims.size()) {
        throw Error::usage("input shape for '{}': found rank {} ({}), expected rank {}", name, dims.size(),
                           to_string(dims), v->type().dims.size());
      }
    }
  }

  void set_input(const Value& value) {
    if (value.initializer()) return;
    Facts facts = Facts::of(value.type());
    const auto given = options_.input_shapes.find(value.name());
    if (given != options_.input_shapes.end()) {
      facts.kind = Type::Kind::kTensor;
      facts.ranked = true;
      facts.dims = given->second;
    }
    settle(value, std::move(facts));
  }

  /// A constant; or, where a caller may give another one, a value of that type.
  void set_initializer(const Value& value) {
    Facts facts = Facts::of(*value.initializer());
    if (model_.is_overridable(value)) {
      facts.constant = nullptr;
      facts.contents.reset();
    }
    map_.set(value, std::move(facts));
  }

  /// Gives unknown dimensions a symbol of their own and stores the facts.
  void settle(const Value& value, Facts facts) {
    for (std::size_t i = 0; i < facts.dims.size(); ++i) {
      if (facts.dims[i].is_unknown())
        facts.dims[i] = SymDim::symbol("~" + value.name() + "." + std::to_string(i));
    }
    map_.set(value, std::move(facts));
  }

  void infer_graph(const Graph& graph) {
    for (const Value* v : graph.initializers()) set_initializer(*v);
    for (const Value* v : graph.sparse_initializers()) {
      const SparseTensor& s = *v->sparse_initializer();
      map_.set(*v, Facts::of(s.values.dtype, sym_dims(s.dims)));
    }
    for (const Node& node : graph.nodes()) infer_node(node);
  }

  void infer_node(const Node& node) {
    const ops::Op* op = ops::find_op(model_, node);
    std::vector<Facts> outputs(node.outputs().size());
    if (op && op->infer) {
      try {
        outputs = apply(*op, node);
      } catch (const Error& error) {
        if (error.kind() == ErrorKind::kInternal) throw;
        map_.problems.push_back({&node, error.what()});
        outputs.assign(node.outputs().size(), Facts());
      }
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const Value* v = node.output(i);
      if (v) settle(*v, merge_declared(std::move(outputs[i]), *v));
    }
  }

  std::vector<Facts> apply(const ops::Op& op, const Node& node) {
    std::vector<const Facts*> inputs;
    bool all_constant = true;
    for (const Value* v : node.inputs()) {
      inputs.push_back(v ? &map_.of(*v) : nullptr);
      all_constant = all_constant && (!v || inputs.back()->constant);
    }
    const std::int64_t opset = ops::opset_of(model_, node);
    ops::InferContext context(node, opset, inputs,
                              [this](const Graph& body, const std::vector<Facts>& arguments) {
                                return infer_body(body, arguments);
                              });
    op.infer(context);
    std::vector<Facts> outputs = std::move(context.outputs());
    if (all_constant && op.compute && is_small(outputs, inputs)) compute(op, node, opset, inputs, outputs);
    return outputs;
  }

  bool is_small(const std::vector<Facts>& outputs, const std::vector<const Facts*>& inputs) const {
    const auto fits = [this](const Facts& f) {
      const auto shape = f.shape();
      return shape && num_elements(*shape) <= options_.max_computed_elements;
    };
    return std::all_of(inputs.begin(), inputs.end(), [&](const Facts* f) { return !f || fits(*f); }) &&
           std::all_of(outputs.begin(), outputs.end(),
                       [&](const Facts& f) { return !f.ranked || f.constant || fits(f) || !f.is_static(); });
  }

  static void compute(const ops::Op& op, const Node& node, std::int64_t opset,
                      const std::vector<const Facts*>& inputs, std::vector<Facts>& outputs) {
    std::vector<const Tensor*> tensors;
    for (const Facts* f : inputs) tensors.push_back(f ? f->constant.get() : nullptr);
    ops::ComputeContext context(node, opset, std::move(tensors));
    try {
      op.compute(context);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kInternal) throw;
      return;  // a kernel may refuse a type; the shape is known all the same
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (context.outputs()[i]) outputs[i] = Facts::of(*context.outputs()[i]);
    }
  }

  std::vector<Facts> infer_body(const Graph& body, const std::vector<Facts>& arguments) {
    for (std::size_t i = 0; i < body.inputs().size(); ++i) {
      const Value& v = *body.inputs()[i];
      Facts facts = i < arguments.size() ? arguments[i] : Facts();
      settle(v, merge_declared(std::move(facts), v));
    }
    infer_graph(body);
    std::vector<Facts> results;
    for (const Value* v : body.outputs()) results.push_back(map_.of(*v));
    return results;
  }

  /// What the file declares fills in what the rules could not tell. Declared numbers are not believed when
  /// the user changed an input's shape.
  Facts merge_declared(Facts facts, const Value& value) const {
    if (value.type().kind == Type::Kind::kNone) return facts;
    const Facts declared = Facts::of(value.type());
    if (facts.kind == Type::Kind::kNone) facts.kind = declared.kind;
    if (facts.dtype == DType::kUndefined) facts.dtype = declared.dtype;
    if (!facts.element) facts.element = declared.element;
    if (!options_.input_shapes.empty() || !declared.ranked) return facts;
    if (!facts.ranked) {
      facts.ranked = true;
      facts.dims = declared.dims;
    }
    for (std::size_t i = 0; i < facts.dims.size() && i < declared.dims.size(); ++i) {
      if (facts.dims[i].is_unknown() && declared.dims[i].is_number()) facts.dims[i] = declared.dims[i];
    }
    return facts;
  }

  const Model& model_;
  const InferOptions& options_;
  FactsMap map_;
};

}  // namespace

FactsMap infer_facts(const Model& model, const InferOptions& options) {
  return Inference(model, options).run();
}

}  // namespace compressor
