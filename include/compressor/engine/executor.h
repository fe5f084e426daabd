// executor: runs a model, forward and, where asked for, backward.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "compressor/graph/model.h"
#include "compressor/ops/run.h"

namespace compressor {

struct ExecutorOptions {
  /// Work behind a convolution or product (normalisation, sum, activation) is done in the same breath. Never
  /// while training.
  bool fuse = true;
  /// Every operator's portable kernel, whatever it costs: the judge of the fast ones.
  bool portable = false;
  /// Values to hand to the tap as soon as they are computed, those in bodies each time.
  std::vector<const Value*> taps = {};

  /// Keep what backward() needs.
  bool training = false;
  /// BatchNormalization normalises by the batch and moves its running statistics, whatever its node says.
  bool batch_statistics = false;
  /// Initializers (float32) of the main graph that parameter() may change between runs.
  std::vector<const Value*> parameters = {};
  /// Values of the main graph whose gradients backward() gives, besides those of all parameters.
  std::vector<const Value*> gradients_of = {};
  /// Gradient checkpointing: the forward pass keeps only what crosses the borders of this many stretches of
  /// nodes, and backward() runs each stretch again; 0 or 1 keeps everything. Chen et al. 2016, 1604.06174.
  int stretches = 0;
};

/// A model made ready to run. It reads the model, which must outlive it and not change. Shapes may change
/// from run to run; what was prepared for one is kept. Not for use from two threads at a time: it is threaded
/// inside. The outputs of a run without training are the same bits at any number of threads.
class Executor {
 public:
  /// Throws Error::model for what cannot be run: an operator that is not known, nodes out of order.
  explicit Executor(const Model& model, ExecutorOptions options = {});
  ~Executor();
  Executor(Executor&&) noexcept;
  Executor& operator=(Executor&&) = delete;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// What a run is given, by the names of inputs.
  struct Feeds : std::map<std::string, ops::RunValue, std::less<>> {
    using map::map;
    /// State: input -> the output that is its value in the next run. An input of it that is fed as well
    /// begins there; one that is not takes what the output was in the run before.
    std::map<std::string, std::string, std::less<>> carried = {};
  };
  /// The graph's outputs, in its order and in plain layout. Throws Error::usage for a feed that is missing,
  /// unknown, or of another type or shape than declared, for state that has no first value; Error::model
  /// naming the node for what goes wrong inside.
  std::vector<ops::RunValue> run(const Feeds& feeds);

  using Tap = std::function<void(const Value& value, const ops::RunValue& held)>;
  /// Who is called with the tapped values of the runs to come, in the order in which they lie (ops::plain()
  /// gives them in the shape's order).
  void set_tap(Tap tap);

  using Gradients = std::map<const Value*, Tensor>;
  /// Given dL/dv of some float32 values v of the main graph (plain layout), dL/dp for every parameter and
  /// value that was asked for, plain; zeros where nothing depends on it. Once for each run. Throws
  /// Error::model where an operator in between has no gradient.
  Gradients backward(const Gradients& seeds);

  /// The parameter's numbers, to be read and written between runs. Stable as long as the executor lives.
  std::span<float> parameter(const Value& value);

  /// Seconds by node of the main graph since the last call, for profiles; fused nodes count for the first of
  /// them.
  std::map<const Node*, double> take_timing();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace compressor
