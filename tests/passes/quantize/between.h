// between: tiny nets with one operator between layers that get quantized.
//
//   picture [2, 4, 6, 6] -> Conv -> OPERATOR -> Conv or MatMul
//   tokens  [2, 6, 16] -> MatMul, Add -> OPERATOR -> Conv or MatMul
//
// A new operator is one line in one of the tables.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "builder.h"

namespace compressor::quantize::between {

using build::attr;
using build::Ints;
using build::Settings;
using build::V;

/// The net around; picture() and tokens() are what a layer of its own gives, for each call another.
class Around : public build::Net {
 public:
  explicit Around(std::int64_t opset) : Net(opset, /*seed=*/11) {}

  /// [2, 8, 6, 6]
  V picture() {
    if (!picture_) picture_ = input("picture", {2, 4, 6, 6});
    return conv(picture_, 4, 8, {.bias = true});
  }
  /// [2, 6, 16]
  V tokens() {
    if (!tokens_) tokens_ = input("tokens", {2, 6, 16});
    return dense(tokens_, 16, 16);
  }
  /// [2, 8, 6, 6] in (0, 1), in [0.5, ..)
  V inside() { return sigmoid(picture()); }
  V above() { return add(op("Abs", {picture()}), number(0.5F)); }
  V microsoft(const std::string& type, const std::vector<V>& inputs, const Settings& settings = {}) {
    imported_ = true;
    NodeSpec spec{.op = type, .inputs = inputs, .outputs = {graph().fresh_name(type)}};
    spec.domain = "com.microsoft";
    for (const build::Setting& s : settings)
      std::visit([&](const auto& value) { spec.attributes.emplace_back(s.name, value); }, s.value);
    return graph().add_node(std::move(spec)).output(0);
  }
  bool imports_microsoft() const { return imported_; }

 private:
  V picture_ = nullptr, tokens_ = nullptr;
  bool imported_ = false;
};

/// The whole net: behind the operator a layer that reads it, whatever its shape and type.
Model close(Around& around, V result);

struct Between {
  std::string op;
  std::function<V(Around&)> make;
  /// dB of the outputs of static quantization, at least. Operators with steps (Round, ArgMax) turn a code
  /// into a jump.
  double least = 20;
  std::int64_t opset = 17;
};

std::vector<Between> elementwise();
std::vector<Between> moves();
std::vector<Between> layers();
/// Operators of the table that no line is for, and why: they make no numbers that layers read.
std::vector<std::pair<std::string, std::string>> left_out();

}  // namespace compressor::quantize::between
