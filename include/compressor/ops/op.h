// op: all there is to say of an operator, and the table of all operators.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compressor/base/error.h"
#include "compressor/graph/model.h"
#include "compressor/ops/facts.h"
#include "compressor/ops/fail.h"

namespace compressor::ops {

/// What a shape rule sees and sets. Missing inputs are null or absent.
class InferContext {
 public:
  /// Infers a body given facts for its inputs; returns the facts of its outputs.
  using BodyFn = std::function<std::vector<Facts>(const Graph&, const std::vector<Facts>&)>;
  InferContext(const Node& node, std::int64_t opset, std::vector<const Facts*> inputs, BodyFn body);

  const Node& node() const { return node_; }
  /// Imported version of the node's domain.
  std::int64_t opset() const { return opset_; }
  std::size_t num_inputs() const { return inputs_.size(); }
  std::size_t num_outputs() const { return outputs_.size(); }
  bool has(std::size_t i) const { return i < inputs_.size() && inputs_[i] != nullptr; }
  /// Throws Error::model when input i is missing.
  const Facts& in(std::size_t i) const;
  /// The constant at input i; null when it is missing or not constant.
  const Tensor* constant(std::size_t i) const;
  /// The integers at input i when all of them are known.
  std::optional<std::vector<std::int64_t>> ints(std::size_t i) const;
  /// The integers at input i, some of them perhaps symbols or unknown; null when nothing is known, not even
  /// how many.
  const SymDims* contents(std::size_t i) const;
  /// `axes`-like settings that moved from attribute to input: input i if present, attribute otherwise, else
  /// nullopt. nullopt is also returned when the input is there but not constant; has(i) tells the two apart.
  std::optional<std::vector<std::int64_t>> ints_or_attribute(std::size_t i, std::string_view name) const;

  bool wants(std::size_t i) const { return node_.output(i) != nullptr; }
  void set(std::size_t i, DType dtype, SymDims dims);
  void set(std::size_t i, Facts facts);
  /// Type known, rank not.
  void set_unranked(std::size_t i, DType dtype);
  /// Contents of output i: as many as its dims' product.
  void set_contents(std::size_t i, SymDims contents);
  std::vector<Facts>& outputs() { return outputs_; }
  std::vector<Facts> infer_body(const Graph& body, const std::vector<Facts>& inputs) {
    return body_(body, inputs);
  }

  /// Throws Error::model "node 'x' (Op): ...".
  template <class... A>
  [[noreturn]] void fail(fmt::format_string<A...> text, A&&... args) const {
    fail_at(node_, text, std::forward<A>(args)...);
  }

 private:
  const Node& node_;
  std::int64_t opset_;
  std::vector<const Facts*> inputs_;
  std::vector<Facts> outputs_;
  BodyFn body_;
};

/// Arithmetic of one node for the given shapes. FLOPs of Conv and Gemm/MatMul follow the survey:
/// convolution 2 H W (C_in/g K_h K_w + 1) C_out, fully connected (2 I - 1) O; other operators count one per
/// elementary operation. MACs are multiply-accumulate pairs of convolutions, products and recurrences only.
struct Cost {
  double macs = 0;
  double flops = 0;
};

/// What a cost rule sees: shapes as numbers, symbols taken as 1.
class CostContext {
 public:
  CostContext(const Node& node, std::int64_t opset, std::vector<const Facts*> inputs,
              std::vector<const Facts*> outputs)
      : node_(node), opset_(opset), inputs_(std::move(inputs)), outputs_(std::move(outputs)) {}
  const Node& node() const { return node_; }
  std::int64_t opset() const { return opset_; }
  bool has(std::size_t i) const { return i < inputs_.size() && inputs_[i] != nullptr; }
  /// False when a shape that the rule asked for is unknown; the cost is then not counted and reported as
  /// such.
  bool ok() const { return ok_; }
  /// Dimensions of input or output i, symbols as 1; empty and ok() == false when not known.
  std::vector<double> in(std::size_t i) const { return dims(inputs_, i); }
  std::vector<double> out(std::size_t i) const { return dims(outputs_, i); }
  double in_size(std::size_t i) const { return size(in(i)); }
  double out_size(std::size_t i) const { return size(out(i)); }

 private:
  std::vector<double> dims(const std::vector<const Facts*>& list, std::size_t i) const;
  static double size(const std::vector<double>& dims);
  const Node& node_;
  std::int64_t opset_;
  std::vector<const Facts*> inputs_, outputs_;
  mutable bool ok_ = true;
};

/// What a portable kernel sees: constants in, constants out.
class ComputeContext {
 public:
  ComputeContext(const Node& node, std::int64_t opset, std::vector<const Tensor*> inputs);
  const Node& node() const { return node_; }
  std::int64_t opset() const { return opset_; }
  std::size_t num_inputs() const { return inputs_.size(); }
  bool has(std::size_t i) const { return i < inputs_.size() && inputs_[i] != nullptr; }
  /// Throws Error::model when input i is missing.
  const Tensor& in(std::size_t i) const;
  /// As InferContext's: input i if present, the attribute otherwise.
  std::optional<std::vector<std::int64_t>> ints_or_attribute(std::size_t i, std::string_view name) const;
  void set(std::size_t i, Tensor tensor);
  std::vector<std::optional<Tensor>>& outputs() { return outputs_; }
  template <class... A>
  [[noreturn]] void fail(fmt::format_string<A...> text, A&&... args) const {
    fail_at(node_, text, std::forward<A>(args)...);
  }

 private:
  const Node& node_;
  std::int64_t opset_;
  std::vector<const Tensor*> inputs_;
  std::vector<std::optional<Tensor>> outputs_;
};

class ChannelContext;  // compressor/ops/channels.h
class ShrinkContext;
class RunContext;  // compressor/ops/run.h
class GradientContext;

/// What the gradient reads of the forward pass: bit i is input i or output i. The rest is freed.
struct Keep {
  std::uint32_t inputs = 0;
  std::uint32_t outputs = 0;
};
inline constexpr std::uint32_t kAll = ~std::uint32_t{0};

/// An operator. A missing rule is meaningful: no compute: is never folded; no channels: freezes every channel
/// it touches; no cost: no arithmetic.
struct Op {
  std::string type;
  std::string domain = {};  ///< "" for ai.onnx
  std::int64_t since = 1;   ///< first opset this entry speaks of
  std::int64_t until = 0;   ///< last opset; 0: no end
  std::function<void(InferContext&)> infer = {};
  std::function<Cost(const CostContext&)> cost = {};
  /// Portable, exact, for any size; may refuse a type with ctx.fail. Null for what depends on more than its
  /// inputs.
  std::function<void(ComputeContext&)> compute = {};
  std::function<void(ChannelContext&)> channels = {};
  /// After channels were removed around the node: its attributes and its constants that hold counts.
  std::function<void(ShrinkContext&)> shrink = {};
  /// Computes inside the engine: see run.h. Returns false, with nothing changed, for a case it does not take;
  /// `compute` is used then.
  std::function<bool(RunContext&)> run = {};
  /// `run` obeys the epilogue where it returns true.
  bool fuses = false;
  /// Sets the gradients of the inputs that are wanted; one that it leaves unset is zero. Null: not
  /// differentiable through.
  std::function<void(GradientContext&)> gradient = {};
  Keep keep = {};
};

class OpTable {
 public:
  /// Throws an internal Error when an entry for the same type, domain and an overlapping opset range is
  /// there.
  void add(Op op);
  /// Null when the table does not know the operator.
  const Op* find(std::string_view domain, std::string_view type, std::int64_t opset) const;
  const std::vector<Op>& all() const { return ops_; }

 private:
  std::vector<Op> ops_;
  std::unordered_map<std::string, std::vector<std::size_t>> by_name_;
};

/// All operators that this program knows.
const OpTable& op_table();
/// The entry for a node of `model`; null when unknown, or when the node calls a function of the model.
const Op* find_op(const Model& model, const Node& node);
/// Version of the node's domain that the model imports; functions' bodies may import others.
std::int64_t opset_of(const Model& model, const Node& node);

/// numpy-style broadcast of two shapes; throws via ctx.fail when they do not fit.
SymDims broadcast(const InferContext& ctx, const SymDims& a, const SymDims& b);
/// Axis in [0, rank); throws via ctx.fail.
std::int64_t normalize_axis(const InferContext& ctx, std::int64_t axis, std::int64_t rank);

}  // namespace compressor::ops
