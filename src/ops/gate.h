// gate: activation functions that other operators carry as attributes: recurrent gates, fused convolutions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace compressor::ops {

/// One of ONNX's recurrent activations, or Clip.
struct Gate {
  enum class Kind : std::uint8_t {
    kRelu,
    kTanh,
    kSigmoid,
    kAffine,
    kLeakyRelu,
    kThresholdedRelu,
    kScaledTanh,
    kHardSigmoid,
    kElu,
    kSoftsign,
    kSoftplus,
    kClip,
  };
  Kind kind = Kind::kTanh;
  float alpha = 0;
  float beta = 0;

  /// With the defaults of ONNX's operator of that name (letters of either case); nullopt for another name.
  static std::optional<Gate> named(const std::string& name);
  /// How many of alpha and beta the function has.
  int parameters() const;
  /// x[i] = f(x[i])
  void apply(float* x, std::int64_t n) const;
  void apply(double* x, std::int64_t n) const;
  /// to[i] = f'(x[i]); at a kink that of the side that f(x) is written for.
  void slopes(const float* x, float* to, std::int64_t n) const;
};

}  // namespace compressor::ops
