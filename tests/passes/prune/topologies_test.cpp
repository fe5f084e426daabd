// Channel pruning on topologies: removing equals zeroing, dead channels are the ones that go, and enough
// goes.
//
// What zeroing means here: every slice that the pass lists in `removed` is set to zero in the original,
// makers and readers of a channel alike, so that the channel holds zero where it is made and counts for
// nothing where it is read. Two kinds of constants keep their numbers: running variances (a norm's scale and
// shift are zero already, so they change nothing) and divisors (0 / 0 is not zero).
#include "passes/prune/topologies.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>

#include "compressor/analysis/channel_groups.h"
#include "compressor/passes/prune.h"
#include "compressor/rewrite/fold.h"
#include "referee.h"

namespace compressor::topologies {
namespace {

constexpr std::uint64_t kSeed = 2024;

const std::vector<Topology>& all() {
  static const std::vector<Topology> list = [] {
    std::printf("seed %llu\n", static_cast<unsigned long long>(kSeed));
    std::vector<Topology> found;
    for (const auto make :
         {conv_topologies, branch_topologies, gate_topologies, norm_topologies, attention_topologies,
          transformer_topologies, recurrent_topologies, shape_topologies, control_topologies}) {
      for (Topology& t : make()) found.push_back(std::move(t));
    }
    return found;
  }();
  return list;
}

struct Case {
  const Topology& topology;
  const char* granularity;
  std::int64_t expected;  ///< units that ratio 0.5 removes
};

void for_each_case(const std::function<void(const Case&)>& check) {
  for (const Topology& t : all()) {
    for (const Case& c : {Case{t, "channel", t.channels}, Case{t, "head", t.heads}}) {
      SCOPED_TRACE(t.name + " by " + c.granularity);
      check(c);
    }
  }
}

struct Pruned {
  Model model;
  PassResult result;
};

Pruned prune(const Model& model, const std::string& granularity, double ratio,
             const std::string& criterion = "l2", bool through_norm = false) {
  Prune pass;
  pass.ratio.set(ratio);
  pass.granularity.set(granularity);
  pass.criterion.set(criterion);
  if (through_norm) pass.through_norm.set(true);
  pass.check();
  Pruned p{.model = model.clone(), .result = {}};
  PassContext context;
  try {
    pass.run(p.model, context);
    p.model.verify();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kTarget) ADD_FAILURE() << error.what();
    p.model = model.clone();
    context.result = {};
    context.result.layers.push_back({"", "", "refused", error.what()});
  }
  p.result = std::move(context.result);
  return p;
}

std::string skips(const PassResult& result) {
  std::string text;
  for (const LayerRecord& layer : result.layers)
    text += "\n  " + layer.action + " " + layer.node + ": " + layer.detail;
  return text;
}

bool keeps_its_numbers(const Value& value) {
  return std::any_of(value.uses().begin(), value.uses().end(), [](const Use& use) {
    if (!use.node) return false;
    return (use.node->is("BatchNormalization") && use.index == 4) || (use.node->is("Div") && use.index == 1);
  });
}

/// Positions of one axis of one constant.
using Slices = std::map<std::pair<std::string, std::int64_t>, std::vector<std::int64_t>>;

Slices slices_of(const std::vector<Removed>& removed) {
  Slices slices;
  for (const Removed& r : removed) slices[{r.tensor, r.axis}] = r.index;
  return slices;
}

Tensor with_zeros(const Tensor& tensor, std::int64_t axis, const std::vector<std::int64_t>& positions) {
  std::vector<float> values = to_floats(tensor);
  const auto at = static_cast<std::size_t>(axis);
  const auto n = static_cast<std::size_t>(tensor.shape[at]);
  std::size_t inner = 1;
  for (std::size_t i = at + 1; i < tensor.shape.size(); ++i)
    inner *= static_cast<std::size_t>(tensor.shape[i]);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto position = static_cast<std::int64_t>(i / inner % n);
    if (std::find(positions.begin(), positions.end(), position) != positions.end()) values[i] = 0;
  }
  return Tensor::of(tensor.shape, std::span<const float>(values));
}

/// A value that the model computes from constants (the pass computes it once, to cut it) is multiplied by a
/// mask.
void mask(Graph& graph, const Value& value, std::int64_t axis, const std::vector<std::int64_t>& positions,
          std::int64_t length, std::int64_t rank) {
  Dims shape(static_cast<std::size_t>(rank), 1);
  shape[static_cast<std::size_t>(axis)] = length;
  const std::vector<float> ones(static_cast<std::size_t>(length), 1);
  const Tensor tensor = with_zeros(Tensor::of(shape, std::span(ones)), axis, positions);
  const Value* factor = graph.add_initializer(graph.fresh_name("mask"), tensor);
  const Node& node =
      graph.add_node({.op = "Mul", .inputs = {factor}, .outputs = {graph.fresh_name("masked")}});
  graph.replace_uses(value, *node.output(0));
  graph.set_inputs(node, {&value, factor});
  graph.sort();
}

Model zeroed(const Model& model, const std::vector<Removed>& removed) {
  Model copy = model.clone();
  std::map<std::string, std::int64_t> ranks;
  for (const Removed& r : removed) ranks[r.tensor] = 0;
  const FactsMap facts = infer_facts(copy);
  copy.each_graph([&](Graph& graph) {
    for (auto& [name, rank] : ranks) {
      if (const Value* value = graph.find(name)) rank = facts.of(*value).rank();
    }
  });
  copy.each_graph([&](Graph& graph) {
    for (const Removed& r : removed) {
      const Value* value = graph.find(r.tensor);
      if (!value || keeps_its_numbers(*value)) continue;
      const auto constant = constant_of(*value);
      if (!constant) {
        mask(graph, *value, r.axis, r.index, r.of, ranks[r.tensor]);
      } else if (value->initializer()) {
        graph.set_initializer(*value, with_zeros(*constant, r.axis, r.index));
      } else {
        graph.set_attribute(*value->producer(), {"value", with_zeros(*constant, r.axis, r.index)});
      }
    }
  });
  return copy;
}

/// The weights that the model computes from constants are computed once, as the pass does before it looks.
Model folded(const Model& model) {
  Model copy = model.clone();
  fold_weight_constants(copy);
  return copy;
}

/// A quarter of the units of every group that the granularity cuts, at random, with all their slices.
std::vector<Removed> quarter(const Model& model, const std::string& granularity, Random& random) {
  Slices slices;
  for (const ChannelGroup& group : find_channel_groups(model).groups) {
    const bool wanted = granularity == "head" ? group.outer : !group.has_free_inner;
    if (!group.frozen.empty() || group.producers.empty() || !wanted) continue;
    std::vector<const ChannelUnit*> units;
    for (const ChannelUnit& unit : group.units) units.push_back(&unit);
    for (std::size_t i = 0; i < group.units.size() / 4; ++i) {
      std::swap(units[i], units[i + random.below(units.size() - i)]);
      for (const ConstantSlice& slice : units[i]->slices) {
        auto& list = slices[{slice.value->name(), slice.axis}];
        list.insert(list.end(), slice.positions.begin(), slice.positions.end());
      }
    }
  }
  std::vector<Removed> dead;
  for (auto& [where, list] : slices) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
    dead.push_back({where.first, where.second, 0, list});
  }
  return dead;
}

double largest(const judge::Difference& d) {
  double most = 0;
  for (const judge::Difference::Output& output : d.outputs) most = std::max(most, output.absmax);
  return most;
}

TEST(Topologies, LoseHalfOfEveryGroup) {
  EXPECT_GE(all().size(), 100U);
  for_each_case([](const Case& c) {
    const Pruned p = prune(c.topology.model, c.granularity, 0.5);
    EXPECT_EQ(p.result.done, c.expected) << skips(p.result);
  });
}

TEST(Topologies, LoseTheirDeadQuarter) {
  for (const char* criterion : {"l2", "l1"}) {
    Random random(kSeed);
    for_each_case([&](const Case& c) {
      const Model model = folded(c.topology.model);
      const auto dead = quarter(model, c.granularity, random);
      EXPECT_TRUE(c.expected == 0 || !dead.empty());
      const Pruned p = prune(zeroed(model, dead), c.granularity, 0.25, criterion);
      EXPECT_EQ(slices_of(p.result.removed), slices_of(dead)) << skips(p.result);
    });
  }
}

TEST(Topologies, RefereeRemovingEqualsZeroing) {
  REQUIRE_REFEREE();
  for_each_case([](const Case& c) {
    if (c.expected == 0) return;
    const Pruned p = prune(c.topology.model, c.granularity, 0.5);
    const Model reference = zeroed(c.topology.model, p.result.removed);
    const judge::Difference d = judge::difference(reference, p.model, {.dims = c.topology.dims});
    EXPECT_EQ(d.error, "");
    EXPECT_LT(d.max_rel, 1e-4);
    EXPECT_TRUE(d.shapes_equal && d.same_names && d.finite) << d.reply;
    EXPECT_GT(largest(d), 1e-3) << "all outputs vanish, so nothing was compared";
    EXPECT_GT(judge::difference(c.topology.model, p.model, {.dims = c.topology.dims}).max_rel, 1e-3)
        << "what was removed made no difference";
  });
}

TEST(Topologies, RefereeDeadChannelsAreNotMissed) {
  REQUIRE_REFEREE();
  Random random(kSeed);
  for_each_case([&](const Case& c) {
    const Model model = folded(c.topology.model);
    const auto dead = quarter(model, c.granularity, random);
    if (dead.empty()) return;
    const Model before = zeroed(model, dead);
    const Pruned p = prune(before, c.granularity, 0.25);
    const judge::Difference d = judge::difference(before, p.model, {.dims = c.topology.dims});
    EXPECT_EQ(d.error, "");
    EXPECT_LT(d.max_rel, 1e-5);
    EXPECT_TRUE(d.shapes_equal && d.same_names && d.finite) << d.reply;
    EXPECT_GT(largest(d), 1e-3) << "all outputs vanish, so nothing was compared";
  });
}

TEST(Topologies, RefereeRunsWhatIsCutThroughNorms) {
  REQUIRE_REFEREE();
  for (const Topology& t : all()) {
    if (t.through_norm == 0) continue;
    SCOPED_TRACE(t.name);
    const Pruned p = prune(t.model, "channel", 0.5, "l2", true);
    EXPECT_EQ(p.result.done, t.through_norm) << skips(p.result);
    const judge::Difference d = judge::difference(t.model, p.model, {.dims = t.dims});
    EXPECT_EQ(d.error, "");
    EXPECT_TRUE(d.shapes_equal && d.same_names && d.finite) << d.reply;
  }
}

}  // namespace
}  // namespace compressor::topologies
