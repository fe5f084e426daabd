// noisy_values: plans, takes the noisiest value out, and plans again.
#include "passes/quantize/integer/noisy_values.h"

#include <algorithm>
#include <cmath>

namespace compressor::quantize {
namespace {

constexpr double kAudible = 1e-3;  ///< of the outputs' power: below it nothing is worth a layer

bool is_passing(const Node& node, const Target& target) {
  const auto& ops = target.passing;
  return node.domain().empty() &&
         (node.is("Concat") || std::find(ops.begin(), ops.end(), node.op()) != ops.end());
}

/// Errors count as small, so there is no saying by how much a larger one drowns the outputs.
std::string level(double noise) {
  return noise < 1 ? fmt::format("at {:.1f} dB", -10 * std::log10(noise)) : "more than there is signal";
}

}  // namespace

NoisyValues noisy_values(const Model& model, const Ranges& ranges, const StaticOptions& options,
                         const OutputNoise& noise, double share, const NodeFilter& filter) {
  StaticOptions trial = options;
  NoisyValues found_so_far{.in_float = options.in_float};
  std::size_t planned = 0;
  while (true) {
    PassContext asking;  // what stays is recorded when the model is rewritten
    asking.filter = filter;
    const Plan plan = plan_static(model, ranges, trial, asking);
    planned = std::max(planned, plan.nodes.size());
    if (2 * plan.nodes.size() < planned) return found_so_far;  // what is left would not be worth the name
    found_so_far.in_float = trial.in_float;
    double total = 0, most = 0;
    const Value* worst = nullptr;
    for (const Value* v : plan.activations) {
      const auto found = noise.of.find(v->name());
      const Node* maker = v->producer();
      const bool passed_on = maker && plan.nodes.contains(maker) && is_passing(*maker, options.target);
      if (found == noise.of.end() || passed_on) continue;
      total += found->second;
      if (found->second <= most) continue;
      most = found->second;
      worst = v;
    }
    found_so_far.noise = total;
    if (!worst || most < kAudible || most <= share * total) return found_so_far;
    trial.in_float[worst->name()] =
        fmt::format("rounding '{}' alone would bring {:.0f} % of the noise at the outputs, {}", worst->name(),
                    100 * most / total, level(most));
  }
}

}  // namespace compressor::quantize
