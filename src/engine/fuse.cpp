// fuse: work behind a convolution or product is done in the same breath, at run time only; the file never
// changes.
//
//   x -> Conv(W, b) -> BN(s, t, mu, v) -> + r -> f -> y   ==>   y = f(Conv(W k, (b - mu) k + t)(x) + r)
//   with k = s / sqrt(v + epsilon), along the output channels
//
// Only where nobody else reads what lies in between. The steps as they were are kept beside the fused one,
// for cases that its operator turns down.
#include <algorithm>
#include <cmath>

#include "compressor/ops/activation.h"
#include "engine/program.h"

namespace compressor::engine {
namespace {

using ops::Activation;

class Fuser {
 public:
  Fuser(const Model& model, Program& program, const FactsMap& facts)
      : model_(model), p_(program), facts_(facts) {}

  void run() {
    readers_.resize(p_.values.size());
    maker_.assign(p_.values.size(), -1);
    for (std::size_t at = 0; at < p_.steps.size(); ++at) {
      for (const Ref& ref : p_.steps[at].inputs) {
        if (ref.slot >= 0 && ref.up == 0) readers_[slot(ref)].push_back(at);
      }
      for (const int s : p_.steps[at].outputs) {
        if (s >= 0) maker_[static_cast<std::size_t>(s)] = static_cast<std::int64_t>(at);
      }
    }
    gone_.assign(p_.steps.size(), false);
    for (std::size_t at = 0; at < p_.steps.size(); ++at) {
      if (!gone_[at] && p_.steps[at].op && p_.steps[at].op->fuses && !p_.steps[at].constant) extend(at);
    }
    std::vector<Step> kept;
    for (std::size_t at = 0; at < p_.steps.size(); ++at) {
      if (!gone_[at]) kept.push_back(std::move(p_.steps[at]));
    }
    p_.steps = std::move(kept);
  }

 private:
  static std::size_t slot(const Ref& ref) { return static_cast<std::size_t>(ref.slot); }

  /// The only reader of the step's output, when that is all that happens to it.
  std::optional<std::size_t> only_reader(const Step& step) const {
    const std::size_t s = hidden_output(step);
    if (s == kNone || readers_[s].size() != 1) return std::nullopt;
    return readers_[s][0];
  }

  /// The output slot when all of its readers are steps of this program and it is no output and not tapped.
  std::size_t hidden_output(const Step& step) const {
    if (step.outputs.size() != 1 || step.outputs[0] < 0) return kNone;
    const auto s = static_cast<std::size_t>(step.outputs[0]);
    const Value& value = *p_.values[s];
    if (p_.tapped[s] || value.is_graph_output()) return kNone;
    return value.uses().size() == readers_[s].size() ? s : kNone;
  }

  void extend(std::size_t at) {
    Step& first = p_.steps[at];
    Step original = first;  // with the state empty: nothing has run yet
    std::vector<Step> tail;
    std::vector<std::size_t> taken;
    const auto take = [&](std::size_t other) {
      tail.push_back(p_.steps[other]);
      taken.push_back(other);
      first.outputs = p_.steps[other].outputs;
    };
    for (auto next = only_reader(first); next && first.epilogue.empty(); next = only_reader(first)) {
      if (!fold_normalization(first, p_.steps[*next])) break;
      take(*next);
    }
    if (const auto next = only_reader(first); next && add_sum(at, first, p_.steps[*next])) take(*next);
    if (const auto next = only_reader(first)) {
      const auto f = activation(p_.steps[*next]);
      if (f) {
        first.epilogue.activation = *f;
        take(*next);
      }
    } else if (const auto pair = gated(first)) {
      first.epilogue.activation = pair->f;
      take(pair->gate);
      take(pair->product);
    }
    if (taken.empty()) return;
    first.parts.push_back(std::move(original));
    for (Step& step : tail) first.parts.push_back(std::move(step));
    for (const std::size_t other : taken) gone_[other] = true;
  }

  std::optional<Activation> activation(const Step& step) const {
    if (!step.op || step.outputs.size() != 1) return std::nullopt;
    return ops::as_activation(model_, *step.node);
  }

  /// x -> f -> y, x * y: SiLU where f is the sigmoid, hard swish where it is the hard sigmoid of slope 1/6.
  struct Gated {
    Activation f;
    std::size_t gate, product;
  };
  std::optional<Gated> gated(const Step& first) const {
    const std::size_t s = hidden_output(first);
    if (s == kNone || readers_[s].size() != 2) return std::nullopt;
    for (const int turn : {0, 1}) {
      const std::size_t gate = readers_[s][static_cast<std::size_t>(turn)];
      const std::size_t product = readers_[s][static_cast<std::size_t>(1 - turn)];
      const auto f = activation(p_.steps[gate]);
      if (!f || !p_.steps[product].node->is("Mul") || only_reader(p_.steps[gate]) != product) continue;
      if (f->kind == Activation::Kind::kSigmoid) return Gated{{Activation::Kind::kSilu, 1}, gate, product};
      const bool sixth = std::abs(f->a - 1.0F / 6) < 1e-6F && f->b == 0.5F;
      if (f->kind == Activation::Kind::kHardSigmoid && sixth) {
        return Gated{{Activation::Kind::kHardSwish}, gate, product};
      }
    }
    return std::nullopt;
  }

  /// + r of the same shape, computed before the step.
  bool add_sum(std::size_t at, Step& first, const Step& sum) {
    const bool adds = (sum.node->is("Add") && sum.opset >= 7) || sum.node->is("Sum");
    if (!adds || sum.inputs.size() != 2) return false;
    const std::size_t other = sum.inputs[0].up == 0 && sum.inputs[0].slot == first.outputs[0] ? 1 : 0;
    const Ref r = sum.inputs[other];
    if (r.slot == first.outputs[0] && r.up == 0) return false;
    const Facts& a = facts_.of(*sum.node->input(0));
    const Facts& b = facts_.of(*sum.node->input(1));
    if (!a.ranked || !b.ranked || !(a.dims == b.dims)) return false;
    if (r.up == 0 && maker_[slot(r)] > static_cast<std::int64_t>(at)) return false;
    first.epilogue.add = first.inputs.size();
    first.inputs.push_back(r);
    return true;
  }

  const Tensor* constant(const Step& step, std::size_t i) const {
    if (i >= step.inputs.size() || step.inputs[i].slot < 0 || step.inputs[i].up != 0) return nullptr;
    const std::size_t s = slot(step.inputs[i]);
    if (!p_.is_constant[s] || !p_.constants[s]) return nullptr;
    const Tensor& t = p_.constants[s]->value.tensor;
    return t.dtype == DType::kFloat ? &t : nullptr;
  }

  Ref add_constant(Tensor tensor) {
    auto held = std::make_shared<Held>();
    held->value = ops::RunValue(std::move(tensor));
    p_.values.push_back(nullptr);
    p_.constants.push_back(std::move(held));
    p_.is_constant.push_back(true);
    p_.only_shapes.push_back(false);
    p_.tapped.push_back(false);
    p_.wants_gradient.push_back(false);
    readers_.emplace_back();
    maker_.push_back(-1);
    return {0, static_cast<int>(p_.values.size()) - 1};
  }

  bool fold_normalization(Step& conv, const Step& norm) {
    if (!norm.node->is("BatchNormalization") || !conv.node->is("Conv")) return false;
    if (norm.outputs.size() != 1 || norm.node->int_or("training_mode", 0) != 0) return false;
    if (norm.opset < 9 && norm.node->int_or("spatial", 1) == 0) return false;
    const Tensor* w = constant(conv, 1);
    const bool has_bias = conv.inputs.size() > 2 && conv.inputs[2].slot >= 0;
    const Tensor* b = constant(conv, 2);
    if (!w || (has_bias && !b) || w->rank() < 3) return false;
    std::vector<std::vector<float>> parts;
    for (std::size_t i = 1; i < 5; ++i) {
      const Tensor* t = constant(norm, i);
      if (!t || t->size() != static_cast<std::uint64_t>(w->shape[0])) return false;
      parts.push_back(to_floats(*t));
    }
    const double epsilon = norm.node->float_or("epsilon", 1e-5F);
    std::vector<float> weight = to_floats(*w);
    std::vector<float> bias = b ? to_floats(*b) : std::vector<float>(parts[0].size());
    if (bias.size() != parts[0].size()) return false;
    const std::size_t row = weight.size() / bias.size();
    for (std::size_t c = 0; c < bias.size(); ++c) {
      const double k = parts[0][c] / std::sqrt(static_cast<double>(parts[3][c]) + epsilon);
      for (std::size_t i = 0; i < row; ++i) weight[c * row + i] = static_cast<float>(weight[c * row + i] * k);
      bias[c] = static_cast<float>((static_cast<double>(bias[c]) - parts[2][c]) * k + parts[1][c]);
    }
    conv.inputs.resize(3);
    conv.inputs[1] = add_constant(Tensor::of(w->shape, std::span<const float>(weight)));
    conv.inputs[2] = add_constant(Tensor::of({w->shape[0]}, std::span<const float>(bias)));
    return true;
  }

  static constexpr std::size_t kNone = ~std::size_t{0};
  const Model& model_;
  Program& p_;
  const FactsMap& facts_;
  std::vector<std::vector<std::size_t>> readers_;  ///< by slot: steps
  std::vector<std::int64_t> maker_;                ///< by slot: step, or -1
  std::vector<bool> gone_;
};

}  // namespace

void fuse(const Model& model, Program& program, const FactsMap& facts) {
  Fuser(model, program, facts).run();
}

}  // namespace compressor::engine
