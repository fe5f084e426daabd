// steps: runs one step of a program: by its operator's rule, by its parts, or from what it remembers.
#include "compressor/base/error.h"
#include "engine/executor_impl.h"

namespace compressor {

using engine::Frame;
using engine::Held;
using engine::HeldPtr;
using engine::Step;
using engine::StepContext;
using ops::Layout;
using ops::RunValue;

void Executor::Impl::run_step(Frame& frame, Step& step) {
  try {
    if (step.function) {
      run_function(frame, step);
    } else {
      run_operator(frame, step);
    }
  } catch (const Error& error) {
    const std::string what = error.what();
    if (error.kind() != ErrorKind::kModel || what.find("node '") != std::string::npos) throw;
    throw Error::model("node '{}' ({}): {}", step.node->label(), step.node->op(), what);
  } catch (const std::bad_alloc&) {
    throw Error::model("node '{}' ({}): there is not enough memory for its output", step.node->label(),
                       step.node->op());
  }
  step.done = step.constant;
}

namespace {

constexpr std::uint64_t kRememberedBytes = 1 << 14;  ///< of one output

bool asks_shape(const Step& step) {
  return step.node->is("Shape") || step.node->is("Size");
}

/// Does the step read what it read in the run before?
bool is_repeated(Frame& frame, const Step& step) {
  const engine::Memo& memo = step.memo;
  if (memo.outputs.empty()) return false;
  if (asks_shape(step)) {
    const RunValue& x = frame.at(step.inputs[0])->value;
    return x.kind == RunValue::Kind::kTensor && x.tensor.shape == memo.shape;
  }
  for (std::size_t i = 0; i < step.inputs.size(); ++i) {
    if (step.inputs[i].slot >= 0 && frame.at(step.inputs[i]) != memo.inputs[i]) return false;
  }
  return true;
}

void remember(Step& step, StepContext& context) {
  engine::Memo& memo = step.memo;
  memo = {};
  for (const HeldPtr& held : context.outputs()) {
    if (held && held->value.tensor.bytes.size() > kRememberedBytes) return;
  }
  if (asks_shape(step)) {
    memo.shape = context.shape(0);
  } else {
    for (std::size_t i = 0; i < step.inputs.size(); ++i) memo.inputs.push_back(context.held(i));
  }
  memo.outputs = context.outputs();
}

}  // namespace

void Executor::Impl::run_operator(Frame& frame, Step& step) {
  if (step.only_shapes && is_repeated(frame, step)) {
    std::vector<HeldPtr> outputs = step.memo.outputs;
    return store(frame, step, outputs);
  }
  StepContext context(*this, frame, step);
  if (again_ && drawn_.contains(&step)) {
    std::vector<HeldPtr> drawn = drawn_.at(&step);
    return store(frame, step, drawn);
  }
  // compute() sees tensors only: sequences and empty optionals are for run rules, portable or not.
  bool plain = true;
  for (std::size_t i = 0; i < step.inputs.size(); ++i) {
    plain = plain && (step.inputs[i].slot < 0 || context.value(i).kind == RunValue::Kind::kTensor);
  }
  // Statistics of a batch are a matter of `run` alone.
  const bool by_compute = options_.portable && step.op->compute && plain && !options_.batch_statistics;
  const bool by_run = step.op->run && !by_compute;
  bool ok = by_run && step.op->run(context);
  if (!ok && !step.parts.empty()) return run_parts(frame, step);
  if (!ok) ok = compute(context, step);
  if (!ok) {
    throw Error::model("node '{}': operator '{}{}{}' of opset {} cannot be run with these inputs",
                       step.node->label(), step.node->domain(), step.node->domain().empty() ? "" : ".",
                       step.node->op(), step.opset);
  }
  if (recording_ && step.differentiable) record(frame, step, context);
  // What depends on more than its inputs would be another value the second time.
  const bool random = !step.op->compute && step.node->bodies().empty() && !step.differentiable;
  if (random && options_.training && options_.stretches > 1) drawn_[&step] = context.outputs();
  if (step.only_shapes) remember(step, context);
  store(frame, step, context.outputs());
}

bool Executor::Impl::compute(StepContext& context, Step& step) {
  if (!step.op->compute) return false;
  std::vector<const Tensor*> inputs;
  for (std::size_t i = 0; i < step.inputs.size(); ++i) {
    inputs.push_back(context.has(i) ? &context.in(i, Layout::kPlain) : nullptr);
  }
  ops::ComputeContext portable(*step.node, step.opset, std::move(inputs));
  step.op->compute(portable);
  for (std::size_t i = 0; i < portable.outputs().size(); ++i) {
    if (portable.outputs()[i]) context.set(i, RunValue(std::move(*portable.outputs()[i])));
  }
  return true;
}

void Executor::Impl::run_parts(Frame& frame, Step& step) {
  for (Step& part : step.parts) run_operator(frame, part);
}

void Executor::Impl::store(Frame& frame, Step& step, std::span<HeldPtr> outputs) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const int slot = step.outputs[i];
    if (slot < 0) continue;
    const auto s = static_cast<std::size_t>(slot);
    if (!outputs[i]) {
      throw Error::model("node '{}' ({}): output {} was not computed", step.node->label(), step.node->op(),
                         i);
    }
    if (recording_ && !frame.outer && step.differentiable &&
        wishes_.gradients_of.contains(frame.program->values[s])) {
      shapes_[slot] = outputs[i]->value.tensor.shape;
    }
    if (frame.program->tapped[s] && !again_) report(*frame.program->values[s], *outputs[i]);
    if (step.constant) {
      frame.program->constants[s] = std::move(outputs[i]);
    } else {
      frame.slots[s] = std::move(outputs[i]);
    }
  }
}

void Executor::Impl::report(const Value& value, Held& held) {
  if (tap_ && held.value.kind == RunValue::Kind::kTensor) tap_(value, held.value);
}

}  // namespace compressor
