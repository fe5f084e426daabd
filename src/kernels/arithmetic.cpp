// arithmetic: one loop for each way in which two operands meet along a row.
#include "compressor/kernels/arithmetic.h"

#include "kernels/simd.h"

namespace compressor::kernels {
namespace {

template <class F>
[[gnu::always_inline]] inline void each_row(const OperandRows& s, const float* a, const float* b, float* y,
                                            F f) {
  for (std::int64_t r = 0; r < s.rows; ++r, a += s.a_row, b += s.b_row, y += s.n) {
    // In place, element i is read before it is written: the steps do not depend on each other.
    if (s.a == 1 && s.b == 1) {
      COMPRESSOR_INDEPENDENT
      for (std::int64_t i = 0; i < s.n; ++i) y[i] = f(a[i], b[i]);
    } else if (s.a == 1 && s.b == 0) {
      const float v = *b;
      COMPRESSOR_INDEPENDENT
      for (std::int64_t i = 0; i < s.n; ++i) y[i] = f(a[i], v);
    } else if (s.a == 0 && s.b == 1) {
      const float v = *a;
      COMPRESSOR_INDEPENDENT
      for (std::int64_t i = 0; i < s.n; ++i) y[i] = f(v, b[i]);
    } else {
      for (std::int64_t i = 0; i < s.n; ++i) y[i] = f(a[i * s.a], b[i * s.b]);
    }
  }
}

COMPRESSOR_CLONES void add(const OperandRows& s, const float* a, const float* b, float* y) {
  each_row(s, a, b, y, [](float p, float q) { return p + q; });
}
COMPRESSOR_CLONES void subtract(const OperandRows& s, const float* a, const float* b, float* y) {
  each_row(s, a, b, y, [](float p, float q) { return p - q; });
}
COMPRESSOR_CLONES void multiply(const OperandRows& s, const float* a, const float* b, float* y) {
  each_row(s, a, b, y, [](float p, float q) { return p * q; });
}
COMPRESSOR_CLONES void divide(const OperandRows& s, const float* a, const float* b, float* y) {
  each_row(s, a, b, y, [](float p, float q) { return p / q; });
}
COMPRESSOR_CLONES void maximum(const OperandRows& s, const float* a, const float* b, float* y) {
  each_row(s, a, b, y, [](float p, float q) { return p != p || p > q ? p : q; });
}
COMPRESSOR_CLONES void minimum(const OperandRows& s, const float* a, const float* b, float* y) {
  each_row(s, a, b, y, [](float p, float q) { return p != p || p < q ? p : q; });
}

}  // namespace

void combine(Arithmetic op, const OperandRows& s, const float* a, const float* b, float* y) {
  switch (op) {
    case Arithmetic::kAdd:
      return add(s, a, b, y);
    case Arithmetic::kSub:
      return subtract(s, a, b, y);
    case Arithmetic::kMul:
      return multiply(s, a, b, y);
    case Arithmetic::kDiv:
      return divide(s, a, b, y);
    case Arithmetic::kMax:
      return maximum(s, a, b, y);
    case Arithmetic::kMin:
      return minimum(s, a, b, y);
  }
}

}  // namespace compressor::kernels
