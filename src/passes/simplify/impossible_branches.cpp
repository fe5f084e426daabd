// impossible branches: x -> If(c) { then: f(x) } { else: g(x) } -> y   ==>   x -> f -> y
//
// When the shapes that the user gives the inputs break g: some node there refuses them, so with these shapes
// g never ran to its end. Runtimes check both branches when they load a model and would refuse it for g. What
// did not fit before the shapes were given says nothing.
#include <unordered_set>

#include "passes/simplify/rewrites.h"

namespace compressor::simplify {
namespace {

struct Choice {
  NodeId node;
  bool taken;       ///< the branch that is left
  std::string why;  ///< the other is not
};

class Search {
 public:
  Search(const FactsMap& before, const FactsMap& after) : after_(after) {
    std::unordered_set<const Node*> old;
    for (const FactsMap::Problem& p : before.problems) old.insert(p.node);
    for (const FactsMap::Problem& p : after.problems) {
      if (!old.contains(p.node)) problems_.emplace(p.node, p.why);
    }
  }

  /// Why the graph cannot be run to its end; "" when it can, as far as shapes tell.
  std::string why_not(const Graph& graph) {
    for (const Node& node : graph.nodes()) {
      std::string why = why_not(node);
      if (!why.empty()) return why;
    }
    return "";
  }

  /// Inner ones before those around them.
  const std::vector<Choice>& choices() const { return choices_; }

 private:
  std::string why_not(const Node& node) {
    const Graph* then_body = node.is("If") ? node.body("then_branch") : nullptr;
    const Graph* else_body = node.is("If") ? node.body("else_branch") : nullptr;
    if (then_body && else_body && node.input(0)) {
      std::string no_then = why_not(*then_body);
      const std::string no_else = why_not(*else_body);
      const Facts& condition = after_.of(*node.input(0));
      const auto known = condition.contents ? numbers(*condition.contents) : std::nullopt;
      if (known && known->size() == 1) return known->front() != 0 ? no_then : no_else;
      if (!no_then.empty() && !no_else.empty()) return no_then;
      if (no_then.empty() != no_else.empty())
        choices_.push_back({node.id(), no_then.empty(), no_then + no_else});
      return "";
    }
    const auto it = problems_.find(&node);
    return it == problems_.end() ? std::string() : it->second;
  }

  const FactsMap& after_;
  std::unordered_map<const Node*, std::string> problems_;
  std::vector<Choice> choices_;
};

}  // namespace

void drop_impossible_branches(Model& model, const FactsMap& before, const FactsMap& after,
                              PassContext& context) {
  Search search(before, after);
  if (const std::string why = search.why_not(*model.graph); !why.empty())
    throw Error::usage("the input shapes do not go through the model: {}", why);
  Rewriter rewriter(model, after);
  for (const Choice& choice : search.choices()) {
    const Node* node = rewriter.find(choice.node);
    if (!node) continue;
    const Graph* body = node->body(choice.taken ? "then_branch" : "else_branch");
    if (!body->inputs().empty() || body->outputs().size() != node->outputs().size()) continue;
    context.warn(
        fmt::format("{}: with these input shapes its {} cannot run ({}), so the other is always taken",
                    node->label(), choice.taken ? "else_branch" : "then_branch", choice.why));
    rewriter.inline_body(*node, *body, {}, (node->name().empty() ? "If" : node->name()) + "/");
  }
  if (!search.choices().empty()) rewriter.remove_dead();
}

}  // namespace compressor::simplify
