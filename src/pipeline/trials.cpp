// trials: each on a clone, with a filter of its own, on statistics that all share.
#include "compressor/pipeline/trials.h"

#include "compressor/base/error.h"
#include "compressor/pipeline/run.h"

namespace compressor {

Trials::Trials(Pass& pass, const Model& model, const PassContext& context)
    : pass_(pass), model_(model), context_(context) {
  if (pass.layer_action().empty())
    throw Error::usage("{} does not take its layers one by one, so none can be tried alone", pass.name());
  if (!context_.findings) context_.findings = std::make_shared<std::map<std::string, std::any>>();
  whole_ = run(context_.filter, {});
  Labels seen;
  for (const LayerRecord& record : whole_.result.layers) {
    if (record.action != pass.layer_action() || !seen.insert(record.node).second) continue;
    layers_.push_back({.node = record.node, .op = record.op, .pattern = {}, .detail = record.detail});
  }
  std::map<std::string, std::string> patterns;
  model.each_graph([&](const Graph& graph) {
    for (const Node& node : graph.nodes()) patterns.emplace(node.label(), pattern_for(node));
  });
  for (TrialLayer& layer : layers_) layer.pattern = patterns[layer.node];
  context_.progress = {};  // what follows is many runs; whoever wants them tells of them
}

Trial Trials::run(const NodeFilter& filter, const Own& own) {
  Trial trial{.model = model_.clone(), .result = {}};
  PassContext context = context_;
  context.filter = filter;
  for (const auto& [label, settings] : own) context.layers.set(label, settings);
  trial.result = run_pass(pass_, trial.model, context);
  return trial;
}

std::optional<Trial> Trials::without(const Labels& labels, const Own& own) {
  try {
    return run(context_.filter.without(labels), own);
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::kTarget) throw;
    return std::nullopt;
  }
}

std::optional<Trial> Trials::only(const Labels& labels, const Own& own) {
  Labels others;
  for (const TrialLayer& layer : layers_) {
    if (!labels.contains(layer.node)) others.insert(layer.node);
  }
  return without(others, own);
}

}  // namespace compressor
