// executor: runs the steps of a program one after the other, and of the bodies and functions inside it.
#include "compressor/engine/executor.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "compressor/base/error.h"
#include "compressor/graph/call.h"
#include "engine/executor_impl.h"

namespace compressor {

using engine::Frame;
using engine::Held;
using engine::HeldPtr;
using engine::Ref;
using engine::Step;
using engine::StepContext;
using ops::Layout;
using ops::RunValue;

namespace {

/// The scale, shift and statistics that a training step moves on its own.
void add_statistics(const Graph& graph, std::vector<const Value*>& parameters) {
  for (const Node& node : graph.nodes()) {
    if (!node.is("BatchNormalization")) continue;
    for (const std::size_t i : {3U, 4U}) {
      const Value* v = node.input(i);
      if (v && v->initializer() && std::find(parameters.begin(), parameters.end(), v) == parameters.end()) {
        parameters.push_back(v);
      }
    }
  }
}

ExecutorOptions inner_options(const ExecutorOptions& outer) {
  ExecutorOptions options;
  options.fuse = outer.fuse;
  options.portable = outer.portable;
  return options;
}

}  // namespace

Executor::Impl::Call::Call(const Model& outer, const Step& step, const ExecutorOptions& options)
    : model(instantiate(outer, *step.function, *step.node)), executor(model, inner_options(options)) {}

Executor::Impl::Impl(const Model& model, ExecutorOptions options)
    : model_(model), options_(std::move(options)) {
  std::vector<const Value*> changing = options_.parameters;
  wishes_.gradients_of.insert(changing.begin(), changing.end());
  wishes_.gradients_of.insert(options_.gradients_of.begin(), options_.gradients_of.end());
  if (options_.batch_statistics) add_statistics(*model.graph, changing);
  wishes_.fuse = options_.fuse && !options_.portable;
  wishes_.training = options_.training;
  wishes_.taps.insert(options_.taps.begin(), options_.taps.end());
  wishes_.changing.insert(changing.begin(), changing.end());
  if (wishes_.fuse && !wishes_.training) facts_ = infer_facts(model);
  main_ = engine::compile(model, *model.graph, nullptr, facts_, wishes_);
  // A tap is shown whole values.
  if (wishes_.fuse && !wishes_.training && wishes_.taps.empty())
    slices_ = engine::find_slices(*main_, facts_);
  for (const Value* v : changing) {
    CHECK(v->initializer() && main_->slot_of.contains(v), "parameter '{}' is no initializer", v->name());
    const std::vector<float> numbers = to_floats(*v->initializer());
    const kernels::Buffer buffer(numbers.size() * sizeof(float));
    std::memcpy(buffer.data(), numbers.data(), buffer.size());
    parameters_[v] = buffer;
    Tensor t = *v->initializer();
    t.dtype = DType::kFloat;
    t.bytes = buffer.bytes();
    main_->constants[static_cast<std::size_t>(main_->slot_of.at(v))]->value = RunValue(std::move(t));
  }
}

std::vector<RunValue> Executor::Impl::run(const Feeds& feeds) {
  Frame frame;
  frame.program = main_.get();
  frame.slots.resize(main_->values.size());
  tape_.clear();
  borders_.clear();
  drawn_.clear();
  again_ = false;
  shapes_.clear();
  // What was derived from a parameter's numbers is not what they are now.
  for (const auto& [value, buffer] : parameters_) {
    main_->constants[static_cast<std::size_t>(main_->slot_of.at(value))]->other = {};
  }
  bind_inputs(frame, feeds);
  const bool stretched = options_.training && options_.stretches > 1;
  recording_ = options_.training && !stretched;
  if (stretched) {
    const std::size_t last = stretches() - 1;
    for (std::size_t i = 0; i < last; ++i) {
      borders_.push_back(frame.slots);
      run_steps(frame, stretch_begin(i), stretch_begin(i + 1));
    }
    recording_ = true;  // the last one is the first to go back through
    run_steps(frame, stretch_begin(last), main_->steps.size());
  } else {
    run_steps(frame, run_slices(frame), main_->steps.size());
  }
  recording_ = false;
  return collect(frame);
}

std::vector<RunValue> Executor::Impl::collect(Frame& frame) {
  std::vector<RunValue> results;
  for (const Ref& ref : frame.program->outputs) {
    HeldPtr& held = frame.at(ref);
    CHECK(held, "an output was freed too early");
    if (held->value.kind == RunValue::Kind::kTensor) {
      results.emplace_back(engine::tensor_in(*held, Layout::kPlain));
    } else {
      results.push_back(held->value);
    }
  }
  return results;
}

std::size_t Executor::Impl::run_slices(Frame& frame) {
  if (slices_.end == 0) return 0;
  std::vector<RunValue> inputs;
  for (const int slot : slices_.inputs) {
    inputs.push_back(frame.slots[static_cast<std::size_t>(slot)]->value);
    const RunValue& x = inputs.back();
    if (x.kind != RunValue::Kind::kTensor || x.tensor.shape.empty()) return 0;
    if (x.tensor.shape[0] != inputs[0].tensor.shape[0] || x.tensor.bytes.empty()) return 0;
  }
  const std::int64_t batch = inputs[0].tensor.shape[0];
  const std::int64_t samples = engine::samples_of(slices_, batch);
  if (samples == batch) return 0;
  std::vector<engine::Joined> joined(slices_.borders.size());
  for (std::int64_t first = 0; first < batch; first += samples) {
    Frame slice;
    slice.program = frame.program;
    slice.slots.resize(frame.slots.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      auto held = std::make_shared<Held>();
      held->value = engine::slice_of(inputs[i], first, std::min(samples, batch - first));
      slice.slots[static_cast<std::size_t>(slices_.inputs[i])] = std::move(held);
    }
    run_steps(slice, 0, slices_.end);
    for (std::size_t i = 0; i < joined.size(); ++i) {
      joined[i].add(*slice.slots[static_cast<std::size_t>(slices_.borders[i])], first, batch);
    }
  }
  for (std::size_t i = 0; i < joined.size(); ++i) {
    frame.slots[static_cast<std::size_t>(slices_.borders[i])] = joined[i].finish();
  }
  return slices_.end;
}

void Executor::Impl::run_steps(Frame& frame, std::size_t begin, std::size_t end) {
  auto start = std::chrono::steady_clock::now();
  for (std::size_t at = begin; at < end; ++at) {
    Step& step = frame.program->steps[at];
    const bool runs = !(step.constant && step.done);
    if (runs) run_step(frame, step);
    for (const int slot : step.dies) {
      if (!frame.program->is_constant[static_cast<std::size_t>(slot)])
        frame.slots[static_cast<std::size_t>(slot)].reset();
    }
    if (frame.outer || !runs) continue;
    const auto now = std::chrono::steady_clock::now();
    step.seconds += std::chrono::duration<double>(now - start).count();
    start = now;
  }
}

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

std::vector<RunValue> Executor::Impl::run_body(const Graph& body, Frame& outer,
                                               std::vector<RunValue> arguments) {
  auto& program = bodies_[&body];
  if (!program) program = engine::compile(model_, body, outer.program, facts_, wishes_);
  Frame frame;
  frame.program = program.get();
  frame.outer = &outer;
  frame.slots.resize(program->values.size());
  const auto inputs = body.inputs();
  if (arguments.size() > inputs.size()) {
    throw Error::model("body '{}' has {} inputs, and is given {}", body.name(), inputs.size(),
                       arguments.size());
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    auto held = std::make_shared<Held>();
    if (i < arguments.size()) held->value = std::move(arguments[i]);
    const auto slot = static_cast<std::size_t>(program->slot_of.at(inputs[i]));
    if (program->tapped[slot]) report(*inputs[i], *held);
    if (!program->constants[slot]) frame.slots[slot] = std::move(held);
  }
  const bool recording = std::exchange(recording_, false);
  run_steps(frame, 0, program->steps.size());
  recording_ = recording;
  return collect(frame);
}

void Executor::Impl::run_function(Frame& frame, Step& step) {
  auto& call = calls_[step.node];
  if (!call) call = std::make_unique<Call>(model_, step, options_);
  Feeds feeds;
  const auto inputs = call->model.graph->inputs();
  if (step.inputs.size() > inputs.size()) {
    throw Error::model("node '{}': function '{}' takes {} inputs, and is given {}", step.node->label(),
                       step.function->name, inputs.size(), step.inputs.size());
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const bool given = i < step.inputs.size() && step.inputs[i].slot >= 0;
    feeds[inputs[i]->name()] = given ? frame.at(step.inputs[i])->value : RunValue();
  }
  std::vector<RunValue> results = call->executor.run(feeds);
  std::vector<HeldPtr> outputs(step.outputs.size());
  for (std::size_t i = 0; i < outputs.size() && i < results.size(); ++i) {
    outputs[i] = std::make_shared<Held>();
    outputs[i]->value = std::move(results[i]);
  }
  store(frame, step, outputs);
}

void Executor::Impl::update(const Ref& ref, Frame& frame, Tensor tensor) {
  if (again_) return;
  Frame* f = &frame;
  for (int i = 0; i < ref.up; ++i) f = f->outer;
  const Value* value = f->program->values[static_cast<std::size_t>(ref.slot)];
  const auto it = parameters_.find(value);
  if (it == parameters_.end()) return;  // computed statistics stay what they are
  const std::vector<float> numbers = to_floats(tensor);
  CHECK(numbers.size() * sizeof(float) == it->second.size());
  std::memcpy(it->second.data(), numbers.data(), it->second.size());
}

std::span<float> Executor::Impl::parameter(const Value& value) {
  const auto it = parameters_.find(&value);
  CHECK(it != parameters_.end(), "'{}' was not declared a parameter", value.name());
  return {it->second.as<float>(), it->second.size() / sizeof(float)};
}

std::map<const Node*, double> Executor::Impl::take_timing() {
  std::map<const Node*, double> timing;
  for (Step& step : main_->steps) {
    const double seconds = std::exchange(step.seconds, 0);
    if (seconds > 0) timing[step.node] += seconds;
  }
  return timing;
}

Executor::Executor(const Model& model, ExecutorOptions options)
    : impl_(std::make_unique<Impl>(model, std::move(options))) {}
Executor::~Executor() = default;
Executor::Executor(Executor&&) noexcept = default;
std::vector<RunValue> Executor::run(const Feeds& feeds) {
  return feeds.carried.empty() ? impl_->run(feeds) : impl_->run_carrying(feeds);
}
void Executor::set_tap(Tap tap) {
  impl_->set_tap(std::move(tap));
}
Executor::Gradients Executor::backward(const Gradients& seeds) {
  return impl_->backward(seeds);
}
std::span<float> Executor::parameter(const Value& value) {
  return impl_->parameter(value);
}
std::map<const Node*, double> Executor::take_timing() {
  return impl_->take_timing();
}

}  // namespace compressor
