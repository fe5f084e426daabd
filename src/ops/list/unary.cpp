// unary: functions of one element without settings: arithmetic, trigonometry, activations, Not.
#include <bit>
#include <cmath>

#include "compressor/ops/activation.h"
#include "ops/elementwise.h"
#include "ops/run_elementwise.h"
#include "ops/run_unary.h"

namespace compressor::ops {
namespace {

struct Unary {
  const char* type;
  std::int64_t since;
  double (*real)(double) = nullptr;
  std::int64_t (*whole)(std::int64_t) = nullptr;
  std::uint64_t (*natural)(std::uint64_t) = nullptr;
  SymDim (*contents)(const SymDim&) = nullptr;
};

std::int64_t negated(std::int64_t v) {
  return std::bit_cast<std::int64_t>(0 - std::bit_cast<std::uint64_t>(v));
}

std::uint64_t same(std::uint64_t v) {
  return v;
}

SymDim as_it_is(const SymDim& d) {
  return d;
}

SymDim positive_part(const SymDim& d) {
  const auto sign = sign_of(d);
  return !sign ? SymDim() : *sign > 0 ? d : SymDim(0);
}

double softplus(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x)));
}

constexpr Unary kUnary[] = {
    {"Abs", 1, [](double x) { return std::fabs(x); }, [](std::int64_t v) { return v < 0 ? negated(v) : v; },
     same, [](const SymDim& d) { return sign_of(d).value_or(1) < 0 ? d * SymDim(-1) : d; }},
    {"Neg", 1, [](double x) { return -x; }, negated, nullptr, [](const SymDim& d) { return d * SymDim(-1); }},
    {"Sign", 9, [](double x) { return std::isnan(x) ? x
                                      : x > 0       ? 1.0
                                      : x < 0       ? -1.0
                                                    : 0.0; },
     [](std::int64_t v) { return std::int64_t{v > 0} - std::int64_t{v < 0}; },
     [](std::uint64_t v) { return std::uint64_t{v != 0}; },
     [](const SymDim& d) {
       const auto sign = sign_of(d);
       return sign ? SymDim(*sign) : SymDim();
     }},
    {"Floor", 1, [](double x) { return std::floor(x); }, nullptr, nullptr, as_it_is},
    {"Ceil", 1, [](double x) { return std::ceil(x); }, nullptr, nullptr, as_it_is},
    {"Round", 11, [](double x) { return std::nearbyint(x); }, nullptr, nullptr, as_it_is},
    {"Exp", 1, [](double x) { return std::exp(x); }},
    {"Log", 1, [](double x) { return std::log(x); }},
    {"Sqrt", 1, [](double x) { return std::sqrt(x); }},
    {"Reciprocal", 1, [](double x) { return 1.0 / x; }},
    {"Erf", 9, [](double x) { return std::erf(x); },
     [](std::int64_t v) { return static_cast<std::int64_t>(std::erf(static_cast<double>(v))); }, nullptr},
    {"Sin", 7, [](double x) { return std::sin(x); }},
    {"Cos", 7, [](double x) { return std::cos(x); }},
    {"Tan", 7, [](double x) { return std::tan(x); }},
    {"Asin", 7, [](double x) { return std::asin(x); }},
    {"Acos", 7, [](double x) { return std::acos(x); }},
    {"Atan", 7, [](double x) { return std::atan(x); }},
    {"Sinh", 9, [](double x) { return std::sinh(x); }},
    {"Cosh", 9, [](double x) { return std::cosh(x); }},
    {"Tanh", 1, [](double x) { return std::tanh(x); }},
    {"Asinh", 9, [](double x) { return std::asinh(x); }},
    {"Acosh", 9, [](double x) { return std::acosh(x); }},
    {"Atanh", 9, [](double x) { return std::atanh(x); }},
    {"Relu", 1, [](double x) { return std::isnan(x) ? x : std::max(x, 0.0); },
     [](std::int64_t v) { return std::max<std::int64_t>(v, 0); }, same, positive_part},
    {"Sigmoid", 1,
     [](double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }},
    {"Softplus", 1, softplus},
    {"Softsign", 1, [](double x) { return x / (1 + std::fabs(x)); }},
    {"HardSwish", 14, [](double x) { return x * std::max(0.0, std::min(1.0, x / 6 + 0.5)); }},
    {"Mish", 18, [](double x) { return x * std::tanh(softplus(x)); }},
    {"Not", 1, nullptr, [](std::int64_t v) { return std::int64_t{v == 0}; }, nullptr,
     [](const SymDim& d) { return d.is_number() ? SymDim(d.number() == 0 ? 1 : 0) : SymDim(); }},
    {"BitwiseNot", 18, nullptr, [](std::int64_t v) { return ~v; }, [](std::uint64_t v) { return ~v; }},
};

void infer(InferContext& ctx, const Unary& f) {
  infer_same(ctx);
  if (f.contents) contents_elementwise(ctx, [&](std::span<const SymDim> in) { return f.contents(in[0]); });
}

void compute(ComputeContext& ctx, const Unary& f) {
  const DType type = ctx.in(0).dtype;
  switch (domain_of(type)) {
    case Domain::kFloat:
      if (!f.real) break;
      return map_unary<float>(ctx, type,
                              [&](float x) { return static_cast<float>(f.real(static_cast<double>(x))); });
    case Domain::kDouble:
      if (!f.real) break;
      return map_unary<double>(ctx, type, f.real);
    case Domain::kInt:
      if (!f.whole) break;
      return map_unary<std::int64_t>(ctx, type, f.whole);
    case Domain::kUint:
      if (!f.natural) break;
      return map_unary<std::uint64_t>(ctx, type, f.natural);
  }
  ctx.fail("input of type {} cannot be computed", name(type));
}

}  // namespace

void register_unary(OpTable& table) {
  for (const Unary& f : kUnary) {
    Op op{.type = f.type,
          .since = f.since,
          .infer = [f](InferContext& ctx) { infer(ctx, f); },
          .cost = cost_elementwise,
          .compute = [f](ComputeContext& ctx) { compute(ctx, f); },
          .channels = channels_unary};
    if (is_activation(f.type)) {
      add_activation_rules(op);
    } else {
      add_unary_rules(op);
    }
    table.add(std::move(op));
  }
}

}  // namespace compressor::ops
