// What we do not understand or do not need is carried from file to file untouched.
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

TEST(Carry, UnknownFieldsAtEveryLevel) {
  auto model = tiny_model();
  auto& graph = *model.mutable_graph();
  *graph.add_initializer() = float_tensor("w", {2});
  *graph.add_value_info() = value_info("h", 1, {2});
  auto* node = add_node(graph, "Custom", {"y", "w"}, {"h"});
  node->set_domain("my.domain");
  add_attribute(node, "k", ::onnx::AttributeProto::INT)->set_i(3);
  auto* function = model.add_functions();
  function->set_name("f");
  function->set_domain("my.domain");
  add_unknown(model);
  add_unknown(*model.mutable_opset_import(0));
  add_unknown(graph);
  add_unknown(*graph.mutable_node(0));
  add_unknown(*node->mutable_attribute(0));
  add_unknown(*graph.mutable_initializer(0));
  add_unknown(*graph.mutable_input(0));
  add_unknown(*graph.mutable_output(0));
  add_unknown(*graph.mutable_value_info(0));
  auto* type = graph.mutable_input(0)->mutable_type();
  add_unknown(*type);
  add_unknown(*type->mutable_tensor_type());
  add_unknown(*type->mutable_tensor_type()->mutable_shape());
  add_unknown(*type->mutable_tensor_type()->mutable_shape()->mutable_dim(0));
  add_unknown(*function);
  expect_round_trip(model);
}

TEST(Carry, FieldsOfNewerVersions) {
  auto model = tiny_model();
  auto& graph = *model.mutable_graph();
  ::onnx::StringStringEntryProto entry;
  entry.set_key("namespace");
  entry.set_value("/layer1/relu");
  const std::string metadata = entry.SerializeAsString();
  graph.mutable_node(0)->mutable_unknown_fields()->AddLengthDelimited(8, "overload");
  graph.mutable_node(0)->mutable_unknown_fields()->AddLengthDelimited(9, metadata);
  graph.mutable_unknown_fields()->AddLengthDelimited(16, metadata);
  graph.mutable_input(0)->mutable_unknown_fields()->AddLengthDelimited(4, metadata);
  *graph.add_initializer() = float_tensor("w", {600});
  graph.mutable_initializer(0)->mutable_unknown_fields()->AddLengthDelimited(16, metadata);
  auto* function = model.add_functions();
  function->set_name("f");
  function->add_input("a");
  function->add_output("b");
  auto* inner = function->add_node();
  inner->set_op_type("Elu");
  inner->add_input("a");
  inner->add_output("b");
  auto* ref = add_attribute(inner, "alpha", ::onnx::AttributeProto::FLOAT);
  ref->set_ref_attr_name("alpha");
  function->add_attribute("beta");
  ::onnx::AttributeProto alpha;
  alpha.set_name("alpha");
  alpha.set_type(::onnx::AttributeProto::FLOAT);
  alpha.set_f(0.5F);
  function->mutable_unknown_fields()->AddLengthDelimited(11, alpha.SerializeAsString());
  function->mutable_unknown_fields()->AddLengthDelimited(12, value_info("b", 1, {2}).SerializeAsString());
  function->mutable_unknown_fields()->AddLengthDelimited(12,
                                                         value_info("nowhere", 1, {2}).SerializeAsString());
  function->mutable_unknown_fields()->AddLengthDelimited(13, "overload");
  function->mutable_unknown_fields()->AddLengthDelimited(14, metadata);
  model.mutable_unknown_fields()->AddLengthDelimited(26, "\x0a\x01z");
  expect_round_trip(model);

  const TempDir dir;
  write_proto(dir / "m.onnx", model);
  const Model loaded = load_model(dir / "m.onnx");
  EXPECT_EQ(loaded.graph->nodes().front().overload(), "overload");
  ASSERT_EQ(loaded.functions.size(), 1U);
  const Function& f = loaded.functions.front();
  EXPECT_EQ(f.overload, "overload");
  ASSERT_EQ(f.defaults.size(), 1U);
  EXPECT_EQ(*f.defaults.front().get<float>(), 0.5F);
  EXPECT_EQ(f.body->nodes().front().attribute("alpha")->ref, "alpha");
}

TEST(Carry, EverythingAroundTheGraph) {
  auto model = tiny_model();
  model.set_producer_name("producer");
  model.set_producer_version("1.2");
  model.set_domain("org.example");
  model.set_model_version(0);
  model.set_doc_string("doc");
  auto* custom = model.add_opset_import();
  custom->set_domain("my.domain");
  custom->set_version(1);
  auto* ml = model.add_opset_import();
  ml->set_domain("ai.onnx.ml");
  ml->set_version(3);
  model.add_metadata_props()->set_key("without value");  // an odd entry comes first in what we write
  for (const char* key : {"b", "a", "a"}) {
    auto* entry = model.add_metadata_props();
    entry->set_key(key);
    entry->set_value("");
  }
  auto& graph = *model.mutable_graph();
  graph.set_doc_string("graph doc");
  graph.mutable_node(0)->set_doc_string("node doc");
  graph.mutable_node(0)->set_domain("ai.onnx");
  graph.mutable_input(0)->set_doc_string("input doc");
  *graph.add_initializer() = float_tensor("w", {3, 400});
  graph.mutable_initializer(0)->set_doc_string("tensor doc");
  graph.mutable_initializer(0)->mutable_segment()->set_begin(0);
  auto* annotation = graph.add_quantization_annotation();
  annotation->set_tensor_name("x");
  auto* parameter = annotation->add_quant_parameter_tensor_names();
  parameter->set_key("SCALE_TENSOR");
  parameter->set_value("w");
  auto* training = model.add_training_info();
  *training->mutable_initialization() = graph;
  training->add_update_binding()->set_key("w");
  expect_round_trip(model);
}

TEST(Carry, PresenceOfEmptyFields) {
  auto model = tiny_model();
  model.set_doc_string("");
  model.set_producer_name("");
  model.mutable_opset_import(0)->set_version(0);
  auto& graph = *model.mutable_graph();
  graph.set_name("");
  graph.set_doc_string("");
  graph.mutable_node(0)->set_name("");
  graph.mutable_node(0)->set_domain("");
  graph.mutable_node(0)->set_doc_string("");
  graph.mutable_input(0)->set_doc_string("");
  graph.mutable_input(0)->mutable_type()->set_denotation("");
  graph.add_value_info()->set_name("x");
  graph.mutable_value_info(0)->mutable_type();
  *graph.add_initializer() = float_tensor("w", {0});
  auto* none = graph.add_initializer();
  none->set_name("none");
  none->set_data_type(1);
  none->add_dims(0);
  none->set_data_location(::onnx::TensorProto::DEFAULT);
  none->set_doc_string("");
  expect_round_trip(model);
}

TEST(Carry, DimensionNamesDenotationsAndOddTypes) {
  auto model = tiny_model();
  auto& graph = *model.mutable_graph();
  auto* shape = graph.mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
  shape->mutable_dim(0)->set_dim_param("batch");
  shape->mutable_dim(0)->set_denotation("DATA_BATCH");
  shape->add_dim();
  shape->add_dim()->set_dim_value(0);
  shape->add_dim()->set_dim_value(-1);
  graph.mutable_input(0)->mutable_type()->set_denotation("IMAGE");
  auto* sequence = graph.add_input();
  sequence->set_name("sequence");
  auto* map = sequence->mutable_type()->mutable_sequence_type()->mutable_elem_type()->mutable_map_type();
  map->set_key_type(::onnx::TensorProto::STRING);
  map->mutable_value_type()->mutable_tensor_type()->set_elem_type(::onnx::TensorProto::INT64);
  auto* optional = graph.add_input();
  optional->set_name("optional");
  *optional->mutable_type()->mutable_optional_type()->mutable_elem_type() = graph.input(0).type();
  auto* sparse = graph.add_input();
  sparse->set_name("sparse");
  sparse->mutable_type()->mutable_sparse_tensor_type()->set_elem_type(1);
  sparse->mutable_type()->mutable_sparse_tensor_type()->mutable_shape()->add_dim()->set_dim_value(9);
  auto* opaque = graph.add_input();
  opaque->set_name("opaque");
  opaque->mutable_type()->mutable_opaque_type()->set_domain("d");
  opaque->mutable_type()->mutable_opaque_type()->set_name("n");
  auto* untyped = graph.add_input();
  untyped->set_name("untyped");
  auto* rankless = graph.add_input();
  rankless->set_name("rankless");
  rankless->mutable_type()->mutable_tensor_type()->set_elem_type(23);
  auto* scalar = graph.add_input();
  scalar->set_name("scalar");
  scalar->mutable_type()->mutable_tensor_type()->set_elem_type(99);
  scalar->mutable_type()->mutable_tensor_type()->mutable_shape();
  expect_round_trip(model);
}

TEST(Carry, ValueInfoInItsOrder) {
  auto model = tiny_model();
  auto& graph = *model.mutable_graph();
  add_node(graph, "Relu", {"y"}, {"b"});
  add_node(graph, "Relu", {"b"}, {"a"});
  *graph.add_initializer() = float_tensor("w", {2});
  *graph.add_value_info() = value_info("nowhere", 1, {9});
  *graph.add_value_info() = value_info("b", 1, {2});
  *graph.add_value_info() = value_info("w", 1, {2});
  *graph.add_value_info() = value_info("y", 1, {2});  // an output, the same again
  *graph.add_value_info() = value_info("b", 1, {2});  // twice
  graph.add_value_info()->set_name("x");              // an input, said differently
  *graph.add_value_info() = value_info("a", 1, {2});
  *graph.add_value_info() = value_info("also nowhere", 7, {});
  expect_round_trip(model);
}

TEST(Carry, InputThatIsAnOutputWithAnotherDeclaration) {
  auto model = tiny_model();
  auto& graph = *model.mutable_graph();
  *graph.add_output() = value_info("x", 1, {2});
  graph.mutable_output(1)->set_doc_string("said differently");
  graph.mutable_output(1)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(0)
      ->set_dim_param("n");
  *graph.add_initializer() = float_tensor("w", {2});
  graph.add_output()->set_name("w");
  expect_round_trip(model);
}

}  // namespace
}  // namespace compressor::test
