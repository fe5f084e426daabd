// inside: runs the graphs that nodes hold or call: bodies of If, Loop and Scan, and functions.
#include "compressor/base/error.h"
#include "compressor/graph/call.h"
#include "engine/executor_impl.h"

namespace compressor {

using engine::Frame;
using engine::Held;
using engine::HeldPtr;
using engine::Step;
using ops::RunValue;

namespace {

ExecutorOptions inner_options(const ExecutorOptions& outer) {
  ExecutorOptions options;
  options.fuse = outer.fuse;
  options.portable = outer.portable;
  return options;
}

}  // namespace

Executor::Impl::Call::Call(const Model& outer, const Step& step, const ExecutorOptions& options)
    : model(instantiate(outer, *step.function, *step.node)), executor(model, inner_options(options)) {}

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

}  // namespace compressor
