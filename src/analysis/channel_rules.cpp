// channel_rules: the operators' channel rules, run over a whole model.
#include "analysis/channel_rules.h"

#include "compressor/ops/op.h"

namespace compressor {
namespace {

/// Applies the channel rules to a graph and its bodies.
class RuleRunner {
 public:
  RuleRunner(const Model& model, const ChannelOptions& options, const FactsMap& facts, ChannelLists& lists)
      : model_(model), options_(options), facts_(facts), lists_(lists) {}

  void run_main() {
    for (const Value* v : model_.graph->inputs()) {
      if (!v->initializer()) freeze_value(*v, "graph input '" + v->name() + "'");
    }
    run(*model_.graph);
    for (const Value* v : model_.graph->outputs()) freeze_lists(*v, {0, "graph output '" + v->name() + "'"});
  }

 private:
  void run(const Graph& graph) {
    for (const Node& node : graph.nodes()) run(node);
  }

  void run(const Node& node) {
    if (node.is("Constant")) return;  // constants get their atoms when somebody asks
    ops::ChannelContext context(node, ops::opset_of(model_, node), facts_, lists_,
                                [this](const Graph& body) { run(body); });
    const ops::Op* op = ops::find_op(model_, node);
    for (const FactsMap::Problem& problem : facts_.problems) {
      if (problem.node == &node) return freeze_all(context, node, "its shapes do not fit: " + problem.why);
    }
    if (!op) return freeze_all(context, node, "operator '" + node.op() + "' is not known");
    if (!op->channels) return freeze_all(context, node, "operator '" + node.op() + "' has no channel rule");
    try {
      op->channels(context);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kInternal) throw;
      return freeze_all(context, node, error.what());
    }
    const auto blocked = options_.blocked.find(node.id());
    if (blocked != options_.blocked.end()) return freeze_around(node, blocked->second);
    if (const Value* v = unranked(node)) freeze_around(node, "'" + v->name() + "' has an unknown rank");
  }

  void freeze_around(const Node& node, const std::string& why) {
    for (const auto list : {node.inputs(), node.outputs()}) {
      for (const Value* v : list) {
        if (v) freeze_lists(*v, {node.id(), why});
      }
    }
  }

  /// A tensor at the node of which not even the rank is known: no rule can follow channels through it.
  const Value* unranked(const Node& node) const {
    for (const auto list : {node.inputs(), node.outputs()}) {
      for (const Value* v : list) {
        if (v && !facts_.of(*v).ranked) return v;
      }
    }
    return nullptr;
  }

  void freeze_all(ops::ChannelContext& context, const Node& node, const std::string& why) {
    context.freeze_all(why);
    // What a body of it reads is frozen as well.
    for (const Graph* body : node.bodies()) freeze_captures(*body, {node.id(), why});
  }

  void freeze_captures(const Graph& body, const Reason& why) {
    for (const Node& node : body.nodes()) {
      for (const Value* v : node.inputs()) {
        if (v && &v->graph() != &body) freeze_source(*v, why);
      }
      for (const Graph* inner : node.bodies()) freeze_captures(*inner, why);
    }
    for (const Value* v : body.outputs()) {
      if (&v->graph() != &body) freeze_source(*v, why);
    }
  }

  void freeze_lists(const Value& value, const Reason& why) {
    if (const auto* axes = lists_.find(value)) {
      for (const Places& places : *axes) lists_.atoms.freeze(places, why);
    }
  }

  /// A value that an opaque reader sees: its lists, or frozen ones in place of those not made yet.
  void freeze_source(const Value& value, const Reason& why) {
    if (lists_.find(value)) freeze_lists(value, why);
    freeze_value(value, why.text);
  }

  /// One frozen atom for each axis that has none yet.
  void freeze_value(const Value& value, const std::string& why) {
    const Facts& facts = facts_.of(value);
    if (!facts.ranked) return;
    std::vector<Places>& axes = lists_.of(value);
    if (axes.empty()) axes.resize(facts.dims.size());
    for (std::size_t axis = 0; axis < axes.size(); ++axis) {
      const std::int64_t n = facts.dims[axis].maybe_number().value_or(-1);
      if (n <= 1 || !axes[axis].empty()) continue;
      axes[axis] = lists_.atoms.same(n);
      lists_.atoms.freeze_place(axes[axis][0], {0, why});
    }
  }

  const Model& model_;
  const ChannelOptions& options_;
  const FactsMap& facts_;
  ChannelLists& lists_;
};

}  // namespace

void run_channel_rules(const Model& model, const ChannelOptions& options, const FactsMap& facts,
                       ChannelLists& lists) {
  RuleRunner(model, options, facts, lists).run_main();
}

}  // namespace compressor
