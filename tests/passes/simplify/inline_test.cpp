// If with a known condition and model-local functions are inlined, or refused with a reason.
#include "passes/simplify/small_net.h"

namespace compressor::judge {
namespace {

/// x -> Op -> result, as a body that captures x.
std::unique_ptr<Graph> branch(const std::string& op, const Value* x) {
  auto body = std::make_unique<Graph>();
  body->set_name(op);
  const Node& node = body->add_node({.op = op, .inputs = {x}, .outputs = {op + "_result"}});
  Type type;
  type.kind = Type::Kind::kTensor;
  type.dtype = DType::kFloat;
  body->set_type(*node.output(0), type);
  body->add_output(*node.output(0));
  return body;
}

const Value* choose(SmallNet& net, const Value* condition, const Value* x) {
  std::vector<Attribute> bodies;
  bodies.emplace_back("then_branch", branch("Exp", x));
  bodies.emplace_back("else_branch", branch("Neg", x));
  return net.add("If", {condition}, std::move(bodies));
}

TEST(InlineIf, TakesTheBranchOfAConstantCondition) {
  for (const double taken : {0.0, 1.0}) {
    SmallNet net;
    const std::vector<double> value{taken};
    const Value* condition = net.constant("c", Tensor::of(DType::kBool, {}, std::span(value)));
    net.output(choose(net, condition, net.add("Relu", {net.input("x", {3})})));
    const Simplified s = simplify(net.model());
    EXPECT_EQ(count(s.graph(), "If"), 0U);
    EXPECT_EQ(count(s.graph(), taken != 0 ? "Exp" : "Neg"), 1U);
    EXPECT_EQ(s.graph().nodes().size(), 2U);
    REQUIRE_REFEREE();
    expect_same_numbers(s);
  }
}

TEST(InlineIf, LeavesAnOpenCondition) {
  SmallNet net;
  net.output(choose(net, net.input("c", {}, DType::kBool), net.input("x", {3})));
  const Simplified s = simplify(net.model());
  EXPECT_EQ(count(s.graph(), "If"), 1U);
  EXPECT_FALSE(s.result.changed);
}

/// f(u) { v = LeakyRelu(u, alpha = @slope); w = g(v) }, g(u) { Mul(u, u) }.
void add_functions(Model& model, std::int64_t opset) {
  model.opsets.push_back({.domain = "own", .version = 1});
  Function g;
  g.name = "g";
  g.domain = "own";
  g.opsets.push_back({.domain = "", .version = opset});
  g.body = std::make_unique<Graph>();
  const Value* u = g.body->add_input("u", {});
  g.body->add_output(*g.body->add_node({.op = "Mul", .inputs = {u, u}, .outputs = {"w"}}).output(0));
  Function f;
  f.name = "f";
  f.domain = "own";
  f.opsets = g.opsets;
  f.opsets.push_back({.domain = "own", .version = 1});
  f.body = std::make_unique<Graph>();
  u = f.body->add_input("u", {});
  f.defaults.emplace_back("slope", 0.5F);
  NodeSpec leaky{.op = "LeakyRelu", .inputs = {u}, .outputs = {"v"}};
  leaky.attributes.emplace_back("alpha", std::monostate{});
  leaky.attributes.back().ref = "slope";
  leaky.attributes.back().ref_type = 1;
  const Value* v = f.body->add_node(std::move(leaky)).output(0);
  f.body->add_output(
      *f.body->add_node({.op = "g", .inputs = {v}, .outputs = {"w"}, .domain = "own"}).output(0));
  model.functions.push_back(std::move(f));
  model.functions.push_back(std::move(g));
}

const Value* call(SmallNet& net, const Value* x, std::optional<float> slope) {
  NodeSpec spec{.op = "f", .inputs = {x}, .outputs = {"called"}, .domain = "own"};
  if (slope) spec.attributes.emplace_back("slope", *slope);
  return net.graph().add_node(std::move(spec)).output(0);
}

TEST(InlineFunctions, WithAttributesDefaultsAndNesting) {
  SmallNet net;
  add_functions(net.model(), 13);
  const Value* y = call(net, net.input("x", {8}), 0.25F);
  net.output(call(net, net.add("Neg", {y}), std::nullopt));
  const Simplified s = simplify(net.model());
  EXPECT_EQ(count(s.graph(), "LeakyRelu"), 2U);
  EXPECT_EQ(count(s.graph(), "Mul"), 2U);
  EXPECT_EQ(s.graph().nodes().size(), 5U);
  EXPECT_TRUE(s.after.functions.empty());
  EXPECT_EQ(s.graph().nodes().front().float_or("alpha", 0), 0.25F);
  Simplify keep;
  keep.no_inline_functions.set(true);
  EXPECT_EQ(simplify(net.model(), keep).after.functions.size(), 2U);
  REQUIRE_REFEREE();
  expect_same_numbers(s);
}

TEST(InlineFunctions, OfAnotherOpsetOnlyWhereTheOperatorsAreTheSame) {
  SmallNet same(14);  // LeakyRelu and Mul: Mul changed in 14, so g stays a function and f is inlined
  add_functions(same.model(), 13);
  same.output(call(same, same.input("x", {8}), std::nullopt));
  const Simplified s = simplify(same.model());
  EXPECT_EQ(count(s.graph(), "LeakyRelu"), 1U);
  EXPECT_EQ(count(s.graph(), "g"), 1U);
  ASSERT_EQ(s.after.functions.size(), 1U);
  ASSERT_EQ(s.result.skipped, 1);
  EXPECT_NE(s.result.layers[0].detail.find("it uses Mul of opset 13, the model imports 14"),
            std::string::npos)
      << s.result.layers[0].detail;
  REQUIRE_REFEREE();
  expect_same_numbers(s);
}

TEST(InlineFunctions, AFunctionThatCallsItselfIsAnError) {
  SmallNet net;
  add_functions(net.model(), 13);
  Graph& g = *net.model().functions[1].body;
  g.add_node({.op = "f", .inputs = {g.inputs()[0]}, .outputs = {"again"}, .domain = "own"});
  net.output(call(net, net.input("x", {8}), std::nullopt));
  Simplify pass;
  PassContext context;
  EXPECT_THROW(pass.run(net.model(), context), Error);
}

}  // namespace
}  // namespace compressor::judge
