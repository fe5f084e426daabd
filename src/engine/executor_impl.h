// executor_impl: what the executor's forward and backward halves share.
#pragma once

#include "compressor/engine/executor.h"
#include "engine/slices.h"
#include "engine/step_context.h"

namespace compressor {

/// What backward() reads of one step that ran.
struct TapeEntry {
  struct Seen {
    Dims shape;
    DType dtype = DType::kUndefined;
    ops::Layout layout = ops::Layout::kPlain;
    engine::HeldPtr held;  ///< where the operator keeps it
  };
  engine::Step* step = nullptr;
  std::vector<Seen> inputs, outputs;
  std::vector<Tensor> kept;
};

class Executor::Impl final : public engine::Host {
 public:
  Impl(const Model& model, ExecutorOptions options);

  std::vector<ops::RunValue> run(const Feeds& feeds);
  /// The same with state from the run before, which is kept for the next one.
  std::vector<ops::RunValue> run_carrying(const Feeds& feeds);
  Gradients backward(const Gradients& seeds);
  std::span<float> parameter(const Value& value);
  std::map<const Node*, double> take_timing();
  void set_tap(Tap tap) { tap_ = std::move(tap); }

  bool portable() const override { return options_.portable; }
  bool training() const override { return recording_; }
  bool batch_statistics() const override { return options_.batch_statistics; }
  std::vector<ops::RunValue> run_body(const Graph& body, engine::Frame& outer,
                                      std::vector<ops::RunValue> arguments) override;
  void update(const engine::Ref& ref, engine::Frame& frame, Tensor tensor) override;

 private:
  /// A call of a function: its body with the call's attributes, and who runs it.
  struct Call {
    Call(const Model& outer, const engine::Step& step, const ExecutorOptions& options);
    Model model;
    Executor executor;
  };

  void bind_inputs(engine::Frame& frame, const Feeds& feeds);
  void check_feed(const Value& value, const ops::RunValue& feed) const;
  void run_steps(engine::Frame& frame, std::size_t begin, std::size_t end);
  /// The first steps, a few samples at a time where the batch is large; how many steps were run.
  std::size_t run_slices(engine::Frame& frame);
  void run_step(engine::Frame& frame, engine::Step& step);
  void run_operator(engine::Frame& frame, engine::Step& step);
  void run_parts(engine::Frame& frame, engine::Step& step);
  void run_function(engine::Frame& frame, engine::Step& step);
  bool compute(engine::StepContext& context, engine::Step& step);
  /// Moves the outputs to their slots.
  void store(engine::Frame& frame, engine::Step& step, std::span<engine::HeldPtr> outputs);
  void record(engine::Frame& frame, engine::Step& step, engine::StepContext& context);
  std::vector<ops::RunValue> collect(engine::Frame& frame);
  void report(const Value& value, engine::Held& held);

  using Grads = std::map<int, ops::RunValue>;  ///< by slot
  void unwind(Grads& grads);
  void accumulate(Grads& grads, int slot, ops::RunValue grad);
  std::size_t stretch_begin(std::size_t stretch) const;
  std::size_t stretches() const;

  const Model& model_;
  ExecutorOptions options_;
  engine::Wishes wishes_;
  FactsMap facts_;
  std::unique_ptr<engine::Program> main_;
  engine::Slices slices_;
  std::map<const Graph*, std::unique_ptr<engine::Program>> bodies_;
  std::map<const Node*, std::unique_ptr<Call>> calls_;
  std::map<const Value*, kernels::Buffer> parameters_;
  Tap tap_;
  std::map<std::string, ops::RunValue, std::less<>> state_;  ///< by output: what it was in the run before
  bool recording_ = false;                                   ///< steps go on the tape
  bool again_ = false;  ///< a stretch is run a second time: running statistics have moved already
  std::vector<TapeEntry> tape_;
  std::vector<std::vector<engine::HeldPtr>> borders_;  ///< by stretch but the last: what was alive before it
  std::map<const engine::Step*, std::vector<engine::HeldPtr>> drawn_;  ///< random numbers of those stretches
  std::map<int, Dims> shapes_;  ///< of what gradients are asked for, by slot
};

}  // namespace compressor
