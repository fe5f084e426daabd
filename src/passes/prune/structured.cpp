// structured: the order of work of channel pruning.
#include "passes/prune/structured.h"

#include <algorithm>
#include <cmath>

#include "compressor/analysis/channel_groups.h"
#include "compressor/rewrite/fold.h"
#include "passes/prune/budget.h"
#include "passes/prune/criterion.h"
#include "passes/prune/cut.h"
#include "passes/prune/explain.h"
#include "passes/prune/layer_ratios.h"
#include "passes/prune/select.h"
#include "passes/prune/untie.h"

namespace compressor::prune {
namespace {

/// A node whose shrink rule fails is frozen and everything tried again; this many nodes at most.
constexpr int kMaxBlocked = 200;

bool wanted(const ChannelGroup& group, const std::string& granularity) {
  if (granularity == "head")
    return group.outer && !group.has_free_outer;  // kv heads with all that share them
  if (group.has_free_inner) return false;         // its inner factor is cut instead
  if (granularity == "channel") return true;
  return name(group.kind) == granularity;
}

class ChannelPruning {
 public:
  ChannelPruning(Model& model, const Prune& options, PassContext& context)
      : model_(model), options_(options), context_(context), ratios_(*options.layers, context.layers) {}

  void run() {
    copies_ = untie_vectors(model_);
    FoldOptions fold;
    fold.keep_views = true;
    if (fold_weight_constants(model_, fold))
      context_.note("weights that were computed from constants were computed once, to be cut");
    for (const auto& [input, dims] : context_.input_shapes)
      channel_options_.infer.input_shapes[input] = sym_dims(dims);
    channel_options_.through_norm = *options_.through_norm;
    while (true) {
      groups_.emplace(find_channel_groups(model_, channel_options_));
      judge();
      if (*options_.explain) return explain();
      if (candidates_.empty())
        throw Error::target("nothing can be cut at granularity {}: {}", *options_.granularity, why_nothing());
      if (CutResult result = attempt(); result.model) return finish(std::move(result));
    }
  }

 private:
  /// Fills candidates_ with the groups that may be cut, and reasons_ with why the others may not.
  void judge() {
    candidates_.clear();
    reasons_.assign(groups_->groups.size(), "");
    WeightCache weights;
    ScoreContext score_context{weights, context_.seed};
    const Criterion& measure = criterion(*options_.criterion);
    for (std::size_t i = 0; i < groups_->groups.size(); ++i) {
      const ChannelGroup& group = groups_->groups[i];
      std::string& why = reasons_[i];
      Candidate candidate;
      candidate.group = &group;
      if (!group.frozen.empty()) {
        why = group.frozen;
      } else if (group.producers.empty()) {
        why = "no weight makes these channels";
      } else if (!wanted(group, *options_.granularity)) {
        why = group.has_free_inner && *options_.granularity != "head" ? "its inner factor is cut instead"
                                                                      : kOtherGranularity;
      } else if (static_cast<std::int64_t>(group.units.size()) <= *options_.min_keep) {
        why = fmt::format("has {} and keeps at least {}", group.units.size(), *options_.min_keep);
      } else if (const Node* node = excluded(group)) {
        why = "'" + node->label() + "' is not to be touched";
      } else {
        candidate.scores = measure.score(group, score_context, why);
      }
      if (!why.empty()) continue;
      candidate.ratio = options_.ratio->value_or(0);
      for (const Node* node : group.producers) {
        if (const auto own = ratios_.of(*node)) {
          candidate.ratio = *own;
          candidate.own_ratio = true;
          break;
        }
      }
      candidates_.push_back(std::move(candidate));
    }
  }

  const Node* excluded(const ChannelGroup& group) const {
    for (const Node* node : group.producers) {
      if (!context_.filter.matches(*node)) return node;
    }
    return nullptr;
  }

  CutResult attempt() {
    if (options_.target_macs->empty() && options_.target_params->empty())
      return try_ratio(*options_.ratio.value());
    const Budget budget(model_, groups_->facts, *options_.target_macs, *options_.target_params);
    return budget.search([&](double ratio) { return try_ratio(ratio); }, channel_options_.infer);
  }

  /// Cuts at a ratio. A failure blocks the node for the next round; the result then has no model.
  CutResult try_ratio(double ratio) {
    SelectOptions select_options;
    select_options.global = *options_.scope == "global";
    select_options.ratio = ratio;
    select_options.round_to = *options_.round_to;
    select_options.min_keep = *options_.min_keep;
    for (Candidate& c : candidates_) {
      if (!c.own_ratio) c.ratio = ratio;
    }
    removed_ = select(candidates_, select_options);
    if (removed_.empty()) throw Error::target("nothing is cut: {} of every group rounds to none", ratio);
    CutResult result = cut(model_, *groups_, removed_, channel_options_);
    if (result.model) return result;
    CHECK(result.failed != 0, "{}", result.why);
    const bool is_new = channel_options_.blocked.emplace(result.failed, result.why).second;
    if (is_new && channel_options_.blocked.size() <= kMaxBlocked) return result;
    return one_by_one();
  }

  /// The last resort where freezing the node that does not follow does not help: groups are cut one after the
  /// other, and one with which the cut comes out wrong is left whole.
  CutResult one_by_one() {
    const std::set<Atom> all = std::move(removed_);
    removed_.clear();
    CutResult best;
    std::vector<Candidate> good;
    for (Candidate& candidate : candidates_) {
      std::set<Atom> more = removed_;
      for (const ChannelUnit& unit : candidate.group->units) {
        if (all.contains(unit.root)) more.insert(unit.root);
      }
      CutResult result = cut(model_, *groups_, more, channel_options_);
      if (!result.model) {
        reasons_[static_cast<std::size_t>(candidate.group - groups_->groups.data())] = result.why;
        continue;
      }
      best = std::move(result);
      removed_ = std::move(more);
      good.push_back(std::move(candidate));
    }
    candidates_ = std::move(good);
    if (!best.model)
      throw Error::target("nothing can be cut at granularity {}: {}", *options_.granularity, why_nothing());
    return best;
  }

  void finish(CutResult result) {
    for (const Candidate& c : candidates_) {
      const auto n = static_cast<std::int64_t>(c.group->units.size());
      const auto gone = std::count_if(c.group->units.begin(), c.group->units.end(),
                                      [&](const ChannelUnit& u) { return removed_.contains(u.root); });
      context_.result.eligible += n;
      context_.result.done += gone;
      const std::string what = fmt::format("{} of {} {}s", gone, n,
                                           *options_.granularity == "head" ? "head" : name(c.group->kind));
      record(*c.group, gone > 0 ? "pruned" : "kept", what);
    }
    for (std::size_t i = 0; i < reasons_.size(); ++i) {
      if (reasons_[i].empty() || reasons_[i] == kOtherGranularity) continue;
      if (groups_->groups[i].has_free_inner) continue;  // the axis is cut by its inner factor
      const ChannelGroup& group = groups_->groups[i];
      if (group.producers.empty()) continue;  // nobody makes these: an image's colours, a table of positions
      if (reasons_[i].starts_with("graph ")) {  // the interface of the model was never in question
        record(group, "kept", reasons_[i]);
        continue;
      }
      context_.skip(group.label(), group.producers[0]->op(), reasons_[i]);
    }
    retie_vectors(*result.model, copies_, result.removed);
    context_.result.removed = std::move(result.removed);
    context_.result.changed = true;
    report_training_info();
    model_ = std::move(*result.model);
  }

  void report_training_info() {
    if (model_.training_info.empty()) return;
    context_.warn(
        "the model's training information is carried over unchanged and may name weights of the old shape");
  }

  void record(const ChannelGroup& group, const std::string& action, const std::string& detail) {
    LayerRecord layer;
    layer.node = group.label();
    layer.op = group.producers.empty() ? "" : group.producers[0]->op();
    layer.action = action;
    layer.detail = detail;
    context_.result.layers.push_back(std::move(layer));
  }

  void explain() {
    context_.result.eligible = static_cast<std::int64_t>(candidates_.size());
    for (std::size_t i = 0; i < groups_->groups.size(); ++i) {
      const ChannelGroup& group = groups_->groups[i];
      const auto it = std::find_if(candidates_.begin(), candidates_.end(),
                                   [&](const Candidate& c) { return c.group == &group; });
      for (std::string& line : explain_group(
               group, i, it == candidates_.end() ? std::vector<double>() : it->scores, reasons_[i])) {
        context_.result.explanation.push_back(std::move(line));
      }
    }
  }

  /// The most frequent reason; what the user could do about it where there is something.
  std::string why_nothing() const {
    std::map<std::string, int> counts;
    int through_norm = 0;
    for (std::size_t i = 0; i < reasons_.size(); ++i) {
      if (groups_->groups[i].producers.empty()) continue;
      ++counts[reasons_[i] == kOtherGranularity ? "the model's channels are of other granularities"
                                                : reasons_[i]];
      if (reasons_[i].find("--through-norm") != std::string::npos) ++through_norm;
    }
    if (counts.empty()) return "the model has no weights that make channels";
    const auto most = std::max_element(counts.begin(), counts.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    std::string text = fmt::format("{} ({} of {} groups)", most->first, most->second, reasons_.size());
    if (most->second <= through_norm && !*options_.through_norm) {
      text = fmt::format(
          "{} of {} groups are read by a mean, softmax or norm over their channels; --through-norm cuts "
          "them, but not exactly",
          through_norm, reasons_.size());
    }
    return text + "; --explain tells all";
  }

  static constexpr const char* kOtherGranularity = "the channels are of another granularity";

  Model& model_;
  const Prune& options_;
  PassContext& context_;
  LayerRatios ratios_;
  std::vector<VectorCopy> copies_;
  ChannelOptions channel_options_;
  std::optional<ChannelGroups> groups_;
  std::vector<std::string> reasons_;
  std::vector<Candidate> candidates_;
  std::set<Atom> removed_;
};

}  // namespace

void prune_channels(Model& model, const Prune& options, PassContext& context) {
  context.result.unit = *options.granularity == "head" ? "heads" : "channels";
  ChannelPruning(model, options, context).run();
}

}  // namespace compressor::prune
