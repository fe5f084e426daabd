// activation: functions of one element with settings: LeakyRelu, Elu, HardSigmoid, Gelu, Shrink, ...
#include "compressor/ops/activation.h"

#include <cmath>
#include <numbers>

#include "compressor/kernels/in_parallel.h"
#include "ops/elementwise.h"
#include "ops/real.h"
#include "ops/run_elementwise.h"

namespace compressor::ops {
namespace {

using Function = std::function<double(double)>;

struct Named {
  const char* type = nullptr;
  std::int64_t since = 1;
  Function (*make)(const Node&) = nullptr;
  /// Its derivative, where kernels do not know it.
  Function (*slope)(const Node&) = nullptr;
};

double setting(const Node& node, const char* name, float otherwise) {
  return static_cast<double>(node.float_or(name, otherwise));
}

double gelu(double x) {
  return 0.5 * x * (1 + std::erf(x / std::numbers::sqrt2));
}

double gelu_tanh(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

constexpr float kSeluAlpha = 1.67326319217681884765625F;
constexpr float kSeluGamma = 1.05070102214813232421875F;

const Named kActivations[] = {
    {"LeakyRelu", 1,
     [](const Node& node) -> Function {
       const double alpha = setting(node, "alpha", 0.01F);
       return [=](double x) { return x < 0 ? alpha * x : x; };
     }},
    {"Elu", 1,
     [](const Node& node) -> Function {
       const double alpha = setting(node, "alpha", 1.0F);
       return [=](double x) { return x < 0 ? alpha * std::expm1(x) : x; };
     }},
    {"Selu", 1,
     [](const Node& node) -> Function {
       const double alpha = setting(node, "alpha", kSeluAlpha);
       const double gamma = setting(node, "gamma", kSeluGamma);
       return [=](double x) { return gamma * (x > 0 ? x : alpha * std::expm1(x)); };
     },
     [](const Node& node) -> Function {
       const double alpha = setting(node, "alpha", kSeluAlpha);
       const double gamma = setting(node, "gamma", kSeluGamma);
       return [=](double x) { return gamma * (x > 0 ? 1 : alpha * std::exp(x)); };
     }},
    {"Celu", 12,
     [](const Node& node) -> Function {
       const double alpha = setting(node, "alpha", 1.0F);
       return [=](double x) { return std::max(0.0, x) + std::min(0.0, alpha * std::expm1(x / alpha)); };
     },
     [](const Node& node) -> Function {
       const double alpha = setting(node, "alpha", 1.0F);
       return [=](double x) { return x > 0 ? 1 : std::exp(x / alpha); };
     }},
    {"ThresholdedRelu", 10,
     [](const Node& node) -> Function {
       const double alpha = setting(node, "alpha", 1.0F);
       return [=](double x) { return x > alpha ? x : 0.0; };
     },
     [](const Node& node) -> Function {
       const double alpha = setting(node, "alpha", 1.0F);
       return [=](double x) { return x > alpha ? 1.0 : 0.0; };
     }},
    {"HardSigmoid", 1,
     [](const Node& node) -> Function {
       const double alpha = setting(node, "alpha", 0.2F);
       const double beta = setting(node, "beta", 0.5F);
       return [=](double x) { return std::max(0.0, std::min(1.0, alpha * x + beta)); };
     }},
    {"Gelu", 20,
     [](const Node& node) -> Function {
       return node.string_or("approximate", "none") == "tanh" ? gelu_tanh : gelu;
     }},
    {"Swish", 24,
     [](const Node& node) -> Function {
       const double alpha = setting(node, "alpha", 1.0F);
       return [=](double x) { return x * sigmoid(alpha * x); };
     }},
    {"Shrink", 9,
     [](const Node& node) -> Function {
       const double bias = setting(node, "bias", 0.0F);
       const double lambda = setting(node, "lambd", 0.5F);
       return [=](double x) { return x < -lambda ? x + bias : x > lambda ? x - bias : 0.0; };
     },
     [](const Node& node) -> Function {
       const double lambda = setting(node, "lambd", 0.5F);
       return [=](double x) { return std::fabs(x) > lambda ? 1.0 : 0.0; };
     }},
};

/// Of com.microsoft: what kernels know by another name.
struct Renamed {
  const char* type = nullptr;
  Function (*make)(const Node&) = nullptr;
  Activation (*kernel)(const Node&) = nullptr;
};

constexpr float kQuickAlpha = 1.702F;

const Renamed kMicrosoft[] = {
    {"Gelu", [](const Node&) -> Function { return gelu; },
     [](const Node&) { return Activation{Activation::Kind::kGelu}; }},
    {"QuickGelu",
     [](const Node& node) -> Function {
       const double alpha = setting(node, "alpha", kQuickAlpha);
       return [=](double x) { return x * sigmoid(alpha * x); };
     },
     [](const Node& node) {
       return Activation{Activation::Kind::kSilu, node.float_or("alpha", kQuickAlpha)};
     }},
};

void compute(ComputeContext& ctx, const Function& f) {
  const DType type = ctx.in(0).dtype;
  with_domain(type, [&]<class T>(T) {
    map_unary<T>(ctx, type, [&](T x) { return static_cast<T>(f(static_cast<double>(x))); });
  });
}

/// dx = slope(x) dy
void gradient(GradientContext& ctx, const Function& slope) {
  if (!ctx.wants(0)) return;
  const Layout layout = ctx.grad_layout(0);
  const float* x = ctx.in_floats(0, layout);
  const float* dy = ctx.grad(0, layout);
  float* dx = ctx.grad_in(0, layout);
  const auto n = static_cast<std::int64_t>(num_elements(ctx.in_shape(0)));
  kernels::in_parallel(n > kParallelWork, n, [&](std::int64_t i) {
    dx[i] = static_cast<float>(slope(static_cast<double>(x[i]))) * dy[i];
  });
}

Op function_of_one(const char* type, Function (*make)(const Node&)) {
  return {.type = type,
          .infer = [](InferContext& ctx) { infer_same(ctx); },
          .cost = cost_elementwise,
          .compute = [make](ComputeContext& ctx) { compute(ctx, make(ctx.node())); },
          .channels = channels_unary};
}

}  // namespace

void register_activation(OpTable& table) {
  for (const Named& f : kActivations) {
    Op op = function_of_one(f.type, f.make);
    op.since = f.since;
    if (is_activation(f.type)) add_activation_rules(op);
    if (f.slope) {
      op.gradient = [slope = f.slope](GradientContext& ctx) { gradient(ctx, slope(ctx.node())); };
      op.keep = {.inputs = 1};
    }
    table.add(std::move(op));
  }
  for (const Renamed& f : kMicrosoft) {
    Op op = function_of_one(f.type, f.make);
    op.domain = "com.microsoft";
    op.gradient = [kernel = f.kernel](GradientContext& ctx) { activation_gradient(ctx, kernel(ctx.node())); };
    op.keep = {.inputs = 1};
    table.add(std::move(op));
  }
}

}  // namespace compressor::ops
