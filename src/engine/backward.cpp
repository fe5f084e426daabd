// backward: walks the tape of a run from its end, asks operators for gradients, and adds up what meets.
#include <cstring>

#include "compressor/base/error.h"
#include "engine/executor_impl.h"

namespace compressor {

using engine::Frame;
using engine::HeldPtr;
using engine::Step;
using ops::Layout;
using ops::RunValue;

namespace {

/// Gradients are float32 whatever their value is. Between QuantizeLinear and DequantizeLinear it is a code of
/// few bits: what operators set for one goes on as if it were a number.
bool carries_gradient(DType type) {
  return is_float(type) || (is_integer(type) && type != DType::kBool && bits(type) <= 16);
}

Tensor zeros(const Dims& shape) {
  return Tensor::of(shape, std::span<const float>(std::vector<float>(num_elements(shape))));
}

class StepGradient final : public ops::GradientContext {
 public:
  StepGradient(TapeEntry& entry, std::vector<RunValue> grads, std::vector<bool> wants, bool portable)
      : entry_(entry), wants_(std::move(wants)), portable_(portable), results(entry.inputs.size()) {
    for (RunValue& grad : grads) {
      grads_.emplace_back();
      grads_.back().value = std::move(grad);
    }
  }

  const Node& node() const override { return *entry_.step->node; }
  std::int64_t opset() const override { return entry_.step->opset; }
  std::size_t num_inputs() const override { return entry_.inputs.size(); }
  bool has(std::size_t i) const override {
    return i < entry_.inputs.size() && entry_.inputs[i].dtype != DType::kUndefined;
  }
  const Dims& in_shape(std::size_t i) const override { return entry_.inputs.at(i).shape; }
  const Dims& out_shape(std::size_t i) const override { return entry_.outputs.at(i).shape; }
  Layout in_layout(std::size_t i) const override { return entry_.inputs.at(i).layout; }
  DType in_dtype(std::size_t i) const override { return entry_.inputs.at(i).dtype; }
  const Tensor& in(std::size_t i, Layout layout) override { return read(entry_.inputs, i, layout, "input"); }
  const Tensor& out(std::size_t i, Layout layout) override {
    return read(entry_.outputs, i, layout, "output");
  }
  const Tensor& kept(std::size_t k) const override {
    CHECK(k < entry_.kept.size(), "node '{}': nothing was kept at {}", node().label(), k);
    return entry_.kept[k];
  }
  bool has_kept(std::size_t k) const override { return k < entry_.kept.size(); }
  ops::NodeState& state() override { return entry_.step->gradient_state; }
  bool portable() const override { return portable_; }
  bool has_grad(std::size_t i) const override {
    return i < grads_.size() && grads_[i].value.kind == RunValue::Kind::kTensor;
  }
  Layout grad_layout(std::size_t i) const override { return grads_.at(i).value.layout; }
  const Tensor& grad_tensor(std::size_t i, Layout layout) override {
    CHECK(has_grad(i), "node '{}': output {} has no gradient", node().label(), i);
    return engine::tensor_in(grads_[i], layout);
  }
  bool wants(std::size_t i) const override { return i < wants_.size() && wants_[i]; }
  void set(std::size_t i, RunValue value) override { results.at(i) = std::move(value); }

 private:
  const Tensor& read(std::vector<TapeEntry::Seen>& list, std::size_t i, Layout layout, const char* what) {
    CHECK(i < list.size() && list[i].held, "node '{}' ({}): {} {} was not kept", node().label(), node().op(),
          what, i);
    if (is_float(list[i].dtype) && list[i].dtype != DType::kFloat)
      ops::fail_at(node(), "{} {} is {}, and gradients go through float32 only", what, i,
                   name(list[i].dtype));
    return engine::tensor_in(*list[i].held, layout);
  }
  TapeEntry& entry_;
  std::vector<bool> wants_;
  bool portable_;
  std::vector<engine::Held> grads_;

 public:
  std::vector<RunValue> results;
};

}  // namespace

void Executor::Impl::record(Frame& frame, Step& step, engine::StepContext& context) {
  TapeEntry entry;
  entry.step = &step;
  entry.kept = std::move(context.kept());
  const ops::Keep keep = step.op->keep;
  const auto see = [](const HeldPtr& held, bool kept) {
    TapeEntry::Seen seen;
    if (!held || held->value.kind != RunValue::Kind::kTensor) return seen;
    seen.shape = held->value.tensor.shape;
    seen.dtype = held->value.tensor.dtype;
    seen.layout = held->value.layout;
    if (kept) seen.held = held;
    return seen;
  };
  for (std::size_t i = 0; i < step.inputs.size(); ++i) {
    entry.inputs.push_back(see(context.held(i), engine::names(keep.inputs, i)));
  }
  for (std::size_t i = 0; i < step.outputs.size(); ++i) {
    entry.outputs.push_back(see(context.outputs()[i], engine::names(keep.outputs, i)));
  }
  if (!frame.outer) tape_.push_back(std::move(entry));
}

std::size_t Executor::Impl::stretches() const {
  return std::max<std::size_t>(
      1,
      std::min<std::size_t>(static_cast<std::size_t>(std::max(options_.stretches, 1)), main_->steps.size()));
}

std::size_t Executor::Impl::stretch_begin(std::size_t stretch) const {
  return main_->steps.size() * stretch / stretches();
}

void Executor::Impl::accumulate(Grads& grads, int slot, RunValue grad) {
  const auto [it, first] = grads.try_emplace(slot, std::move(grad));
  if (!first) engine::add_to(it->second, std::move(grad));
}

void Executor::Impl::unwind(Grads& grads) {
  while (!tape_.empty()) {
    TapeEntry entry = std::move(tape_.back());
    tape_.pop_back();
    Step& step = *entry.step;
    std::vector<RunValue> given(step.outputs.size());
    bool any = false;
    for (std::size_t i = 0; i < step.outputs.size(); ++i) {
      const auto it = grads.find(step.outputs[i]);
      if (step.outputs[i] < 0 || it == grads.end()) continue;
      given[i] = it->second;
      if (!wishes_.gradients_of.contains(main_->values[static_cast<std::size_t>(step.outputs[i])]))
        grads.erase(it);
      any = true;
    }
    if (!any) continue;
    std::vector<bool> wants;
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      const engine::Ref& ref = step.inputs[i];
      wants.push_back(ref.slot >= 0 && ref.up == 0 &&
                      main_->wants_gradient[static_cast<std::size_t>(ref.slot)] &&
                      carries_gradient(entry.inputs[i].dtype));
    }
    if (!step.op->gradient) {
      throw Error::model("node '{}': operator '{}' has no gradient; what stands before it cannot be trained",
                         step.node->label(), step.node->op());
    }
    StepGradient context(entry, std::move(given), wants, options_.portable);
    step.op->gradient(context);
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      RunValue& grad = context.results[i];
      if (!wants[i] || grad.kind != RunValue::Kind::kTensor) continue;
      CHECK(grad.tensor.shape == entry.inputs[i].shape,
            "node '{}' ({}): gradient of input {} has shape {}, expected {}", step.node->label(),
            step.node->op(), i, to_string(grad.tensor.shape), to_string(entry.inputs[i].shape));
      accumulate(grads, step.inputs[i].slot, std::move(grad));
    }
  }
}

Executor::Gradients Executor::Impl::backward(const Gradients& seeds) {
  CHECK(options_.training, "backward() of an executor that does not train");
  Grads grads;
  for (const auto& [value, seed] : seeds) {
    const auto it = main_->slot_of.find(value);
    CHECK(it != main_->slot_of.end(), "'{}' is not a value of the main graph", value->name());
    grads[it->second] = RunValue(seed);
  }
  unwind(grads);
  again_ = true;
  for (std::size_t i = borders_.size(); i-- > 0;) {
    Frame frame;
    frame.program = main_.get();
    frame.slots = std::move(borders_[i]);
    recording_ = true;
    run_steps(frame, stretch_begin(i), stretch_begin(i + 1));
    recording_ = false;
    frame.slots.clear();
    unwind(grads);
  }
  borders_.clear();
  again_ = false;
  Gradients results;
  for (const Value* value : wishes_.gradients_of) {
    const int slot = main_->slot_of.at(value);
    const auto it = grads.find(slot);
    if (it != grads.end()) {
      results[value] = engine::reordered(it->second.tensor, it->second.layout, Layout::kPlain);
    } else if (value->initializer()) {
      results[value] = zeros(value->initializer()->shape);
    } else if (shapes_.contains(slot)) {
      results[value] = zeros(shapes_.at(slot));
    }
  }
  return results;
}

}  // namespace compressor
