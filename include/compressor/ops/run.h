// run: how an operator computes inside the engine, forward and backward: its values, its memory, its state.
//
// An operator may have, besides its portable `compute` (constants in, constants out, any type), a `run` rule
// for what the engine meets most: it is told in which order its inputs lie, asks for the order it wants,
// takes memory from the engine's heap, and keeps a state (packed weights, a prepared primitive) from run to
// run. A run rule that does not take a case returns false before it changes anything, and `compute` is used.
#pragma once

#include <functional>
#include <memory>
#include <typeindex>
#include <vector>

#include "compressor/kernels/activation.h"
#include "compressor/kernels/layout.h"
#include "compressor/kernels/memory.h"
#include "compressor/ops/fail.h"
#include "compressor/ops/op.h"

namespace compressor::ops {

using kernels::Activation;
using kernels::Layout;

/// A value while a graph runs.
struct RunValue {
  enum class Kind : std::uint8_t { kNone, kTensor, kSequence };
  Kind kind = Kind::kNone;  ///< kNone: missing, or an optional that holds nothing
  /// Its shape is the graph's; its elements lie in `layout`.
  Tensor tensor;
  Layout layout = Layout::kPlain;
  std::shared_ptr<const std::vector<RunValue>> elements;  ///< of a sequence

  RunValue() = default;
  RunValue(Tensor t, Layout order = Layout::kPlain)  // NOLINT(google-explicit-constructor)
      : kind(Kind::kTensor), tensor(std::move(t)), layout(order) {}
  static RunValue sequence(std::vector<RunValue> elements);
};

/// The tensor of a value in the order of its shape; elements are only moved where they lie otherwise.
Tensor plain(const RunValue& value);

/// What the engine wants done in the same breath: y = activation(op(...) + add). Only given to operators
/// whose entry says `fuses`.
struct Epilogue {
  std::size_t add = 0;  ///< which of the inputs, past the node's own, is added; 0: none
  Activation activation;
  bool empty() const { return add == 0 && activation.kind == Activation::Kind::kNone; }
};

/// Where an operator keeps what it prepared, from run to run of one node in one executor.
class NodeState {
 public:
  /// The state of type S, made on first use.
  template <class S>
  S& get() {
    if (!state_ || type_ != std::type_index(typeid(S))) {
      state_ = std::make_shared<S>();
      type_ = std::type_index(typeid(S));
    }
    return *static_cast<S*>(state_.get());
  }

 private:
  std::shared_ptr<void> state_;
  std::type_index type_ = std::type_index(typeid(void));
};

/// What `run` sees. The engine implements it.
class RunContext {
 public:
  virtual ~RunContext() = default;
  virtual const Node& node() const = 0;
  virtual std::int64_t opset() const = 0;
  /// The node's own and, last, what the epilogue adds.
  virtual std::size_t num_inputs() const = 0;
  bool has(std::size_t i) const { return i < num_inputs() && value(i).kind != RunValue::Kind::kNone; }
  /// Input i as it lies; its memory may be unaligned where it is a constant of a file.
  virtual const RunValue& value(std::size_t i) const = 0;
  /// Tensor i in the order asked for: reordered (once for all readers) where it lies otherwise, and aligned.
  /// Throws Error::model when it is missing or no tensor.
  virtual const Tensor& in(std::size_t i, Layout layout = Layout::kPlain) = 0;
  /// The same as floats; CHECKs the type.
  const float* floats(std::size_t i, Layout layout = Layout::kPlain);
  DType dtype(std::size_t i) const { return value(i).tensor.dtype; }
  const Dims& shape(std::size_t i) const { return value(i).tensor.shape; }
  Layout layout(std::size_t i) const { return value(i).layout; }
  /// The same bytes on every run: what is derived from it may be kept in the state.
  virtual bool is_constant(std::size_t i) const = 0;
  /// Portable kernels only, for tests and other processors.
  virtual bool portable() const = 0;
  /// Gradients will be asked for: what they need beyond inputs and outputs goes to keep().
  virtual bool training() const = 0;
  virtual NodeState& state() = 0;
  virtual const Epilogue& epilogue() const = 0;

  bool wants(std::size_t i) const { return node().output(i) != nullptr; }
  /// Memory for output i, not initialised.
  std::byte* out(std::size_t i, DType dtype, Dims shape, Layout layout = Layout::kPlain);
  float* out_floats(std::size_t i, Dims shape, Layout layout = Layout::kPlain);
  /// The same, in the memory of input `over` where nobody reads that any more, its order is `layout` and its
  /// size is right. Ask for the inputs' addresses first: they stay what they are.
  virtual std::byte* out_over(std::size_t i, std::size_t over, DType dtype, Dims shape, Layout layout) = 0;
  virtual void set(std::size_t i, RunValue value) = 0;
  /// For the gradient of this node: read there with kept(0), kept(1), ...
  virtual void keep(Tensor tensor) = 0;
  /// BatchNormalization is to normalise by the batch and to move its running statistics, whatever the node
  /// says.
  virtual bool batch_statistics() const = 0;
  /// A new value for input i, a parameter of the executor, from the next run on.
  virtual void update(std::size_t i, Tensor tensor) = 0;
  /// Runs a body of this node.
  virtual std::vector<RunValue> run_body(const Graph& body, std::vector<RunValue> arguments) = 0;

  std::optional<std::vector<std::int64_t>> ints_or_attribute(std::size_t i, std::string_view name);
  template <class... A>
  [[noreturn]] void fail(fmt::format_string<A...> text, A&&... args) const {
    fail_at(node(), text, std::forward<A>(args)...);
  }
};

/// What `gradient` sees: dL/d(outputs), what the forward pass kept; it sets dL/d(inputs). fp32 throughout.
class GradientContext {
 public:
  virtual ~GradientContext() = default;
  virtual const Node& node() const = 0;
  virtual std::int64_t opset() const = 0;
  virtual std::size_t num_inputs() const = 0;
  virtual bool has(std::size_t i) const = 0;
  /// Known of every input and output, kept or not.
  virtual const Dims& in_shape(std::size_t i) const = 0;
  virtual const Dims& out_shape(std::size_t i) const = 0;
  virtual Layout in_layout(std::size_t i) const = 0;
  virtual DType in_dtype(std::size_t i) const = 0;
  /// Only what the operator's Keep names; CHECKs it.
  virtual const Tensor& in(std::size_t i, Layout layout = Layout::kPlain) = 0;
  virtual const Tensor& out(std::size_t i, Layout layout = Layout::kPlain) = 0;
  const float* in_floats(std::size_t i, Layout layout = Layout::kPlain);
  const float* out_floats(std::size_t i, Layout layout = Layout::kPlain);
  virtual const Tensor& kept(std::size_t k) const = 0;
  /// False where the portable kernel computed the node: it keeps nothing.
  virtual bool has_kept(std::size_t k) const = 0;
  virtual NodeState& state() = 0;
  virtual bool portable() const = 0;

  /// False: nothing depends on output i; its gradient is zero.
  virtual bool has_grad(std::size_t i) const = 0;
  /// The order in which the gradient of output i lies.
  virtual Layout grad_layout(std::size_t i) const = 0;
  virtual const Tensor& grad_tensor(std::size_t i, Layout layout = Layout::kPlain) = 0;
  const float* grad(std::size_t i, Layout layout = Layout::kPlain);
  /// Is the gradient of input i asked for?
  virtual bool wants(std::size_t i) const = 0;
  /// Memory for the gradient of input i (its shape), not initialised; all of it must be written.
  float* grad_in(std::size_t i, Layout layout = Layout::kPlain);
  /// The gradient of input i is that tensor (handles may be shared with the output's gradient).
  virtual void set(std::size_t i, RunValue value) = 0;

  std::optional<std::vector<std::int64_t>> ints_or_attribute(std::size_t i, std::string_view name);
  template <class... A>
  [[noreturn]] void fail(fmt::format_string<A...> text, A&&... args) const {
    fail_at(node(), text, std::forward<A>(args)...);
  }
};

}  // namespace compressor::ops
