// program: numbers the values of a graph and turns its nodes into steps.
#include "engine/program.h"

#include <algorithm>

#include "compressor/base/error.h"
#include "compressor/tensor/tensor.h"

namespace compressor::engine {
namespace {

/// A sparse constant with all its zeros.
Tensor dense(const Value& value) {
  const SparseTensor& s = *value.sparse_initializer();
  const std::uint64_t size = num_elements(s.dims);
  const std::vector<std::int64_t> at = to_ints(s.indices);
  const std::vector<double> numbers = to_doubles(s.values);
  std::vector<double> all(size);
  const std::size_t rank = s.dims.size();
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    std::int64_t flat = 0;
    if (s.indices.rank() == 1) {
      flat = at[i];
    } else {
      for (std::size_t k = 0; k < rank; ++k) flat = flat * s.dims[k] + at[i * rank + k];
    }
    if (flat < 0 || static_cast<std::uint64_t>(flat) >= size) {
      throw Error::model("sparse constant '{}': index {} is outside {}", value.name(), flat,
                         to_string(s.dims));
    }
    all[static_cast<std::size_t>(flat)] = numbers[i];
  }
  return Tensor::of(s.values.dtype, s.dims, all);
}

class Compiler {
 public:
  Compiler(const Model& model, const Graph& graph, const Program* parent, const Wishes& wishes)
      : model_(model), graph_(graph), wishes_(wishes), program_(std::make_unique<Program>()) {
    program_->graph = &graph;
    program_->parent = parent;
  }

  std::unique_ptr<Program> compile() {
    for (const Value* v : graph_.inputs()) add_slot(*v);
    for (const Value* v : graph_.initializers()) add_constant(*v, *v->initializer());
    for (const Value* v : graph_.sparse_initializers()) add_constant(*v, dense(*v));
    for (const Node& node : graph_.nodes()) add_step(node);
    for (const Value* v : graph_.outputs()) {
      program_->outputs.push_back(program_->find(*v));
      if (program_->outputs.back().slot < 0) {
        throw Error::model("output '{}' is computed by no node", v->name());
      }
    }
    return std::move(program_);
  }

 private:
  int add_slot(const Value& value) {
    const auto known = program_->slot_of.find(&value);
    if (known != program_->slot_of.end()) return known->second;
    const int slot = static_cast<int>(program_->values.size());
    program_->slot_of[&value] = slot;
    program_->values.push_back(&value);
    program_->constants.emplace_back();
    program_->is_constant.push_back(false);
    program_->only_shapes.push_back(false);
    program_->tapped.push_back(wishes_.taps.contains(&value));
    program_->wants_gradient.push_back(wishes_.gradients_of.contains(&value));
    return slot;
  }

  void add_constant(const Value& value, Tensor tensor) {
    const auto slot = static_cast<std::size_t>(add_slot(value));
    auto held = std::make_shared<Held>();
    held->value = ops::RunValue(std::move(tensor));
    program_->constants[slot] = std::move(held);
    program_->is_constant[slot] = !model_.is_overridable(value) && !wishes_.changing.contains(&value);
  }

  void add_step(const Node& node) {
    Step step;
    step.node = &node;
    step.op = ops::find_op(model_, node);
    step.function = model_.functions.empty() ? nullptr : model_.find_function(node);
    step.opset = ops::opset_of(model_, node);
    if (!step.op && !step.function) {
      throw Error::model("node '{}': operator '{}{}{}' of opset {} is not known and cannot be run",
                         node.label(), node.domain(), node.domain().empty() ? "" : ".", node.op(),
                         step.opset);
    }
    bool constant = step.op && step.op->compute && node.bodies().empty();
    const bool asks_shape = node.is("Shape") || node.is("Size");
    bool only_shapes = constant;
    for (const Value* v : node.inputs()) {
      const Ref ref = v ? program_->find(*v) : Ref();
      if (v && ref.slot < 0) {
        throw Error::model("node '{}' ({}): input '{}' is not computed before it", node.label(), node.op(),
                           v->name());
      }
      constant = constant && (!v || program_->constant_at(ref));
      only_shapes =
          only_shapes && (!v || asks_shape || program_->constant_at(ref) ||
                          (ref.up == 0 && program_->only_shapes[static_cast<std::size_t>(ref.slot)]));
      if (v && ref.up == 0) {
        step.differentiable |= program_->wants_gradient[static_cast<std::size_t>(ref.slot)];
      }
      step.inputs.push_back(ref);
    }
    step.constant = constant;
    step.only_shapes = only_shapes && !constant && !wishes_.training;
    for (const Value* v : node.outputs()) {
      step.outputs.push_back(v ? add_slot(*v) : -1);
      if (!v) continue;
      const auto slot = static_cast<std::size_t>(step.outputs.back());
      program_->is_constant[slot] = constant;
      program_->only_shapes[slot] = step.only_shapes;
      if (step.differentiable) program_->wants_gradient[slot] = true;
    }
    program_->steps.push_back(std::move(step));
  }

  const Model& model_;
  const Graph& graph_;
  const Wishes& wishes_;
  std::unique_ptr<Program> program_;
};

/// Values of `graph` that the bodies of a node read.
void captured(const Node& node, const Graph& graph, std::set<const Value*>& out) {
  for (const Graph* body : node.bodies()) {
    for (const Node& inner : body->nodes()) {
      for (const Value* v : inner.inputs()) {
        if (v && &v->graph() == &graph) out.insert(v);
      }
      captured(inner, graph, out);
    }
    for (const Value* v : body->outputs()) {
      if (&v->graph() == &graph) out.insert(v);
    }
  }
}

}  // namespace

Ref Program::find(const Value& value) const {
  int up = 0;
  for (const Program* p = this; p; p = p->parent, ++up) {
    const auto it = p->slot_of.find(&value);
    if (it != p->slot_of.end()) return {up, it->second};
  }
  return {};
}

bool Program::constant_at(const Ref& ref) const {
  const Program* p = this;
  for (int i = 0; i < ref.up; ++i) p = p->parent;
  return p->is_constant[static_cast<std::size_t>(ref.slot)];
}

std::unique_ptr<Program> compile(const Model& model, const Graph& graph, const Program* parent,
                                 const FactsMap& facts, const Wishes& wishes) {
  std::unique_ptr<Program> program = Compiler(model, graph, parent, wishes).compile();
  if (wishes.fuse && !wishes.training) fuse(model, *program, facts);
  find_lifetimes(*program);
  return program;
}

void find_lifetimes(Program& program) {
  const std::size_t n = program.values.size();
  std::vector<std::size_t> last(n, 0);
  std::vector<bool> stays(n, false);
  for (std::size_t i = 0; i < n; ++i) stays[i] = program.constants[i] || program.is_constant[i];
  for (const Ref& ref : program.outputs) {
    if (ref.up == 0) stays[static_cast<std::size_t>(ref.slot)] = true;
  }
  const auto reads = [&](const Step& step, std::size_t at) {
    for (const Ref& ref : step.inputs) {
      if (ref.slot >= 0 && ref.up == 0) last[static_cast<std::size_t>(ref.slot)] = at;
    }
    std::set<const Value*> inner;
    captured(*step.node, *program.graph, inner);
    for (const Value* v : inner) last[static_cast<std::size_t>(program.slot_of.at(v))] = at;
    for (const int slot : step.outputs) {
      if (slot >= 0)
        last[static_cast<std::size_t>(slot)] = std::max(last[static_cast<std::size_t>(slot)], at);
    }
  };
  for (std::size_t at = 0; at < program.steps.size(); ++at) {
    reads(program.steps[at], at);
    for (const Step& part : program.steps[at].parts) reads(part, at);
  }
  for (std::size_t i = 0; i < n && !program.steps.empty(); ++i) {
    if (!stays[i]) program.steps[last[i]].dies.push_back(static_cast<int>(i));
  }
  for (std::size_t at = 0; at < program.steps.size(); ++at) {
    Step& step = program.steps[at];
    for (const Ref& ref : step.inputs) {
      const bool own = ref.slot >= 0 && ref.up == 0;
      const auto same = std::count_if(step.inputs.begin(), step.inputs.end(), [&](const Ref& other) {
        return other.up == ref.up && other.slot == ref.slot;
      });
      step.last.push_back(own && same == 1 && !stays[static_cast<std::size_t>(ref.slot)] &&
                          last[static_cast<std::size_t>(ref.slot)] == at && step.node->bodies().empty());
    }
    for (Step& part : step.parts) part.last.assign(part.inputs.size(), false);
  }
}

}  // namespace compressor::engine
