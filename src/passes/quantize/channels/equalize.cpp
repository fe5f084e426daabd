// equalize: chooses each factor by what activations or weights hold on both sides of it.
//
// The expected noise of a layer that reads x with W, by which the exponent is chosen (x' = f x, W' = W / f):
//   of the activation   step_x^2 / 12 sum_oi W'_oi^2,            step_x = (max - min of all x') / 255
//   of the weight       sum_o step_o^2 / 12 sum_i E[x'_i^2],     step_o = max_i |W'_oi| / codes
// over the power of its output, sum_oi W_oi^2 E[x_i^2], which no factor changes.
#include "passes/quantize/channels/equalize.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "compressor/base/error.h"
#include "passes/quantize/channels/read_together.h"

namespace compressor::quantize {
namespace {

using Role = ScaledConstant::Role;
using Rule = EqualizeOptions::Rule;

constexpr double kWidest = 1e3;  ///< a factor lies in [1 / kWidest, kWidest]
constexpr double kStill = 1e-3;  ///< relative change at which the iteration rests
constexpr int kMostRounds = 100;
constexpr double kWorthIt = 0.75;  ///< of the noise that must be left at most

/// A weight that reads tracked channels, element by element.
struct Reader {
  const ScaledConstant* constant = nullptr;
  const ScaledValue* value = nullptr;
  const ChannelSeen* seen = nullptr;
  std::vector<float> weight;
  std::vector<std::uint32_t> output;  ///< channel that an element makes
  std::size_t outputs = 0;
  double power = 0;  ///< of what it gives
};

class Equalizer {
 public:
  Equalizer(Model& model, const ChannelsSeen& seen, const EqualizeOptions& options, PassContext& context)
      : model_(model),
        seen_(seen),
        options_(options),
        context_(context),
        flow_(find_scale_flow(model, infer_facts(model), context.filter)),
        factor_(flow_.classes, 1.0),
        open_(open_classes(flow_, options.products_only)) {}

  ChannelFactors run() {
    if (options_.rule == Rule::kWeights) {
      by_weights();
    } else {
      by_activations();
    }
    report();
    ChannelFactors result;
    for (const ScaledValue& v : flow_.values) {
      std::vector<double>& list = result[v.value->name()];
      for (const std::size_t k : v.classes) list.push_back(factor_[k]);
    }
    apply_factors(model_, flow_, factor_);
    return result;
  }

 private:
  std::vector<float> numbers(const ScaledConstant& c) const {
    return to_floats(*fixed_constant(model_, *c.node->input(c.input)));
  }

  /// Largest |w| by class, over all constants of a role.
  std::vector<double> spans(Role role, const std::vector<std::vector<float>>& weights) const {
    std::vector<double> span(flow_.classes);
    for (std::size_t i = 0; i < flow_.constants.size(); ++i) {
      const ScaledConstant& c = flow_.constants[i];
      if (c.role != role) continue;
      for (std::size_t at = 0; at < weights[i].size(); ++at) {
        double& s = span[c.classes[c.channels.of(at)]];
        s = std::max(s, std::abs(static_cast<double>(weights[i][at])));
      }
    }
    return span;
  }

  /// Every constant as it is under the present factors: both roles of a depthwise weight count.
  std::vector<std::vector<float>> scaled_weights(const std::vector<std::vector<float>>& weights) const {
    std::map<std::pair<const Node*, std::size_t>, std::vector<std::size_t>> together;
    for (std::size_t i = 0; i < flow_.constants.size(); ++i)
      together[{flow_.constants[i].node, flow_.constants[i].input}].push_back(i);
    std::vector<std::vector<float>> result = weights;
    for (const auto& [place, list] : together) {
      for (const std::size_t target : list) {
        for (const std::size_t i : list) {
          const ScaledConstant& c = flow_.constants[i];
          for (std::size_t at = 0; at < result[target].size(); ++at) {
            const double f = factor_[c.classes[c.channels.of(at)]];
            const double by = c.role == Role::kReader ? 1 / f : f;
            result[target][at] = static_cast<float>(static_cast<double>(result[target][at]) * by);
          }
        }
      }
    }
    return result;
  }

  void by_weights() {
    std::vector<std::vector<float>> weights;
    for (const ScaledConstant& c : flow_.constants)
      weights.push_back(c.role == Role::kShift ? std::vector<float>{} : numbers(c));
    for (int round = 0; round < kMostRounds; ++round) {
      const std::vector<std::vector<float>> now = scaled_weights(weights);
      const std::vector<double> made = spans(Role::kMaker, now), read = spans(Role::kReader, now);
      double moved = 0;
      for (std::size_t k = 0; k < flow_.classes; ++k) {
        if (!open_[k] || made[k] <= 0 || read[k] <= 0) continue;
        const double f = std::clamp(factor_[k] * std::sqrt(read[k] / made[k]), 1 / kWidest, kWidest);
        moved = std::max(moved, std::abs(f / factor_[k] - 1));
        factor_[k] = f;
      }
      if (moved < kStill) break;
    }
  }

  void find_readers() {
    for (const ScaledConstant& c : flow_.constants) {
      if (c.role != Role::kReader) continue;
      const Value* x = c.activation();
      Reader r;
      r.constant = &c;
      r.value = x ? flow_.find(*x) : nullptr;
      const auto found = x ? seen_.find(x->name()) : seen_.end();
      const std::size_t n = c.classes.size();
      const bool known = r.value && found != seen_.end() && found->second.largest.size() == n &&
                         found->second.power.size() == n;
      if (!known) {
        // Without a look at what it reads nothing can be said.
        for (const std::size_t k : c.classes)
          close(k, fmt::format("nothing is known of what '{}' reads", c.node->label()));
        continue;
      }
      r.seen = &found->second;
      r.weight = numbers(c);
      find_outputs(r);
      for (std::size_t at = 0; at < r.weight.size(); ++at) {
        const double w = static_cast<double>(r.weight[at]);
        r.power += w * w * static_cast<double>(r.seen->power[c.channels.of(at)]);
      }
      readers_.push_back(std::move(r));
    }
  }

  void close(std::size_t k, const std::string& why) {
    open_[k] = false;
    if (flow_.fixed[k].empty()) flow_.fixed[k] = why;
  }

  void find_outputs(Reader& r) const {
    const Node& node = *r.constant->node;
    r.output.resize(r.weight.size());
    ElementChannels made{.inner = 1, .count = r.weight.size()};
    for (const ScaledConstant& c : flow_.constants) {
      if (c.node == &node && c.input == r.constant->input && c.role == Role::kMaker) made = c.channels;
    }
    for (std::size_t at = 0; at < r.output.size(); ++at) {
      r.output[at] = static_cast<std::uint32_t>(made.of(at));
      r.outputs = std::max<std::size_t>(r.outputs, r.output[at] + 1);
    }
  }

  /// Noise over power of one layer under the present factors.
  double noise(const Reader& r) const {
    const ScaledConstant& c = *r.constant;
    double widest = 0;
    for (std::size_t i = 0; i < c.classes.size(); ++i)
      widest = std::max(widest, static_cast<double>(r.seen->largest[i]) * factor_[c.classes[i]]);
    const double step = widest / 255;
    std::vector<double> row(r.outputs), power(r.outputs);
    double squares = 0;
    for (std::size_t at = 0; at < r.weight.size(); ++at) {
      const std::size_t i = c.channels.of(at);
      const double f = factor_[c.classes[i]], w = static_cast<double>(r.weight[at]) / f;
      squares += w * w;
      row[r.output[at]] = std::max(row[r.output[at]], std::abs(w));
      power[r.output[at]] += static_cast<double>(r.seen->power[i]) * f * f;
    }
    double total = step * step * squares;
    for (std::size_t o = 0; o < r.outputs; ++o)
      total += row[o] * row[o] / (options_.weight_codes * options_.weight_codes) * power[o];
    return r.power > 0 ? total / 12 / r.power : 0;
  }

  /// Factors of a set of classes for an exponent, such that the widest channel stays as wide as it is.
  void set_factors(const std::vector<std::size_t>& group, double a, const std::vector<double>& wide,
                   const std::vector<double>& read) {
    double before = 0, after = 0;
    for (const std::size_t k : group) {
      factor_[k] = 1;
      if (wide[k] <= 0 || read[k] <= 0 || a == 0) continue;
      factor_[k] = std::pow(read[k], 1 - a) / std::pow(wide[k], a);
      before = std::max(before, wide[k]);
      after = std::max(after, wide[k] * factor_[k]);
    }
    for (const std::size_t k : group) {
      const bool live = wide[k] > 0 && read[k] > 0 && a > 0 && after > 0;
      factor_[k] = live ? std::clamp(factor_[k] * before / after, 1 / kWidest, kWidest) : 1;
    }
  }

  void by_activations() {
    find_readers();
    std::vector<double> wide(flow_.classes), read(flow_.classes);
    for (const Reader& r : readers_) {
      const ScaledConstant& c = *r.constant;
      for (std::size_t i = 0; i < c.classes.size(); ++i)
        wide[c.classes[i]] = std::max(wide[c.classes[i]], static_cast<double>(r.seen->largest[i]));
      for (std::size_t at = 0; at < r.weight.size(); ++at) {
        double& widest = read[c.classes[c.channels.of(at)]];
        widest = std::max(widest, std::abs(static_cast<double>(r.weight[at])));
      }
    }
    std::vector<const ScaledConstant*> constants;
    for (const Reader& r : readers_) constants.push_back(r.constant);
    for (const std::vector<std::size_t>& group : read_together(flow_, open_, constants)) {
      const std::set<std::size_t> members(group.begin(), group.end());
      std::vector<const Reader*> own;
      for (const Reader& r : readers_) {
        const auto& k = r.constant->classes;
        if (std::any_of(k.begin(), k.end(), [&](std::size_t i) { return members.contains(i); }))
          own.push_back(&r);
      }
      const auto total = [&] {
        double sum = 0;
        for (const Reader* r : own) sum += noise(*r);
        return sum;
      };
      double best = 0;
      if (options_.strength) {
        best = *options_.strength;
      } else {
        double least = total() * kWorthIt;
        for (const double a : {0.25, 0.5, 0.75, 1.0}) {
          set_factors(group, a, wide, read);
          const double now = total();
          if (now >= least) continue;
          least = now;
          best = a;
        }
      }
      set_factors(group, best, wide, read);
    }
  }

  void report() {
    std::int64_t channels = 0, layers = 0;
    std::map<std::string, std::int64_t> reasons;
    for (const ScaledConstant& c : flow_.constants) {
      if (c.role != Role::kReader) continue;
      std::int64_t moved = 0;
      double low = HUGE_VAL, high = 0;
      for (const std::size_t k : c.classes) {
        moved += factor_[k] != 1;
        low = std::min(low, factor_[k]);
        high = std::max(high, factor_[k]);
      }
      if (moved > 0) {
        ++layers;
        context_.done(*c.node, "equalized",
                      fmt::format("{} of {} input channels, factors {:.3g} to {:.3g}", moved,
                                  c.classes.size(), low, high));
        continue;
      }
      const std::string& why = flow_.fixed[c.classes.front()];
      context_.done(*c.node, "not equalized", why.empty() ? "nothing to gain" : why);
    }
    for (std::size_t k = 0; k < flow_.classes; ++k) channels += factor_[k] != 1;
    context_.note(fmt::format("{} channels in front of {} layers were equalized", channels, layers));
  }

  Model& model_;
  const ChannelsSeen& seen_;
  const EqualizeOptions& options_;
  PassContext& context_;
  ScaleFlow flow_;
  std::vector<double> factor_;
  std::vector<bool> open_;
  std::vector<Reader> readers_;
};

}  // namespace

std::vector<std::pair<const Value*, bool>> values_to_see(const ScaleFlow& flow) {
  std::vector<std::pair<const Value*, bool>> list;
  std::set<const Value*> known;
  for (const ScaledConstant& c : flow.constants) {
    const Value* x = c.activation();
    if (c.role != ScaledConstant::Role::kReader || !x || !known.insert(x).second) continue;
    const ScaledValue* v = flow.find(*x);
    if (v) list.emplace_back(x, v->axis != 1);
  }
  return list;
}

ChannelFactors equalize(Model& model, const ChannelsSeen& seen, const EqualizeOptions& options,
                        PassContext& context) {
  return Equalizer(model, seen, options, context).run();
}

}  // namespace compressor::quantize
