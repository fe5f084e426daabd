// gate: activation functions by name, over arrays.
#include "ops/gate.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "compressor/kernels/activation.h"

namespace compressor::ops {
namespace {

struct Entry {
  const char* name = "";
  Gate gate;
  int parameters = 0;
};

constexpr Entry kGates[] = {
    {"relu", {Gate::Kind::kRelu, 0, 0}, 0},
    {"tanh", {Gate::Kind::kTanh, 0, 0}, 0},
    {"sigmoid", {Gate::Kind::kSigmoid, 0, 0}, 0},
    {"affine", {Gate::Kind::kAffine, 1, 0}, 2},
    {"leakyrelu", {Gate::Kind::kLeakyRelu, 0.01F, 0}, 1},
    {"thresholdedrelu", {Gate::Kind::kThresholdedRelu, 1, 0}, 1},
    {"scaledtanh", {Gate::Kind::kScaledTanh, 1, 1}, 2},
    {"hardsigmoid", {Gate::Kind::kHardSigmoid, 0.2F, 0.5F}, 2},
    {"elu", {Gate::Kind::kElu, 1, 0}, 1},
    {"softsign", {Gate::Kind::kSoftsign, 0, 0}, 0},
    {"softplus", {Gate::Kind::kSoftplus, 0, 0}, 0},
    {"clip", {Gate::Kind::kClip, -3.4028235e38F, 3.4028235e38F}, 2},
};

template <class T, class Fn>
void each(T* x, std::int64_t n, Fn&& fn) {
  for (std::int64_t i = 0; i < n; ++i) x[i] = fn(x[i]);
}

template <class T>
void apply_gate(const Gate& gate, T* x, std::int64_t n) {
  const T a = gate.alpha;
  const T b = gate.beta;
  switch (gate.kind) {
    case Gate::Kind::kRelu:
      return each(x, n, [](T v) { return v > 0 ? v : T{}; });
    case Gate::Kind::kTanh:
      return each(x, n, [](T v) { return std::tanh(v); });
    case Gate::Kind::kSigmoid:
      return each(x, n, [](T v) { return 1 / (1 + std::exp(-v)); });
    case Gate::Kind::kAffine:
      return each(x, n, [a, b](T v) { return a * v + b; });
    case Gate::Kind::kLeakyRelu:
      return each(x, n, [a](T v) { return v >= 0 ? v : a * v; });
    case Gate::Kind::kThresholdedRelu:
      return each(x, n, [a](T v) { return v > a ? v : T{}; });
    case Gate::Kind::kScaledTanh:
      return each(x, n, [a, b](T v) { return a * std::tanh(b * v); });
    case Gate::Kind::kHardSigmoid:
      return each(x, n, [a, b](T v) { return std::clamp<T>(a * v + b, 0, 1); });
    case Gate::Kind::kElu:
      return each(x, n, [a](T v) { return v >= 0 ? v : a * std::expm1(v); });
    case Gate::Kind::kSoftsign:
      return each(x, n, [](T v) { return v / (1 + std::fabs(v)); });
    case Gate::Kind::kSoftplus:
      return each(x, n, [](T v) { return v > 0 ? v + std::log1p(std::exp(-v)) : std::log1p(std::exp(v)); });
    case Gate::Kind::kClip:
      return each(x, n, [a, b](T v) { return std::min(std::max(v, a), b); });
  }
}

float slope_at(const Gate& gate, float x) {
  const float a = gate.alpha;
  const float b = gate.beta;
  const auto square = [](float v) { return v * v; };
  switch (gate.kind) {
    case Gate::Kind::kRelu:
      return x > 0 ? 1.0F : 0.0F;
    case Gate::Kind::kTanh:
      return 1 - square(std::tanh(x));
    case Gate::Kind::kSigmoid: {
      const float y = 1 / (1 + std::exp(-x));
      return y * (1 - y);
    }
    case Gate::Kind::kAffine:
      return a;
    case Gate::Kind::kLeakyRelu:
      return x >= 0 ? 1 : a;
    case Gate::Kind::kThresholdedRelu:
      return x > a ? 1.0F : 0.0F;
    case Gate::Kind::kScaledTanh:
      return a * b * (1 - square(std::tanh(b * x)));
    case Gate::Kind::kHardSigmoid:
      return a * x + b > 0 && a * x + b < 1 ? a : 0;
    case Gate::Kind::kElu:
      return x >= 0 ? 1 : a * std::exp(x);
    case Gate::Kind::kSoftsign:
      return 1 / square(1 + std::fabs(x));
    case Gate::Kind::kSoftplus:
      return 1 / (1 + std::exp(-x));
    case Gate::Kind::kClip:
      return x >= a && x <= b ? 1.0F : 0.0F;
  }
  return 0;
}

}  // namespace

std::optional<Gate> Gate::named(const std::string& name) {
  std::string lower = name;
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const Entry& entry : kGates) {
    if (lower == entry.name) return entry.gate;
  }
  return std::nullopt;
}

int Gate::parameters() const {
  return std::find_if(std::begin(kGates), std::end(kGates),
                      [this](const Entry& entry) { return entry.gate.kind == kind; })
      ->parameters;
}

void Gate::apply(float* x, std::int64_t n) const {
  using Known = kernels::Activation::Kind;
  if (kind == Kind::kTanh) return kernels::activate({Known::kTanh}, x, x, n);
  if (kind == Kind::kSigmoid) return kernels::activate({Known::kSigmoid}, x, x, n);
  apply_gate(*this, x, n);
}

void Gate::apply(double* x, std::int64_t n) const {
  apply_gate(*this, x, n);
}

void Gate::slopes(const float* x, float* to, std::int64_t n) const {
  for (std::int64_t i = 0; i < n; ++i) to[i] = slope_at(*this, x[i]);
}

}  // namespace compressor::ops
