// node_filter_test: which nodes patterns mean.
#include "compressor/pass/node_filter.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "compressor/base/error.h"
#include "compressor/pass/pass.h"

namespace compressor {
namespace {

using Names = std::vector<std::string>;

NodeSpec spec(const std::string& op, const Value* x, const std::string& out, const std::string& name) {
  NodeSpec s;
  s.op = op;
  s.inputs = {x};
  s.outputs = {out};
  s.name = name;
  return s;
}

class NodeFilterTest : public ::testing::Test {
 protected:
  NodeFilterTest() {
    Graph& g = *model.graph;
    const Value* x = g.add_input("x", Type::tensor(DType::kFloat, {2}));
    g.add_node(spec("Relu", x, "a", "block1/relu"));
    g.add_node(spec("Relu", g.find("a"), "b", "block2/relu"));
    g.add_node(spec("Abs", g.find("b"), "nameless_out", ""));
    g.add_output(*g.find("nameless_out"));
  }
  Names chosen(const Names& include, const Names& exclude) const {
    const NodeFilter filter(include, exclude);
    filter.check_against(model);
    Names names;
    for (const Node& node : model.graph->nodes()) {
      if (filter.matches(node)) names.push_back(node.output(0)->name());
    }
    return names;
  }
  std::string refusal(const Names& include) const {
    try {
      chosen(include, {});
    } catch (const Error& e) {
      return e.what();
    }
    return "accepted";
  }
  Model model;
};

TEST_F(NodeFilterTest, RegularExpressionsAndOperators) {
  EXPECT_EQ(chosen({}, {}), (Names{"a", "b", "nameless_out"}));
  EXPECT_EQ(chosen({"block1"}, {}), Names{"a"});
  EXPECT_EQ(chosen({"^block[12]/"}, {"block2"}), Names{"a"});
  EXPECT_EQ(chosen({"op:Relu"}, {}), (Names{"a", "b"}));
  EXPECT_EQ(chosen({}, {"op:Relu"}), Names{"nameless_out"});
  EXPECT_EQ(chosen({"nameless"}, {}), Names{"nameless_out"}) << "a node without a name goes by its output";
}

TEST_F(NodeFilterTest, PatternsFromAFile) {
  const auto path = std::filesystem::temp_directory_path() / "compressor_node_filter_test.txt";
  std::ofstream(path) << "# two of them\r\nblock1\r\n\nop:Abs\n";
  EXPECT_EQ(chosen({"@" + path.string()}, {}), (Names{"a", "nameless_out"}));
  std::filesystem::remove(path);
  EXPECT_THROW(chosen({"@" + path.string()}, {}), Error);
}

TEST_F(NodeFilterTest, PatternsThatMatchNothing) {
  EXPECT_EQ(refusal({"op:Rleu"}), "pattern 'op:Rleu': matches no node of the model; did you mean 'op:Relu'?");
  EXPECT_THAT(refusal({"block1", "block3"}), ::testing::StartsWith("pattern 'block3': matches no node"));
  EXPECT_THAT(refusal({"("}), ::testing::StartsWith("pattern '(': is not a regular expression"));
  EXPECT_THAT(refusal({""}), ::testing::StartsWith("pattern ''"));
}

TEST_F(NodeFilterTest, LongNamesDoNotOverflowTheStack) {
  const Value* b = model.graph->find("b");
  model.graph->add_node(spec("Neg", b, "long", std::string(1000000, 'n')));
  EXPECT_THAT(chosen({"(n|m)+"}, {}), ::testing::Contains("long"));
}

}  // namespace
}  // namespace compressor
