// simplify: runs the rewrites, round after round with fresh facts, until a round changes nothing.
#include "compressor/passes/simplify.h"

#include <algorithm>

#include "compressor/rewrite/fold.h"
#include "passes/simplify/rewrites.h"

namespace compressor {
namespace {

/// Sound rewrites end long before; a bound all the same.
constexpr int kRounds = 32;

struct Step {
  std::string name;
  std::function<std::int64_t(Rewriter&)> run;
};

std::vector<Rewrite> node_rewrites(const Simplify& options) {
  using namespace simplify;
  std::vector<Rewrite> list;
  if (!*options.no_inline_functions) list.push_back(inline_functions());
  list.push_back(inline_if());
  if (!*options.keep_constants) list.push_back(constants_to_initializers());
  list.push_back(drop_identity());
  list.push_back(drop_dropout());
  list.push_back(drop_cast());
  list.push_back(drop_view());
  list.push_back(drop_transpose());
  list.push_back(drop_slice());
  list.push_back(drop_pad());
  list.push_back(drop_single());
  list.push_back(drop_unused_outputs());
  list.push_back(merge_transposes());
  list.push_back(merge_views());
  if (!*options.keep_batchnorm) list.push_back(fold_batchnorm());
  list.push_back(fold_affine());
  return list;
}

std::vector<Step> graph_steps(const Simplify& options) {
  const auto limit = static_cast<std::uint64_t>(*options.max_constant_bytes);
  return {
      {"fold-shapes", fold_known_contents},
      {"fold-constants",
       [limit](Rewriter& r) { return fold_constants(r, {.max_growth = limit, .keep = {}}); }},
      {"merge-initializers", simplify::merge_initializers},
      {"merge-subexpressions", simplify::merge_subexpressions},
  };
}

/// How often each rewrite fired, in the order of the lists.
class Counts {
 public:
  void add(const std::string& name, std::int64_t count) {
    for (auto& [known, total] : list_) {
      if (known == name) {
        total += count;
        return;
      }
    }
    list_.emplace_back(name, count);
  }
  std::int64_t total() const {
    std::int64_t sum = 0;
    for (const auto& [name, count] : list_) sum += count;
    return sum;
  }
  const std::vector<std::pair<std::string, std::int64_t>>& list() const { return list_; }

 private:
  std::vector<std::pair<std::string, std::int64_t>> list_;
};

}  // namespace

void Simplify::run(Model& model, PassContext& context) {
  const std::vector<Rewrite> rewrites = node_rewrites(*this);
  const std::vector<Step> steps = graph_steps(*this);
  Counts counts;
  std::int64_t dropped_inputs = 0;
  const bool reshaped = simplify::set_input_shapes(model, context);
  std::vector<Rewriter::Skip> skips;
  for (int round = 0; round < kRounds; ++round) {
    const std::int64_t before = counts.total();
    Rewriter rewriter(model, infer_facts(model), &context.filter);
    const std::vector<std::int64_t> fired = rewriter.run(rewrites);
    for (std::size_t i = 0; i < rewrites.size(); ++i) counts.add(rewrites[i].name, fired[i]);
    for (const Step& step : steps) counts.add(step.name, step.run(rewriter));
    const DeadCounts dead = rewriter.remove_dead();
    counts.add("drop-dead-nodes", dead.nodes);
    counts.add("drop-dead-initializers", dead.initializers);
    if (!*no_inline_functions) counts.add("drop-functions", simplify::drop_functions(model));
    dropped_inputs += rewriter.dropped_inputs();
    skips = rewriter.skips();  // those of the last round still stand
    if (rewriter.stuck()) context.warn("the rewrites of nodes were stopped before they came to an end");
    if (counts.total() == before) break;
  }
  for (const Rewriter::Skip& s : skips) context.skip(s.node, s.op, s.why);
  for (const auto& [rewrite, count] : counts.list()) {
    if (count > 0) context.note(fmt::format("{}: {}", rewrite, count));
  }
  if (dropped_inputs > 0) {
    context.note(
        fmt::format("{} graph inputs that only named initializers were dropped with them", dropped_inputs));
  }
  const auto initializers = model.graph->initializers();
  const auto open = std::count_if(initializers.begin(), initializers.end(),
                                  [&](const Value* v) { return model.is_overridable(*v); });
  if (open > 0) {
    context.note(fmt::format(
        "{} initializers are graph inputs too: a caller may replace them, so nothing was folded into "
        "or out of them",
        open));
  }
  context.result.unit = "rewrites";
  context.result.done = counts.total();
  context.result.eligible = counts.total() + context.result.skipped;
  context.result.changed = counts.total() > 0 || reshaped;
}

}  // namespace compressor
