// Another storage, the same model.
#include "compressor/onnx/convert.h"

#include <gtest/gtest.h>

#include "onnx/proto.h"

namespace compressor::test {
namespace {

::onnx::AttributeProto* add_attribute(::onnx::NodeProto* node, const std::string& name, int type) {
  auto* a = node->add_attribute();
  a->set_name(name);
  a->set_type(static_cast<::onnx::AttributeProto::AttributeType>(type));
  return a;
}

/// y = Relu(x); c = Constant; If(b) { inner Constant }; and one Constant that is an output.
::onnx::ModelProto with_constants() {
  using A = ::onnx::AttributeProto;
  auto model = tiny_model();
  auto& graph = *model.mutable_graph();
  *add_attribute(add_node(graph, "Constant", {}, {"c"}), "value", A::TENSOR)->mutable_t() =
      float_tensor("inner name", {2});
  *graph.add_value_info() = value_info("c", 1, {2});
  add_attribute(add_node(graph, "Constant", {}, {"i"}), "value_int", A::INT)->set_i(3);
  add_attribute(add_node(graph, "Constant", {}, {"s"}), "value_string", A::STRING)->set_s("text");
  add_attribute(add_node(graph, "Constant", {}, {"out"}), "value_float", A::FLOAT)->set_f(3);
  auto* sparse = add_attribute(add_node(graph, "Constant", {}, {"sp"}), "sparse_value", A::SPARSE_TENSOR)
                     ->mutable_sparse_tensor();
  *sparse->mutable_values() = float_tensor("", {1});
  sparse->mutable_indices()->set_data_type(7);
  sparse->mutable_indices()->add_dims(1);
  sparse->mutable_indices()->add_int64_data(1);
  sparse->add_dims(2);
  add_node(graph, "Use", {"c", "i", "s", "sp"}, {"z"})->set_domain("my.domain");
  auto* node = add_node(graph, "If", {"x"}, {"r"});
  auto* body = add_attribute(node, "then_branch", A::GRAPH)->mutable_g();
  *add_attribute(add_node(*body, "Constant", {}, {"k"}), "value", A::TENSOR)->mutable_t() =
      float_tensor("", {2});
  add_node(*body, "Add", {"k", "c"}, {"b"});
  *body->add_output() = value_info("b", 1, {2});
  *graph.add_output() = value_info("out", 1, {});
  return model;
}

TEST(Convert, ConstantsToInitializers) {
  const TempDir dir;
  write_proto(dir / "m.onnx", with_constants());
  const ConvertResult result =
      convert_file(dir / "m.onnx", dir / "out.onnx", {.save = {}, .constants_to_initializers = true});
  EXPECT_EQ(result.constants, 5U);
  load_model(dir / "out.onnx").verify();
  const auto out = parse(dir / "out.onnx");

  auto expected = with_constants();
  auto& graph = *expected.mutable_graph();
  const auto take = [](::onnx::GraphProto& g, int node) {
    ::onnx::NodeProto taken = g.node(node);
    g.mutable_node()->DeleteSubrange(node, 1);
    return taken;
  };
  const auto as_initializer = [](::onnx::GraphProto& g, const ::onnx::NodeProto& node) {
    auto* t = g.add_initializer();
    *t = node.attribute(0).t();
    t->set_name(node.output(0));
  };
  auto& body = *graph.mutable_node(7)->mutable_attribute(0)->mutable_g();
  as_initializer(body, take(body, 0));
  as_initializer(graph, take(graph, 1));
  take(graph, 1);
  auto* i = graph.add_initializer();
  i->set_name("i");
  i->set_data_type(7);
  const std::int64_t three = 3;
  i->set_raw_data(&three, sizeof three);
  take(graph, 1);
  auto* s = graph.add_initializer();
  s->set_name("s");
  s->set_data_type(8);
  s->add_string_data("text");
  auto* sparse = graph.add_sparse_initializer();
  *sparse = take(graph, 2).attribute(0).sparse_tensor();
  sparse->mutable_values()->set_name("sp");
  EXPECT_EQ(difference(expected, out), "");
}

TEST(Convert, ConstantsOfOldModelsBecomeInputsToo) {
  const TempDir dir;
  auto model = with_constants();
  model.set_ir_version(3);
  write_proto(dir / "m.onnx", model);
  EXPECT_EQ(convert_file(dir / "m.onnx", dir / "out.onnx", {.save = {}, .constants_to_initializers = true})
                .constants,
            4U);
  const auto out = parse(dir / "out.onnx");
  EXPECT_EQ(out.graph().input_size(), 1 + 4);
  EXPECT_EQ(difference(out.graph().input(1), value_info("c", 1, {2})), "");
}

TEST(Convert, ThereAndBack) {
  const TempDir dir;
  for (const std::string& file : shared_models()) {
    SCOPED_TRACE(file);
    convert_file(file, dir / "external.onnx", {.save = {.external = true}});
    convert_file(dir / "external.onnx", dir / "single.onnx");
    const auto before = load_model(file);
    const auto after = load_model(dir / "single.onnx");
    ASSERT_EQ(before.graph->initializers().size(), after.graph->initializers().size());
    for (std::size_t i = 0; i < before.graph->initializers().size(); ++i) {
      EXPECT_TRUE(equal(*before.graph->initializers()[i]->initializer(),
                        *after.graph->initializers()[i]->initializer()));
    }
    EXPECT_EQ(before.graph->nodes().size(), after.graph->nodes().size());
  }
}

}  // namespace
}  // namespace compressor::test
