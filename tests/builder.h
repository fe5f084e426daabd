// builder: a compact way to write a model in a test; weights are normal numbers from a seed.
//
//   Net net;
//   V x = net.input("x", {1, 3, 8, 8});
//   x = net.relu(net.bn(net.conv(x, 3, 8), 8));
//   net.output(net.linear(net.gap(x), 8, 5));
//   Model model = net.done();
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "compressor/base/random.h"
#include "compressor/graph/model.h"

namespace compressor::build {

using V = const Value*;
using Ints = std::vector<std::int64_t>;

/// An attribute that can be copied into a braced list.
struct Setting {
  std::string name;
  std::variant<std::int64_t, float, std::string, Ints, Tensor> value;
};
using Settings = std::vector<Setting>;

inline Setting attr(const std::string& name, std::int64_t value) {
  return {name, value};
}
inline Setting attr(const std::string& name, Ints values) {
  return {name, std::move(values)};
}
inline Setting attr(const std::string& name, const char* value) {
  return {name, std::string(value)};
}
inline Setting attr(const std::string& name, float value) {
  return {name, value};
}
inline Setting attr(const std::string& name, Tensor value) {
  return {name, std::move(value)};
}

/// Settings of a convolution; padding keeps the size at stride 1 unless given.
struct ConvSpec {
  std::int64_t kernel = 3, stride = 1, group = 1;
  bool bias = false;
  std::int64_t pad = -1;
  std::int64_t dims = 2;  ///< spatial axes
};

/// Adds nodes and constants to a graph that somebody else holds: the main one, or a body of If, Loop or Scan.
class Builder {
 public:
  Builder(Graph& graph, std::int64_t opset, Random& random, int& count)
      : graph_(graph), opset_(opset), random_(random), count_(count) {}
  Graph& graph() { return graph_; }
  std::int64_t opset() const { return opset_; }

  // Constants.
  V constant(Tensor tensor) { return graph_.add_initializer(fresh("c"), std::move(tensor)); }
  V weight(const Dims& dims, double scale = 0.3, double shift = 0) {
    std::vector<float> values(num_elements(dims));
    for (float& v : values) v = static_cast<float>(shift + random_.normal() * scale);
    return graph_.add_initializer(fresh("w"), Tensor::of(dims, std::span<const float>(values)));
  }
  /// Numbers in [low, low + 1).
  V positive(const Dims& dims, double low = 0.5) {
    std::vector<float> values(num_elements(dims));
    for (float& v : values) v = static_cast<float>(low + random_.uniform());
    return graph_.add_initializer(fresh("w"), Tensor::of(dims, std::span<const float>(values)));
  }
  V ints(const Ints& values) {
    return constant(Tensor::of({static_cast<std::int64_t>(values.size())}, std::span(values)));
  }
  V integer(std::int64_t value) { return constant(Tensor::scalar(value)); }
  V number(float value) { return constant(Tensor::scalar(value)); }
  /// The same tensor as the value of a Constant node.
  V constant_node(V initializer) { return op("Constant", {}, {attr("value", *initializer->initializer())}); }

  // Nodes.
  std::vector<V> ops(const std::string& type, std::vector<V> inputs, std::size_t outputs,
                     const Settings& settings = {}) {
    NodeSpec spec;
    spec.op = type;
    spec.name = fresh(type);
    spec.inputs = std::move(inputs);
    for (std::size_t i = 0; i < outputs; ++i) spec.outputs.push_back(spec.name + "." + std::to_string(i));
    for (const Setting& s : settings) {
      std::visit([&](const auto& value) { spec.attributes.emplace_back(s.name, value); }, s.value);
    }
    const Node& node = graph_.add_node(std::move(spec));
    return {node.outputs().begin(), node.outputs().end()};
  }
  V op(const std::string& type, std::vector<V> inputs, const Settings& settings = {}) {
    return ops(type, std::move(inputs), 1, settings)[0];
  }

  V conv_with(V x, V w, V b, const ConvSpec& s = {}) {
    const auto n = static_cast<std::size_t>(s.dims);
    const std::int64_t pad = s.pad < 0 ? s.kernel / 2 : s.pad;
    std::vector<V> inputs{x, w};
    if (b) inputs.push_back(b);
    return op("Conv", std::move(inputs),
              {attr("kernel_shape", Ints(n, s.kernel)), attr("pads", Ints(2 * n, pad)),
               attr("strides", Ints(n, s.stride)), attr("group", s.group)});
  }
  V conv(V x, std::int64_t in, std::int64_t out, const ConvSpec& s = {}) {
    Dims dims{out, in / s.group};
    dims.insert(dims.end(), static_cast<std::size_t>(s.dims), s.kernel);
    return conv_with(x, weight(dims), s.bias ? weight({out}) : nullptr, s);
  }
  V conv1x1(V x, std::int64_t in, std::int64_t out) { return conv(x, in, out, {.kernel = 1, .bias = true}); }
  /// Doubles the size.
  V conv_transpose(V x, std::int64_t in, std::int64_t out, std::int64_t group = 1) {
    return op("ConvTranspose", {x, weight({in, out / group, 2, 2}), weight({out})},
              {attr("kernel_shape", Ints{2, 2}), attr("strides", Ints{2, 2}), attr("group", group)});
  }
  V bn(V x, std::int64_t n) {
    return op("BatchNormalization", {x, positive({n}), weight({n}), weight({n}), positive({n})});
  }
  V cbr(V x, std::int64_t in, std::int64_t out, const ConvSpec& s = {}) {
    return relu(bn(conv(x, in, out, s), out));
  }
  /// x [N, in] -> Gemm -> [N, out]
  V linear(V x, std::int64_t in, std::int64_t out) {
    return op("Gemm", {x, weight({out, in}), weight({out})}, {attr("transB", std::int64_t{1})});
  }
  /// x [.., in] -> MatMul, Add -> [.., out]
  V dense(V x, std::int64_t in, std::int64_t out) {
    return add(op("MatMul", {x, weight({in, out})}), weight({out}));
  }
  V relu(V x) { return op("Relu", {x}); }
  V sigmoid(V x) { return op("Sigmoid", {x}); }
  V add(V a, V b) { return op("Add", {a, b}); }
  V mul(V a, V b) { return op("Mul", {a, b}); }
  V matmul(V a, V b) { return op("MatMul", {a, b}); }
  V concat(std::vector<V> parts, std::int64_t axis = 1) {
    return op("Concat", std::move(parts), {attr("axis", axis)});
  }
  std::vector<V> split(V x, const Ints& sizes, std::int64_t axis = 1) {
    if (opset_ < 13) return ops("Split", {x}, sizes.size(), {attr("axis", axis), attr("split", sizes)});
    return ops("Split", {x, ints(sizes)}, sizes.size(), {attr("axis", axis)});
  }
  V slice(V x, std::int64_t from, std::int64_t to, std::int64_t axis, std::int64_t step = 1) {
    return op("Slice", {x, ints({from}), ints({to}), ints({axis}), ints({step})});
  }
  V reshape(V x, const Ints& target) { return op("Reshape", {x, ints(target)}); }
  V transpose(V x, const Ints& perm) { return op("Transpose", {x}, {attr("perm", perm)}); }
  V unsqueeze(V x, const Ints& axes) {
    if (opset_ < 13) return op("Unsqueeze", {x}, {attr("axes", axes)});
    return op("Unsqueeze", {x, ints(axes)});
  }
  V squeeze(V x, const Ints& axes) {
    if (opset_ < 13) return op("Squeeze", {x}, {attr("axes", axes)});
    return op("Squeeze", {x, ints(axes)});
  }
  V gather(V x, V indices, std::int64_t axis) { return op("Gather", {x, indices}, {attr("axis", axis)}); }
  V softmax(V x, std::int64_t axis = -1) { return op("Softmax", {x}, {attr("axis", axis)}); }
  V layer_norm(V x, std::int64_t n) {
    return op("LayerNormalization", {x, positive({n}), weight({n})}, {attr("axis", std::int64_t{-1})});
  }
  /// [N, C, ..] -> [N, C]
  V gap(V x) { return op("Flatten", {op("GlobalAveragePool", {x})}); }
  /// Scales of Resize for a picture twice as high and wide.
  V twice() { return constant(Tensor::of({4}, std::span<const float>(kTwice))); }
  V resize2(V x) {
    return op("Resize", {x, nullptr, twice()},
              {attr("mode", "nearest"), attr("coordinate_transformation_mode", "asymmetric"),
               attr("nearest_mode", "floor")});
  }

  /// Gives the node that makes `output` a body; `fill(Builder&)` adds its inputs, nodes and outputs, and may
  /// read values of the graph around.
  template <class Fill>
  void body(V output, const std::string& name, Fill&& fill) {
    const Node& node = *output->producer();
    auto inner = std::make_unique<Graph>(node);
    inner->set_name(name);
    Builder builder(*inner, opset_, random_, count_);
    fill(builder);
    graph_.set_attribute(node, {name, std::move(inner)});
  }

 private:
  std::string fresh(const std::string& stem) { return stem + std::to_string(++count_); }

  static constexpr float kTwice[] = {1, 1, 2, 2};
  Graph& graph_;
  std::int64_t opset_;
  Random& random_;
  int& count_;
};

/// What a Net holds; a base of its own, so that it is there before the Builder.
struct NetState {
  explicit NetState(std::uint64_t seed) : random(seed) {}
  Model model;
  Random random;
  int count = 0;
};

/// A whole model.
class Net : private NetState, public Builder {
 public:
  explicit Net(std::int64_t opset = 17, std::uint64_t seed = 7)
      : NetState(seed), Builder(*model.graph, opset, random, count) {
    model.ir_version = opset >= 21 ? 10 : 8;
    model.opsets.push_back({.domain = "", .version = opset});
    model.graph->set_name("net");
  }

  V input(const std::string& name, const Dims& dims, DType type = DType::kFloat) {
    return graph().add_input(name, Type::tensor(type, dims));
  }
  /// The first axis has a name instead of a length.
  V batch_input(const std::string& name, Dims dims, DType type = DType::kFloat) {
    Type t = Type::tensor(type, dims);
    t.dims[0].value = -1;
    t.dims[0].param = "batch";
    return graph().add_input(name, std::move(t));
  }
  /// Declared without a shape, which every runtime accepts.
  void output(V value, DType type = DType::kFloat) {
    Type t;
    t.kind = Type::Kind::kTensor;
    t.dtype = type;
    graph().set_type(*value, std::move(t));
    graph().add_output(*value);
  }
  Model done() { return std::move(model); }
};

}  // namespace compressor::build
