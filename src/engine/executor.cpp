// executor: a run of a program from its inputs to its outputs, and the parameters between runs.
#include "compressor/engine/executor.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "compressor/base/error.h"
#include "engine/executor_impl.h"

namespace compressor {

using engine::Frame;
using engine::Held;
using engine::HeldPtr;
using engine::Ref;
using engine::Step;
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

}  // namespace

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
