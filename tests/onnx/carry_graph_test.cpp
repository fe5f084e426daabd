// Attributes, bodies and initializers of every kind are carried from file to file untouched.
#include <gtest/gtest.h>

#include "compressor/onnx/load.h"
#include "compressor/onnx/save.h"
#include "onnx/proto.h"

namespace compressor::test {
namespace {

using google::protobuf::Message;

/// Adds a number, bytes and a group that no version of the format knows.
void add_unknown(Message& message) {
  auto* unknown = message.GetReflection()->MutableUnknownFields(&message);
  unknown->AddVarint(5001, 77);
  unknown->AddLengthDelimited(5002, std::string("kept\0here", 9));
  unknown->AddFixed32(5003, 0x3F800000);
  unknown->AddFixed64(5004, 1);
  unknown->AddGroup(5005)->AddVarint(1, 3);
}

void expect_round_trip(const ::onnx::ModelProto& model) {
  const TempDir dir;
  const RoundTrip r = round_trip(model, dir);
  EXPECT_EQ(difference(r.before, r.after), "");
  save_model(load_model(dir / "round_trip_in.onnx").clone(), dir / "clone.onnx");
  EXPECT_EQ(difference(r.before, parse(dir / "clone.onnx")), "");
}

::onnx::AttributeProto* add_attribute(::onnx::NodeProto* node, const std::string& name, int type) {
  auto* a = node->add_attribute();
  a->set_name(name);
  a->set_type(static_cast<::onnx::AttributeProto::AttributeType>(type));
  return a;
}

TEST(CarryGraph, AttributesOfEveryKind) {
  using A = ::onnx::AttributeProto;
  auto model = tiny_model();
  auto& graph = *model.mutable_graph();
  auto* node = add_node(graph, "Custom", {"", "x", ""}, {"", "z"});
  node->set_domain("my.domain");
  add_attribute(node, "f", A::FLOAT)->set_f(1.5F);
  add_attribute(node, "f0", A::FLOAT)->set_f(0);
  add_attribute(node, "i", A::INT)->set_i(-1);
  add_attribute(node, "s", A::STRING)->set_s(std::string("a\0\xFF", 3));
  *add_attribute(node, "t", A::TENSOR)->mutable_t() = float_tensor("inner", {3000});
  *add_attribute(node, "g", A::GRAPH)->mutable_g() = tiny_model().graph();
  auto* sparse = add_attribute(node, "sp", A::SPARSE_TENSOR)->mutable_sparse_tensor();
  *sparse->mutable_values() = float_tensor("", {2});
  sparse->mutable_indices()->set_data_type(7);
  sparse->mutable_indices()->add_dims(2);
  sparse->mutable_indices()->add_int64_data(1);
  sparse->mutable_indices()->add_int64_data(300);
  sparse->add_dims(400);
  *add_attribute(node, "tp", A::TYPE_PROTO)->mutable_tp() = graph.input(0).type();
  auto* floats = add_attribute(node, "floats", A::FLOATS);
  floats->add_floats(1);
  floats->add_floats(-0.0F);
  auto* ints = add_attribute(node, "ints", A::INTS);
  ints->add_ints(INT64_MIN);
  ints->add_ints(5);
  add_attribute(node, "no_ints", A::INTS);
  add_attribute(node, "no_strings", A::STRINGS);
  auto* strings = add_attribute(node, "strings", A::STRINGS);
  strings->add_strings("");
  strings->add_strings("b");
  *add_attribute(node, "tensors", A::TENSORS)->add_tensors() = float_tensor("a", {1});
  auto* graphs = add_attribute(node, "graphs", A::GRAPHS);
  *graphs->add_graphs() = tiny_model().graph();
  *graphs->add_graphs() = tiny_model().graph();
  *add_attribute(node, "sparses", A::SPARSE_TENSORS)->add_sparse_tensors() = *sparse;
  *add_attribute(node, "types", A::TYPE_PROTOS)->add_type_protos() = graph.input(0).type();
  auto* doc = add_attribute(node, "doc", A::INT);
  doc->set_i(1);
  doc->set_doc_string("why");
  auto* both = add_attribute(node, "also a float", A::INT);
  both->set_i(1);
  both->set_f(2);
  add_attribute(node, "undefined", A::UNDEFINED);
  node->mutable_attribute(node->attribute_size() - 1)->clear_type();
  expect_round_trip(model);
}

TEST(CarryGraph, BodiesThatCaptureAndShareNames) {
  auto model = tiny_model();
  auto& graph = *model.mutable_graph();
  auto* condition = graph.add_input();
  *condition = value_info("c", ::onnx::TensorProto::BOOL, {});
  auto* node = add_node(graph, "If", {"c"}, {"r"});
  for (const char* name : {"then_branch", "else_branch"}) {
    auto* body = add_attribute(node, name, ::onnx::AttributeProto::GRAPH)->mutable_g();
    body->set_name(name);
    *body->add_initializer() = float_tensor("same", {2});
    add_node(*body, "Add", {"y", "same"}, {"inner"});
    auto* nested = add_node(*body, "If", {"c"}, {"out"});
    for (const char* deep : {"then_branch", "else_branch"}) {
      auto* b = add_attribute(nested, deep, ::onnx::AttributeProto::GRAPH)->mutable_g();
      add_node(*b, "Mul", {"inner", "x"}, {"deep"});
      *b->add_output() = value_info("deep", 1, {2});
    }
    *body->add_output() = value_info("out", 1, {2});
  }
  *graph.add_output() = value_info("r", 1, {2});
  expect_round_trip(model);

  const TempDir dir;
  write_proto(dir / "m.onnx", model);
  const Model loaded = load_model(dir / "m.onnx");
  loaded.verify();
  EXPECT_EQ(loaded.graph->find("y")->uses().size(), 3U);  // two bodies and the output
  EXPECT_EQ(loaded.graph->find("x")->uses().size(), 5U);  // Relu and four bodies of bodies
}

TEST(CarryGraph, LoopAndScan) {
  auto model = tiny_model();
  auto& graph = *model.mutable_graph();
  *graph.add_initializer() = float_tensor("w", {2});
  auto* loop = add_node(graph, "Loop", {"", "", "x"}, {"v", "scan"});
  auto* body = add_attribute(loop, "body", ::onnx::AttributeProto::GRAPH)->mutable_g();
  *body->add_input() = value_info("i", 7, {});
  *body->add_input() = value_info("go", 9, {});
  *body->add_input() = value_info("v_in", 1, {2});
  add_node(*body, "Identity", {"go"}, {"go_out"});
  add_node(*body, "Add", {"v_in", "w"}, {"v_out"});
  *body->add_output() = value_info("go_out", 9, {});
  *body->add_output() = value_info("v_out", 1, {2});
  *body->add_output() = value_info("v_in", 1, {2});
  auto* scan = add_node(graph, "Scan", {"x", "scan"}, {"s", "ys"});
  add_attribute(scan, "num_scan_inputs", ::onnx::AttributeProto::INT)->set_i(1);
  auto* step = add_attribute(scan, "body", ::onnx::AttributeProto::GRAPH)->mutable_g();
  *step->add_input() = value_info("state", 1, {2});
  *step->add_input() = value_info("slice", 1, {2});
  add_node(*step, "Add", {"state", "slice"}, {"sum"});
  *step->add_output() = value_info("sum", 1, {2});
  *step->add_output() = value_info("w", 1, {2});  // of the graph around
  expect_round_trip(model);
}

TEST(CarryGraph, OldInitializersThatAreInputs) {
  auto model = tiny_model();
  model.set_ir_version(3);
  auto& graph = *model.mutable_graph();
  *graph.add_input() = value_info("w", 1, {2});
  *graph.add_initializer() = float_tensor("w", {2});
  add_node(graph, "Add", {"x", "w"}, {"z"});
  expect_round_trip(model);
}

TEST(CarryGraph, SparseInitializers) {
  auto model = tiny_model();
  auto& graph = *model.mutable_graph();
  auto* sparse = graph.add_sparse_initializer();
  *sparse->mutable_values() = float_tensor("sparse", {2});
  auto* indices = sparse->mutable_indices();
  indices->set_data_type(7);
  indices->set_name("indices");
  for (const int d : {2, 2}) indices->add_dims(d);
  for (const int i : {0, 1, 2, 3}) indices->add_int64_data(i);
  for (const int d : {3, 4}) sparse->add_dims(d);
  add_unknown(*sparse);
  add_node(graph, "MatMul", {"x", "sparse"}, {"z"});
  expect_round_trip(model);
}

TEST(CarryGraph, DeclarationsThatAPassMadeUntrueAreDropped) {
  auto model = tiny_model();
  auto& graph = *model.mutable_graph();
  *graph.add_value_info() = value_info("y", 1, {2});
  graph.mutable_value_info(0)->set_doc_string("differs from the output's entry");
  const TempDir dir;
  write_proto(dir / "m.onnx", model);
  Model loaded = load_model(dir / "m.onnx");
  loaded.graph->set_type(*loaded.graph->find("y"), Type::tensor(DType::kFloat, {1}));
  save_model(loaded, dir / "out.onnx");
  EXPECT_EQ(parse(dir / "out.onnx").graph().value_info_size(), 0);
}

TEST(CarryGraph, UnsortedNodesAreSortedAndSaidSo) {
  auto model = tiny_model();
  auto& graph = *model.mutable_graph();
  graph.clear_node();
  add_node(graph, "Relu", {"h"}, {"y"});
  add_node(graph, "Relu", {"x"}, {"h"});
  const TempDir dir;
  write_proto(dir / "m.onnx", model);
  LoadInfo info;
  const Model loaded = load_model(dir / "m.onnx", {.info = &info});
  loaded.verify();
  ASSERT_EQ(info.warnings.size(), 1U);
  EXPECT_NE(info.warnings[0].find("sorted"), std::string::npos);
  EXPECT_EQ(loaded.graph->nodes().front().output(0)->name(), "h");
}

TEST(CarryGraph, DocsAreStrippedWhenAsked) {
  const TempDir dir;
  auto model = tiny_model();
  model.set_doc_string("a");
  model.mutable_graph()->set_doc_string("b");
  model.mutable_graph()->mutable_node(0)->set_doc_string("c");
  model.mutable_graph()->mutable_input(0)->set_doc_string("d");
  write_proto(dir / "m.onnx", model);
  save_model(load_model(dir / "m.onnx"), dir / "out.onnx", {.strip_docs = true});
  EXPECT_EQ(difference(tiny_model(), parse(dir / "out.onnx")), "");
}

}  // namespace
}  // namespace compressor::test
