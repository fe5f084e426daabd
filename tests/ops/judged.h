// judged: one node with constant inputs, computed by its kernel and by ONNX Runtime.
//
//   Judged add("QLinearAdd", "com.microsoft");
//   add.in(codes(..)).in(number(0.1F))...;
//   add.agrees(1);
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "compressor/base/random.h"
#include "compressor/graph/model.h"

namespace compressor::ops {

class Judged {
 public:
  using Setting = std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>,
                               std::vector<float>, std::vector<std::string>, Tensor>;
  explicit Judged(std::string op, std::string domain = "", std::int64_t opset = 17)
      : op_(std::move(op)), domain_(std::move(domain)), opset_(opset) {}
  Judged& in(Tensor tensor) {
    inputs_.emplace_back(std::move(tensor));
    return *this;
  }
  Judged& missing() {
    inputs_.emplace_back();
    return *this;
  }
  Judged& set(std::string name, Setting value) {
    settings_.emplace_back(std::move(name), std::move(value));
    return *this;
  }
  /// How many outputs there are; "" names in `only` are not asked for.
  Judged& outputs(std::vector<bool> wanted) {
    wanted_ = std::move(wanted);
    return *this;
  }

  /// What the kernel makes; also checks that the shape rule says the same shapes and types.
  std::vector<std::optional<Tensor>> compute() const;
  /// Every output is within `absolute` + `relative` * its largest magnitude of ONNX Runtime's. The caller has
  /// said REQUIRE_REFEREE.
  void agrees(double absolute, double relative = 0) const;

 private:
  Model model(std::vector<const Value*>* outputs) const;

  std::string op_, domain_;
  std::int64_t opset_;
  std::vector<std::optional<Tensor>> inputs_;
  std::vector<std::pair<std::string, Setting>> settings_;
  std::vector<bool> wanted_{true};
};

/// Random tensors: every call moves the seed on.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random_(seed) {}
  Tensor normal(const Dims& dims, double scale = 1, DType type = DType::kFloat);
  /// In [low, high].
  Tensor integers(DType type, const Dims& dims, std::int64_t low, std::int64_t high);
  /// In [0.5, 1.5) * scale.
  Tensor positive(const Dims& dims, double scale = 1, DType type = DType::kFloat);

 private:
  Random random_;
};

inline Tensor number(float value) {
  return Tensor::scalar(value);
}
/// A scalar of any type.
Tensor number(DType type, double value);

}  // namespace compressor::ops
