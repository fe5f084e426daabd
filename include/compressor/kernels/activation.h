// activation: functions of one number that networks put behind every layer, forward and backward.
#pragma once

#include <cstdint>

namespace compressor::kernels {

/// y = f(x). Parameters a, b mean what the formula says.
struct Activation {
  enum class Kind : std::uint8_t {
    kNone,         ///< x
    kRelu,         ///< max(x, 0)
    kLeakyRelu,    ///< x < 0 ? a x : x
    kClip,         ///< min(max(x, a), b)
    kElu,          ///< x < 0 ? a (e^x - 1) : x
    kSigmoid,      ///< 1 / (1 + e^-x)
    kTanh,         ///< tanh(x)
    kHardSigmoid,  ///< min(max(a x + b, 0), 1)
    kHardSwish,    ///< x min(max(x / 6 + 1 / 2, 0), 1)
    kSilu,         ///< x / (1 + e^-a x), a = 1 where it is called SiLU
    kGelu,         ///< x (1 + erf(x / sqrt 2)) / 2
    kGeluTanh,     ///< its approximation by tanh
    kSoftplus,     ///< log(1 + e^x)
    kMish,         ///< x tanh(log(1 + e^x))
  };
  Kind kind = Kind::kNone;
  float a = 0;
  float b = 0;
  bool operator==(const Activation&) const = default;
};

/// y[i] = f(x[i]), i < n; y may be x. The same bits at any number of threads.
void activate(const Activation& f, const float* x, float* y, std::int64_t n);
/// dx[i] = f'(x[i]) dy[i]; dx may be dy. Where derivative_from_output(f), x is y = f(x) instead.
void activate_backward(const Activation& f, const float* x, const float* dy, float* dx, std::int64_t n);
/// True for the functions whose derivative is told from y = f(x) alone: relu, sigmoid, tanh.
bool derivative_from_output(const Activation& f);

/// PRelu over rows of n numbers: y = x > 0 ? x : slope x. `by_column`: one slope [n] for the columns of all
/// rows; otherwise row r has slope[r % slopes]. y may be x.
void parametric_relu(const float* x, std::int64_t rows, std::int64_t n, const float* slope, bool by_column,
                     std::int64_t slopes, float* y);

}  // namespace compressor::kernels
