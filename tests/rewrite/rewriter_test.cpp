// The driver: rewrites fire until none does, what they leave dead goes, and what is not theirs stays.
#include "compressor/rewrite/rewriter.h"

#include <gtest/gtest.h>

#include "compressor/base/error.h"

namespace compressor {
namespace {

Model chain(const std::vector<std::string>& ops) {
  Model model;
  model.ir_version = 8;
  model.opsets.push_back({.domain = "", .version = 13});
  Graph& g = *model.graph;
  const Value* v = g.add_input("x", Type::tensor(DType::kFloat, {2}));
  int i = 0;
  for (const std::string& op : ops) {
    NodeSpec spec{.op = op, .inputs = {v}, .outputs = {"y" + std::to_string(i)}};
    spec.name = "n" + std::to_string(i++);
    v = g.add_node(std::move(spec)).output(0);
  }
  g.add_output(*v);
  return model;
}

std::string ops_of(const Graph& graph) {
  std::string all;
  for (const Node& n : graph.nodes()) all += n.op() + " ";
  return all;
}

/// Neg(Neg(x)) -> x
Rewrite cancel_neg() {
  return {.name = "cancel-neg", .roots = {"Neg"}, .apply = [](Rewriter& r, const Node& node) {
            const Node* first = node.input(0)->producer();
            if (!first || !first->is("Neg") || !Graph::can_replace(*node.output(0), *first->input(0)))
              return false;
            r.replace(*node.output(0), *first->input(0));
            return true;
          }};
}

TEST(Rewriter, FiresUntilNothingIsLeftAndClearsTheDead) {
  Model model = chain({"Relu", "Neg", "Neg", "Neg", "Neg", "Neg", "Exp"});
  Rewriter rewriter(model);
  const std::vector<Rewrite> list{cancel_neg()};
  EXPECT_EQ(rewriter.run(list), std::vector<std::int64_t>{2});
  model.verify();
  EXPECT_EQ(ops_of(*model.graph), "Relu Neg Exp ");
  EXPECT_EQ(rewriter.run(list), std::vector<std::int64_t>{0});
}

TEST(Rewriter, LeavesExcludedNodesAlone) {
  Model model = chain({"Neg", "Neg", "Exp"});
  const NodeFilter filter({}, {"n1"});
  Rewriter rewriter(model, {}, &filter);
  const std::vector<Rewrite> list{cancel_neg()};
  EXPECT_EQ(rewriter.run(list), std::vector<std::int64_t>{0});
}

TEST(Rewriter, StopsARewriteThatNeverEnds) {
  Model model = chain({"Neg", "Exp"});
  Rewriter rewriter(model);
  const std::vector<Rewrite> list{
      {.name = "forever", .roots = {}, .apply = [](Rewriter& r, const Node& node) {
         r.set_attribute(node, {"k", std::int64_t{1}});
         return true;
       }}};
  rewriter.run(list);
  EXPECT_TRUE(rewriter.stuck());
}

TEST(Rewriter, AConstantTakesTheNameOfWhatItReplaces) {
  Model model = chain({"Neg", "Exp"});
  Rewriter rewriter(model);
  rewriter.replace(*model.graph->find("y0"), Tensor::scalar(1.0F));
  model.verify();
  ASSERT_TRUE(model.graph->find("y0"));
  EXPECT_TRUE(model.graph->find("y0")->initializer());
  EXPECT_EQ(ops_of(*model.graph), "Exp ");
}

TEST(Rewriter, BeforeIrFourAConstantIsAnInputToo) {
  Model model = chain({"Neg", "Exp"});
  model.ir_version = 3;
  Rewriter rewriter(model);
  rewriter.replace(*model.graph->find("y0"), Tensor::scalar(1.0F));
  EXPECT_EQ(model.graph->inputs().size(), 2U);
  EXPECT_TRUE(model.graph->find("y0")->is_input());
}

TEST(Rewriter, AnOutputGetsAnIdentityWhereItsNameCannotMove) {
  Model model = chain({"Neg"});
  Rewriter rewriter(model);
  rewriter.replace(*model.graph->find("y0"), *model.graph->find("x"));
  rewriter.remove_dead();
  model.verify();
  EXPECT_EQ(ops_of(*model.graph), "Identity ");
  EXPECT_EQ(model.graph->outputs()[0]->name(), "y0");
}

TEST(RemoveDead, TakesChainsAndTheirWeightsButNoForeignOperator) {
  Model model = chain({"Exp"});
  Graph& g = *model.graph;
  const Value* w = g.add_initializer("w", Tensor::scalar(1.0F));
  const Value* dead = g.add_node({.op = "Add", .inputs = {g.find("x"), w}, .outputs = {"d"}}).output(0);
  g.add_node({.op = "Relu", .inputs = {dead}, .outputs = {"e"}});
  g.add_node({.op = "Log", .inputs = {g.find("x")}, .outputs = {"f"}, .domain = "foreign"});
  const DeadCounts counts = remove_dead(model);
  model.verify();
  EXPECT_EQ(counts.nodes, 2);
  EXPECT_EQ(counts.initializers, 1);
  EXPECT_EQ(ops_of(g), "Exp Log ");
}

TEST(RemoveDead, KeepsWhatABodyCaptures) {
  Model model = chain({"Exp"});
  Graph& g = *model.graph;
  const Value* captured =
      g.add_node({.op = "Neg", .inputs = {g.find("x")}, .outputs = {"captured"}}).output(0);
  auto branch = [&](const std::string& name) {
    auto body = std::make_unique<Graph>();
    body->add_node({.op = "Log", .inputs = {captured}, .outputs = {"dead_in_" + name}});
    body->add_output(*body->add_node({.op = "Relu", .inputs = {captured}, .outputs = {name}}).output(0));
    return body;
  };
  NodeSpec spec{.op = "If", .inputs = {g.add_input("c", Type::tensor(DType::kBool, {}))}, .outputs = {"z"}};
  spec.attributes.emplace_back("then_branch", branch("a"));
  spec.attributes.emplace_back("else_branch", branch("b"));
  const Node& choice = g.add_node(std::move(spec));
  g.add_output(*choice.output(0));
  EXPECT_EQ(remove_dead(model).nodes, 2);
  model.verify();
  EXPECT_EQ(captured->uses().size(), 2U);
}

TEST(RemoveDead, AnInitializerThatACallerMayGiveStays) {
  Model model = chain({"Exp"});
  model.graph->add_initializer("w", Tensor::scalar(1.0F));
  model.graph->add_input("w", Type::tensor(DType::kFloat, {}));
  EXPECT_EQ(remove_dead(model).initializers, 0);
  model.ir_version = 3;  // where it is a weight by habit
  const DeadCounts counts = remove_dead(model);
  EXPECT_EQ(counts.initializers, 1);
  EXPECT_EQ(counts.inputs, 1);
  EXPECT_EQ(model.graph->inputs().size(), 1U);
}

}  // namespace
}  // namespace compressor
