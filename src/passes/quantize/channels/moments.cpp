// moments: means and deviations of channels, passed on from norm to norm, operator by operator.
#include "passes/quantize/channels/moments.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

#include "compressor/base/error.h"
#include "passes/quantize/channels/channel_moves.h"
#include "passes/quantize/channels/clip_to_relu.h"

namespace compressor::quantize {
namespace {

constexpr double kReach = 6;   ///< deviations
constexpr int kPoints = 96;    ///< of the quadrature
constexpr double kSpan = 4.5;  ///< deviations that it covers

using Function = std::function<double(double)>;

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

struct Channel {
  double mean = 0, variance = 0, low = 0, high = 0;
};

Channel at(const ChannelMoments& m, std::size_t c) {
  return {m.mean[c], m.variance[c], m.low[c], m.high[c]};
}

void append(ChannelMoments& m, const Channel& c) {
  m.mean.push_back(c.mean);
  m.variance.push_back(c.variance);
  m.low.push_back(c.low);
  m.high.push_back(c.high);
}

/// Ends at 6 deviations, within those given.
Channel normal(double mean, double variance, double low = -HUGE_VAL, double high = HUGE_VAL) {
  const double reach = kReach * std::sqrt(variance);
  Channel c{mean, variance, std::max(low, mean - reach), std::min(high, mean + reach)};
  if (c.low > c.high) c.low = c.high = std::clamp(mean, std::min(low, high), std::max(low, high));
  return c;
}

Channel mapped(const Channel& x, const Function& f) {
  Channel y{0, 0, HUGE_VAL, -HUGE_VAL};
  const double dev = std::sqrt(x.variance);
  double weight = 0, square = 0;
  for (int i = 0; i <= kPoints; ++i) {
    const double u = kSpan * (2.0 * i / kPoints - 1);
    const double p = std::exp(-u * u / 2);
    const double v = f(std::clamp(x.mean + dev * u, x.low, x.high));
    weight += p;
    y.mean += p * v;
    square += p * v * v;
    const double end = f(x.low + (x.high - x.low) * i / kPoints);
    y.low = std::min(y.low, end);
    y.high = std::max(y.high, end);
  }
  y.mean /= weight;
  y.variance = std::max(0.0, square / weight - y.mean * y.mean);
  return y;
}

class Guesser {
 public:
  explicit Guesser(const Model& model) : model_(model), facts_(infer_facts(model)) {}

  Moments run() {
    for (const Node& node : model_.graph->nodes()) {
      if (!node.domain().empty()) continue;
      auto m = guess(node);
      const bool sound =
          m && !m->mean.empty() &&
          std::all_of(m->variance.begin(), m->variance.end(), [](double v) { return std::isfinite(v); });
      if (!sound) continue;
      for (const Value* y : node.outputs()) {
        if (y && (y == node.output(0) || node.is("Dropout"))) known_[y->name()] = *m;
      }
    }
    return std::move(known_);
  }

 private:
  using Guess = std::optional<ChannelMoments>;

  const ChannelMoments* of(const Value* v) const {
    const auto it = v ? known_.find(v->name()) : known_.end();
    return it == known_.end() ? nullptr : &it->second;
  }
  std::optional<std::vector<float>> numbers(const Value* v) const {
    const auto t = v ? fixed_constant(model_, *v) : std::nullopt;
    return t && t->dtype == DType::kFloat ? std::optional(to_floats(*t)) : std::nullopt;
  }
  std::int64_t rank(const Value& v) const { return facts_.of(v).ranked ? facts_.of(v).rank() : -1; }

  Guess guess(const Node& node) const {
    if (node.is("BatchNormalization")) return norm(node);
    if (node.is("Add") || node.is("Sub") || node.is("Mul")) return pair(node);
    if (node.is("Concat")) return concat(node);
    const ChannelMoments* x = of(node.input(0));
    if (!x) return std::nullopt;
    if (const auto f = function(node)) {
      ChannelMoments y{.axis = x->axis, .mean = {}, .variance = {}, .low = {}, .high = {}};
      for (std::size_t c = 0; c < x->mean.size(); ++c) append(y, mapped(at(*x, c), *f));
      return y;
    }
    if (node.is("PRelu")) return prelu(node, *x);
    for (const char* op :
         {"MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "Identity", "Dropout"}) {
      if (node.is(op)) return *x;
    }
    if ((node.is("Resize") || node.is("Upsample")) && x->axis == 1) return *x;
    const auto moved =
        move_channels(model_, facts_, node, x->axis, static_cast<std::int64_t>(x->mean.size()));
    if (!moved || node.is("ReduceSum")) return std::nullopt;
    ChannelMoments y{.axis = moved->axis, .mean = {}, .variance = {}, .low = {}, .high = {}};
    for (const std::int64_t from : moved->source)
      append(y, from < 0 ? Channel{} : at(*x, static_cast<std::size_t>(from)));
    return y;
  }

  Guess norm(const Node& node) const {
    const auto gamma = numbers(node.input(1)), beta = numbers(node.input(2));
    if (!gamma || !beta || gamma->size() != beta->size() || node.output(1)) return std::nullopt;
    ChannelMoments y;
    for (std::size_t c = 0; c < gamma->size(); ++c)
      append(y, normal(static_cast<double>((*beta)[c]), std::pow(static_cast<double>((*gamma)[c]), 2)));
    return y;
  }

  /// An elementwise function of one value.
  std::optional<Function> function(const Node& node) const {
    const auto a = [&](float otherwise) { return static_cast<double>(node.float_or("alpha", otherwise)); };
    if (node.is("Relu")) return [](double v) { return std::max(0.0, v); };
    if (node.is("Sigmoid")) return sigmoid;
    if (node.is("Tanh")) return [](double v) { return std::tanh(v); };
    if (node.is("Abs")) return [](double v) { return std::abs(v); };
    if (node.is("Neg")) return [](double v) { return -v; };
    if (node.is("Softplus")) return [](double v) { return std::log1p(std::exp(v)); };
    if (node.is("HardSwish")) return [](double v) { return v * std::clamp(v / 6 + 0.5, 0.0, 1.0); };
    if (node.is("LeakyRelu")) return [s = a(0.01F)](double v) { return v < 0 ? s * v : v; };
    if (node.is("Elu")) return [s = a(1)](double v) { return v < 0 ? s * std::expm1(v) : v; };
    if (node.is("HardSigmoid")) {
      const auto b = static_cast<double>(node.float_or("beta", 0.5F));
      return [s = a(0.2F), b](double v) { return std::clamp(s * v + b, 0.0, 1.0); };
    }
    const auto bounds = clip_bounds(model_, node);
    if (!bounds) return std::nullopt;
    return [l = static_cast<double>(bounds->low), h = static_cast<double>(bounds->high)](double v) {
      return std::clamp(v, l, h);
    };
  }

  Guess prelu(const Node& node, const ChannelMoments& x) const {
    const auto slope = numbers(node.input(1));
    const std::size_t n = x.mean.size();
    if (!slope || (slope->size() != 1 && slope->size() != n)) return std::nullopt;
    ChannelMoments y{.axis = x.axis, .mean = {}, .variance = {}, .low = {}, .high = {}};
    for (std::size_t c = 0; c < n; ++c) {
      const auto s = static_cast<double>((*slope)[slope->size() == 1 ? 0 : c]);
      append(y, mapped(at(x, c), [s](double v) { return v < 0 ? s * v : v; }));
    }
    return y;
  }

  static Channel sum(const Channel& a, const Channel& b) {
    return normal(a.mean + b.mean, a.variance + b.variance, a.low + b.low, a.high + b.high);
  }
  static Channel times(const Channel& a, const Channel& b) {
    const double p = a.low * b.low, q = a.low * b.high, r = a.high * b.low, s = a.high * b.high;
    const double variance =
        a.variance * b.variance + a.variance * b.mean * b.mean + b.variance * a.mean * a.mean;
    return normal(a.mean * b.mean, variance, std::min({p, q, r, s}), std::max({p, q, r, s}));
  }

  /// Operands as channels along the result's axis; a constant's are exact.
  Guess operand(const Node& node, std::size_t i, std::int64_t axis, std::int64_t r, std::size_t n) const {
    const Value* v = node.input(i);
    if (const ChannelMoments* m = of(v)) {
      const bool fits = m->axis + r - rank(*v) == axis && (m->mean.size() == n || m->mean.size() == 1);
      return fits ? Guess(*m) : std::nullopt;
    }
    const auto c = v ? fixed_constant(model_, *v) : std::nullopt;
    if (!c || c->dtype != DType::kFloat || (c->size() != 1 && c->size() != n)) return std::nullopt;
    ChannelMoments m;
    if (c->size() == n && n > 1) {
      const std::int64_t place = axis - (r - c->rank());
      if (place < 0 || c->shape[static_cast<std::size_t>(place)] != static_cast<std::int64_t>(n))
        return std::nullopt;
    }
    for (const float f : to_floats(*c)) {
      const auto d = static_cast<double>(f);
      append(m, {d, 0, d, d});
    }
    return m;
  }

  Guess pair(const Node& node) const {
    const Value *a = node.input(0), *b = node.input(1);
    if (!a || !b || !node.output(0)) return std::nullopt;
    if (node.is("Mul")) {
      for (const auto& [x, g] : {std::pair(a, b), std::pair(b, a)}) {
        const Node* gate = g->producer();
        if (!gate || gate->input(0) != x || !of(x)) continue;
        if (const auto f = function(*gate)) return gated(*of(x), *f);
      }
    }
    const std::int64_t r = rank(*node.output(0));
    const ChannelMoments *p = of(a), *q = of(b);
    const ChannelMoments* lead = p && (!q || p->mean.size() >= q->mean.size()) ? p : q;
    if (!lead || r < 0) return std::nullopt;
    const std::int64_t axis = lead->axis + r - rank(lead == p ? *a : *b);
    const std::size_t n = lead->mean.size();
    const Guess left = operand(node, 0, axis, r, n), right = operand(node, 1, axis, r, n);
    if (!left || !right) return std::nullopt;
    ChannelMoments y{.axis = axis, .mean = {}, .variance = {}, .low = {}, .high = {}};
    for (std::size_t c = 0; c < n; ++c) {
      const Channel u = at(*left, left->mean.size() == 1 ? 0 : c);
      Channel w = at(*right, right->mean.size() == 1 ? 0 : c);
      if (node.is("Sub")) w = {-w.mean, w.variance, -w.high, -w.low};
      append(y, node.is("Mul") ? times(u, w) : sum(u, w));
    }
    return y;
  }

  static ChannelMoments gated(const ChannelMoments& x, const Function& f) {
    ChannelMoments y{.axis = x.axis, .mean = {}, .variance = {}, .low = {}, .high = {}};
    for (std::size_t c = 0; c < x.mean.size(); ++c)
      append(y, mapped(at(x, c), [&](double v) { return v * f(v); }));
    return y;
  }

  Guess concat(const Node& node) const {
    ChannelMoments y;
    for (const Value* v : node.inputs()) {
      const ChannelMoments* m = of(v);
      if (!m) return std::nullopt;
      std::int64_t axis = node.int_or("axis", 1);
      if (axis < 0) axis += rank(*v);
      if (m->axis != axis) return std::nullopt;
      y.axis = axis;
      for (std::size_t c = 0; c < m->mean.size(); ++c) append(y, at(*m, c));
    }
    return y;
  }

  const Model& model_;
  FactsMap facts_;
  Moments known_;
};

}  // namespace

Moments guess_moments(const Model& model) {
  return Guesser(model).run();
}

Ranges ranges_of(const Moments& moments) {
  Ranges ranges;
  for (const auto& [name, m] : moments)
    ranges[name] = {static_cast<float>(*std::min_element(m.low.begin(), m.low.end())),
                    static_cast<float>(*std::max_element(m.high.begin(), m.high.end()))};
  return ranges;
}

ChannelMeans means_of(const Moments& moments) {
  ChannelMeans means;
  for (const auto& [name, m] : moments) means[name].assign(m.mean.begin(), m.mean.end());
  return means;
}

ChannelsSeen seen_of(const Moments& moments) {
  ChannelsSeen seen;
  for (const auto& [name, m] : moments) {
    ChannelSeen& s = seen[name];
    for (std::size_t c = 0; c < m.mean.size(); ++c) {
      s.largest.push_back(static_cast<float>(std::max(std::abs(m.low[c]), std::abs(m.high[c]))));
      s.power.push_back(static_cast<float>(m.mean[c] * m.mean[c] + m.variance[c]));
    }
  }
  return seen;
}

void scale_moments(Moments& moments, const ChannelFactors& factors) {
  for (const auto& [name, list] : factors) {
    const auto it = moments.find(name);
    if (it == moments.end() || it->second.mean.size() != list.size()) continue;
    ChannelMoments& m = it->second;
    for (std::size_t c = 0; c < list.size(); ++c) {
      m.mean[c] *= list[c];
      m.variance[c] *= list[c] * list[c];
      m.low[c] *= list[c];
      m.high[c] *= list[c];
    }
  }
}

}  // namespace compressor::quantize
