// bit_plan: steps down, in the order of noise for a byte.
#include "compressor/pipeline/bit_plan.h"

#include <algorithm>
#include <limits>

#include "compressor/base/error.h"
#include "compressor/pipeline/hold.h"

namespace compressor {
namespace {

std::uint64_t constant_bytes(const Model& model) {
  std::uint64_t bytes = 0;
  model.each_graph([&](const Graph& graph) {
    for (const Value* v : graph.initializers()) bytes += v->initializer()->byte_size();
  });
  return bytes;
}

struct Step {
  std::size_t layer = 0, choice = 0;  ///< to this choice
  double price = 0;                   ///< noise for a byte
};

struct Point {
  double noise = 0, bytes = 0;
};

class Planner {
 public:
  Planner(Trials& trials, const std::vector<std::string>& choices) : trials_(trials), choices_(choices) {}

  /// Noise and bytes of every layer alone at every choice, and the steps between them, the cheapest first.
  void look(const Yardstick& yardstick, const std::function<void(const std::string&, double)>& progress) {
    const auto& layers = trials_.layers();
    for (std::size_t i = 0; i < layers.size(); ++i) {
      if (progress) progress(layers[i].node, static_cast<double>(i) / static_cast<double>(layers.size()));
      std::vector<Point> points;
      for (const std::string& bits : choices_) {
        const auto trial = trials_.only({layers[i].node}, {{layers[i].node, bits_setting(bits)}});
        if (!trial) break;  // too small to gain from so few
        points.push_back(
            {yardstick.read(trial->model).noise, static_cast<double>(constant_bytes(trial->model))});
      }
      add_steps(i, points);
    }
    std::stable_sort(steps_.begin(), steps_.end(),
                     [](const Step& a, const Step& b) { return a.price < b.price; });
  }

  std::size_t steps() const { return steps_.size(); }

  std::optional<Trial> trial(std::size_t taken) const {
    Trials::Own own;
    const std::vector<std::string> bits = bits_after(taken);
    for (std::size_t i = 0; i < bits.size(); ++i) own[trials_.layers()[i].node] = bits_setting(bits[i]);
    return trials_.without({}, own);
  }

  std::vector<std::string> bits_after(std::size_t taken) const {
    std::vector<std::string> bits(trials_.layers().size(), choices_.front());
    for (std::size_t s = 0; s < taken; ++s) bits[steps_[s].layer] = choices_[steps_[s].choice];
    return bits;
  }

 private:
  static LayerSettings::Settings bits_setting(const std::string& bits) { return {{"bits", bits}}; }

  /// The lower hull of noise over bytes: what saves nothing is no step, and of two steps the first is never
  /// the dearer one.
  void add_steps(std::size_t layer, const std::vector<Point>& points) {
    std::size_t at = 0;
    while (at + 1 < points.size()) {
      std::size_t best = at;
      double price = std::numeric_limits<double>::infinity();
      for (std::size_t to = at + 1; to < points.size(); ++to) {
        const double saved = points[at].bytes - points[to].bytes;
        if (saved <= 0) continue;
        const double p = std::max(0.0, points[to].noise - points[at].noise) / saved;
        if (p > price) continue;
        price = p;
        best = to;
      }
      if (best == at) return;
      steps_.push_back({layer, best, price});
      at = best;
    }
  }

  Trials& trials_;
  const std::vector<std::string>& choices_;
  std::vector<Step> steps_;
};

}  // namespace

std::optional<BitPlan> plan_bits(Trials& trials, const Yardstick& yardstick,
                                 const std::vector<std::string>& choices,
                                 const std::function<bool(const Model&)>& holds,
                                 const std::function<void(const std::string& what, double share)>& progress) {
  Planner planner(trials, choices);
  planner.look(yardstick, progress);
  BitPlan plan{.bits = {}, .trial = {}, .tries = 0};
  const auto judge = [&](std::size_t undone) {
    const std::size_t taken = planner.steps() - undone;
    if (progress) progress(fmt::format("{} steps down", taken), 0);
    std::optional<Trial> trial = planner.trial(taken);
    ++plan.tries;
    if (!trial || !holds(trial->model)) return false;
    plan.trial = std::move(*trial);
    return true;
  };
  const std::optional<std::size_t> undone = fewest(planner.steps(), judge);
  if (!undone) return std::nullopt;
  const std::vector<std::string> bits = planner.bits_after(planner.steps() - *undone);
  for (std::size_t i = 0; i < bits.size(); ++i) plan.bits.emplace_back(trials.layers()[i], bits[i]);
  return plan;
}

}  // namespace compressor
