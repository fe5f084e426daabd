// activation: functions of one element with settings: LeakyRelu, Elu, HardSigmoid, Gelu, Shrink, ...
#include "compressor/ops/activation.h"

#include <cmath>
#include <numbers>

#include "ops/elementwise.h"
#include "ops/run_elementwise.h"

namespace compressor::ops {
namespace {

using Function = std::function<double(double)>;

struct Named {
  const char* type;
  std::int64_t since;
  Function (*make)(const Node&);
  const char* domain = "";
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

constexpr const char* kMicrosoft = "com.microsoft";

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
       const double alpha = setting(node, "alpha", 1.67326319217681884765625F);
       const double gamma = setting(node, "gamma", 1.05070102214813232421875F);
       return [=](double x) { return gamma * (x > 0 ? x : alpha * std::expm1(x)); };
     }},
    {"Celu", 12,
     [](const Node& node) -> Function {
       const double alpha = setting(node, "alpha", 1.0F);
       return [=](double x) { return std::max(0.0, x) + std::min(0.0, alpha * std::expm1(x / alpha)); };
     }},
    {"ThresholdedRelu", 10,
     [](const Node& node) -> Function {
       const double alpha = setting(node, "alpha", 1.0F);
       return [=](double x) { return x > alpha ? x : 0.0; };
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
     }},
    {"Gelu", 1, [](const Node&) -> Function { return gelu; }, kMicrosoft},
    {"QuickGelu", 1,
     [](const Node& node) -> Function {
       const double alpha = setting(node, "alpha", 1.702F);
       return [=](double x) { return x * sigmoid(alpha * x); };
     },
     kMicrosoft},
};

void compute(ComputeContext& ctx, const Function& f) {
  const DType type = ctx.in(0).dtype;
  with_domain(type, [&]<class T>(T) {
    map_unary<T>(ctx, type, [&](T x) { return static_cast<T>(f(static_cast<double>(x))); });
  });
}

}  // namespace

void register_activation(OpTable& table) {
  for (const Named& f : kActivations) {
    Op op{.type = f.type,
          .domain = f.domain,
          .since = f.since,
          .infer = [](InferContext& ctx) { infer_same(ctx); },
          .cost = cost_elementwise,
          .compute = [f](ComputeContext& ctx) { compute(ctx, f.make(ctx.node())); },
          .channels = channels_unary};
    if (op.domain.empty() && is_activation(f.type)) add_activation_rules(op);
    table.add(std::move(op));
  }
}

}  // namespace compressor::ops
