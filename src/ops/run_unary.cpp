// run_unary: a table of functions and slopes; one loop for each, in parallel.
#include "ops/run_unary.h"

#include <cmath>
#include <numbers>

#include "compressor/kernels/functions.h"
#include "compressor/kernels/in_parallel.h"

namespace compressor::ops {
namespace {

constexpr std::int64_t kPiece = 1 << 12;

/// body(first, last) for pieces of [0, n).
template <class Body>
void each_piece(std::int64_t n, const Body& body) {
  kernels::in_parallel(n > 2 * kPiece, (n + kPiece - 1) / kPiece,
                       [&](std::int64_t p) { body(p * kPiece, std::min(n, (p + 1) * kPiece)); });
}

template <auto kFunction>
void forward(const float* x, float* y, std::int64_t n) {
  each_piece(n, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) y[i] = kFunction(x[i]);
  });
}

/// `v` is x or y, whichever the slope is told from.
template <auto kSlope>
void backward(const float* v, const float* dy, float* dx, std::int64_t n) {
  each_piece(n, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) dx[i] = dy[i] * kSlope(v[i]);
  });
}

struct Rule {
  const char* type;
  void (*run)(const float*, float*, std::int64_t);
  void (*gradient)(const float*, const float*, float*, std::int64_t);
  bool from_output = false;  ///< the slope is told from y
};

template <auto kFunction, auto kSlope>
constexpr Rule rule(const char* type, bool from_output = false) {
  return {type, forward<kFunction>, backward<kSlope>, from_output};
}

constexpr auto kSign = [](float x) {
  if (x > 0) return 1.0F;
  return x < 0 ? -1.0F : x;
};
constexpr auto kNone = [](float) { return 0.0F; };

constexpr Rule kRules[] = {
    rule<[](float x) { return std::fabs(x); }, kSign>("Abs"),
    rule<[](float x) { return -x; }, [](float) { return -1.0F; }>("Neg"),
    rule<kSign, kNone>("Sign"),
    rule<[](float x) { return std::floor(x); }, kNone>("Floor"),
    rule<[](float x) { return std::ceil(x); }, kNone>("Ceil"),
    rule<[](float x) { return std::nearbyint(x); }, kNone>("Round"),
    rule<[](float x) { return std::exp(x); }, [](float y) { return y; }>("Exp", true),
    rule<[](float x) { return std::log(x); }, [](float x) { return 1 / x; }>("Log"),
    rule<[](float x) { return std::sqrt(x); }, [](float y) { return 0.5F / y; }>("Sqrt", true),
    rule<[](float x) { return 1 / x; }, [](float y) { return -y * y; }>("Reciprocal", true),
    rule<[](float x) { return std::erf(x); },
         [](float x) { return 2 * std::numbers::inv_sqrtpi_v<float> * std::exp(-x * x); }>("Erf"),
    rule<[](float x) { return std::sin(x); }, [](float x) { return std::cos(x); }>("Sin"),
    rule<[](float x) { return std::cos(x); }, [](float x) { return -std::sin(x); }>("Cos"),
    rule<[](float x) { return std::tan(x); }, [](float y) { return 1 + y * y; }>("Tan", true),
    rule<[](float x) { return std::asin(x); }, [](float x) { return 1 / std::sqrt(1 - x * x); }>("Asin"),
    rule<[](float x) { return std::acos(x); }, [](float x) { return -1 / std::sqrt(1 - x * x); }>("Acos"),
    rule<[](float x) { return std::atan(x); }, [](float x) { return 1 / (1 + x * x); }>("Atan"),
    rule<[](float x) { return std::sinh(x); }, [](float x) { return std::cosh(x); }>("Sinh"),
    rule<[](float x) { return std::cosh(x); }, [](float x) { return std::sinh(x); }>("Cosh"),
    rule<[](float x) { return std::asinh(x); }, [](float x) { return 1 / std::sqrt(x * x + 1); }>("Asinh"),
    rule<[](float x) { return std::acosh(x); }, [](float x) { return 1 / std::sqrt(x * x - 1); }>("Acosh"),
    rule<[](float x) { return std::atanh(x); }, [](float x) { return 1 / (1 - x * x); }>("Atanh"),
    rule<[](float x) { return x / (1 + std::fabs(x)); },
         [](float x) {
           const float d = 1 + std::fabs(x);
           return 1 / (d * d);
         }>("Softsign"),
};

bool run(RunContext& ctx, const Rule& f) {
  if (ctx.dtype(0) != DType::kFloat) return false;
  const Layout layout = ctx.layout(0);
  const float* x = ctx.floats(0, layout);
  const Dims shape = ctx.shape(0);
  auto* y = reinterpret_cast<float*>(ctx.out_over(0, 0, DType::kFloat, shape, layout));
  f.run(x, y, static_cast<std::int64_t>(num_elements(shape)));
  return true;
}

void gradient(GradientContext& ctx, const Rule& f) {
  if (!ctx.wants(0)) return;
  const Layout layout = ctx.grad_layout(0);
  const float* v = f.from_output ? ctx.out_floats(0, layout) : ctx.in_floats(0, layout);
  f.gradient(v, ctx.grad(0, layout), ctx.grad_in(0, layout),
             static_cast<std::int64_t>(num_elements(ctx.in_shape(0))));
}

}  // namespace

void add_unary_rules(Op& op) {
  for (Rule f : kRules) {
    if (op.type != f.type) continue;
    if (op.type == "Exp") f.run = kernels::exponential;
    if (op.type == "Erf") f.run = kernels::error_function;
    op.run = [f](RunContext& ctx) { return run(ctx, f); };
    op.gradient = [f](GradientContext& ctx) { gradient(ctx, f); };
    op.keep = f.from_output ? Keep{.inputs = 0, .outputs = 1} : Keep{.inputs = 1, .outputs = 0};
  }
}

}  // namespace compressor::ops
