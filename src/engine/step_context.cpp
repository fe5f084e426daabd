// step_context: finds a step's inputs, gives it memory, takes its outputs.
#include "engine/step_context.h"

#include "compressor/base/error.h"

namespace compressor::engine {

using ops::Layout;
using ops::RunValue;

StepContext::StepContext(Host& host, Frame& frame, Step& step)
    : host_(host),
      frame_(frame),
      step_(step),
      inputs_(std::move(step.input_room)),
      outputs_(std::move(step.output_room)) {
  inputs_.reserve(step.inputs.size());
  outputs_.resize(step.outputs.size());
  for (const Ref& ref : step.inputs) {
    inputs_.push_back(ref.slot < 0 ? nullptr : frame.at(ref));
    CHECK(ref.slot < 0 || inputs_.back(), "node '{}': an input was freed too early", step.node->label());
  }
}

StepContext::~StepContext() {
  inputs_.clear();
  outputs_.clear();
  step_.input_room = std::move(inputs_);
  step_.output_room = std::move(outputs_);
}

const RunValue& StepContext::value(std::size_t i) const {
  static const RunValue kMissing;
  return i < inputs_.size() && inputs_[i] ? inputs_[i]->value : kMissing;
}

const Tensor& StepContext::in(std::size_t i, Layout layout) {
  if (i >= inputs_.size() || !inputs_[i] || inputs_[i]->value.kind == RunValue::Kind::kNone) {
    fail("input {} is missing", i);
  }
  if (inputs_[i]->value.kind != RunValue::Kind::kTensor) fail("input {} is a sequence, expected a tensor", i);
  return tensor_in(*inputs_[i], layout);
}

bool StepContext::is_constant(std::size_t i) const {
  if (i >= step_.inputs.size() || step_.inputs[i].slot < 0) return false;
  return frame_.program->constant_at(step_.inputs[i]);
}

std::byte* StepContext::out_over(std::size_t i, std::size_t over, DType dtype, Dims shape, Layout layout) {
  const std::uint64_t size = packed_bytes(dtype, num_elements(shape));
  HeldPtr& held = inputs_[over];
  // The frame and this context hold it, nobody else, and the gradient does not ask for it.
  const bool kept = host_.training() && step_.differentiable && names(step_.op->keep.inputs, over);
  const bool sole = !kept && step_.last[over] && held && held.use_count() == 2 &&
                    (held->value.layout == layout || kernels::same_order(shape)) &&
                    held->value.tensor.bytes.size() == size;
  if (sole) {
    kernels::Buffer buffer = kernels::Buffer::take_over(held->value.tensor.bytes);
    if (buffer) {
      Tensor t;
      t.dtype = dtype;
      t.shape = std::move(shape);
      t.bytes = buffer.bytes();
      set(i, {std::move(t), layout});
      return buffer.data();
    }
  }
  return out(i, dtype, std::move(shape), layout);
}

void StepContext::set(std::size_t i, RunValue value) {
  if (i >= outputs_.size()) return;
  outputs_[i] = std::make_shared<Held>();
  outputs_[i]->value = std::move(value);
}

void StepContext::update(std::size_t i, Tensor tensor) {
  host_.update(step_.inputs[i], frame_, std::move(tensor));
}

std::vector<RunValue> StepContext::run_body(const Graph& body, std::vector<RunValue> arguments) {
  return host_.run_body(body, frame_, std::move(arguments));
}

}  // namespace compressor::engine
