// counted_width_test: a width that is read by Shape and computed with keeps its old number when it is cut.
//
//   x -> MatMul(w1) -+-> Shape -> Gather(-1) -> Cast -> Sqrt -+
//                    +--------------------------------------> Div -> MatMul(w2) -> y
#include <gtest/gtest.h>

#include "passes/prune/cut.h"
#include "passes/prune/small_nets.h"

namespace compressor::prune {
namespace {

using namespace testing_nets;  // NOLINT(google-build-using-namespace)

Model counted_width() {
  Model model = empty_model();
  Graph& g = *model.graph;
  const Value* x = g.add_input("x", Type::tensor(DType::kFloat, {3, 4}));
  const auto one = [&](const std::string& op, std::vector<const Value*> inputs, const std::string& output) {
    return g.add_node({.op = op, .inputs = std::move(inputs), .outputs = {output}, .name = output}).output(0);
  };
  const Value* hidden = one("MatMul", {x, g.add_initializer("w1", weight({4, 16}))}, "hidden");
  const Value* shape = one("Shape", {hidden}, "shape");
  const Value* last = g.add_initializer("last", Tensor::scalar(std::int64_t{-1}));
  const Value* width = one("Gather", {shape, last}, "width");
  const Value* real = one("Cast", {width}, "real");
  g.set_attribute(*real->producer(), {"to", std::int64_t{1}});
  const Value* root = one("Sqrt", {real}, "root");
  const Value* scaled = one("Div", {hidden, root}, "scaled");
  const Value* y = one("MatMul", {scaled, g.add_initializer("w2", weight({16, 5}))}, "y");
  g.add_output(*y);
  return model;
}

TEST(CountedWidth, KeepsItsOldNumber) {
  const Model model = counted_width();
  ChannelOptions options;
  ChannelGroups groups = find_channel_groups(model, options);
  const Value& hidden = *model.graph->find("hidden");
  std::set<Atom> removed;
  const auto* lists = groups.lists.find(hidden);
  ASSERT_NE(lists, nullptr);
  ASSERT_EQ((*lists)[1].size(), 16U);
  for (std::size_t i = 0; i < 7; ++i) {
    for (const Atom a : groups.lists.atoms.classes((*lists)[1][i])) removed.insert(a);
  }
  const CutResult result = cut(model, groups, removed, options);
  ASSERT_TRUE(result.model) << result.why;
  const Graph& g = *result.model->graph;
  const FactsMap facts = infer_facts(*result.model);
  EXPECT_EQ(facts.of(*g.find("hidden")).dims[1], SymDim(9));
  const Node* root = g.find("root")->producer();
  const auto counted = constant_of(*root->input(0));
  ASSERT_TRUE(counted) << "the count is still computed from the shape";
  EXPECT_EQ(to_doubles(*counted), std::vector<double>{16});
  EXPECT_EQ(g.find("shape"), nullptr) << "nobody reads the shape any more";
}

}  // namespace
}  // namespace compressor::prune
