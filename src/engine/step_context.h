// step_context: what a step's operator sees while the executor runs it.
#pragma once

#include "engine/frame.h"

namespace compressor::engine {

/// What the executor does for its steps.
class Host {
 public:
  virtual ~Host() = default;
  virtual bool portable() const = 0;
  virtual bool training() const = 0;
  virtual bool batch_statistics() const = 0;
  virtual std::vector<ops::RunValue> run_body(const Graph& body, Frame& outer,
                                              std::vector<ops::RunValue> arguments) = 0;
  virtual void update(const Ref& ref, Frame& frame, Tensor tensor) = 0;
};

class StepContext final : public ops::RunContext {
 public:
  StepContext(Host& host, Frame& frame, Step& step);
  ~StepContext() override;
  StepContext(const StepContext&) = delete;
  StepContext& operator=(const StepContext&) = delete;

  const Node& node() const override { return *step_.node; }
  std::int64_t opset() const override { return step_.opset; }
  std::size_t num_inputs() const override { return step_.inputs.size(); }
  const ops::RunValue& value(std::size_t i) const override;
  const Tensor& in(std::size_t i, ops::Layout layout) override;
  bool is_constant(std::size_t i) const override;
  bool portable() const override { return host_.portable(); }
  bool training() const override { return host_.training(); }
  ops::NodeState& state() override { return step_.state; }
  const ops::Epilogue& epilogue() const override { return step_.epilogue; }
  std::byte* out_over(std::size_t i, std::size_t over, DType dtype, Dims shape, ops::Layout layout) override;
  void set(std::size_t i, ops::RunValue value) override;
  void keep(Tensor tensor) override { kept_.push_back(std::move(tensor)); }
  bool batch_statistics() const override { return host_.batch_statistics(); }
  void update(std::size_t i, Tensor tensor) override;
  std::vector<ops::RunValue> run_body(const Graph& body, std::vector<ops::RunValue> arguments) override;

  std::vector<HeldPtr>& outputs() { return outputs_; }
  std::vector<Tensor>& kept() { return kept_; }
  HeldPtr held(std::size_t i) const { return inputs_[i]; }

 private:
  Host& host_;
  Frame& frame_;
  Step& step_;
  std::vector<HeldPtr> inputs_;  ///< null where missing
  std::vector<HeldPtr> outputs_;
  std::vector<Tensor> kept_;
};

}  // namespace compressor::engine
