// Damaged and hostile files: an error that says what is wrong where, never a crash, never a large allocation.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <random>

#include "compressor/onnx/load.h"
#include "compressor/onnx/save.h"
#include "onnx/proto.h"

namespace compressor::test {
namespace {

using Break = std::function<void(::onnx::ModelProto&)>;

struct Case {
  const char* name;
  const char* expected;  ///< part of the message
  Break damage;
};

::onnx::TensorProto& weight(::onnx::ModelProto& m) {
  return *m.mutable_graph()->mutable_initializer(0);
}

::onnx::AttributeProto* body_attribute(::onnx::NodeProto& node, const std::string& name) {
  auto* a = node.add_attribute();
  a->set_name(name);
  a->set_type(::onnx::AttributeProto::GRAPH);
  return a;
}

const std::vector<Case>& cases() {
  static const std::vector<Case> kCases = {
      {"no graph", "no graph", [](auto& m) { m.clear_graph(); }},
      {"no IR version", "no IR version", [](auto& m) { m.clear_ir_version(); }},
      {"no operator set", "imports no operator set", [](auto& m) { m.clear_opset_import(); }},
      {"negative dimension", "negative", [](auto& m) { weight(m).set_dims(0, -2); }},
      {"huge dimensions", "more elements than can be counted",
       [](auto& m) { weight(m).set_dims(0, INT64_MAX), weight(m).add_dims(INT64_MAX); }},
      {"huge dimension", "expected", [](auto& m) { weight(m).set_dims(0, 1LL << 40); }},
      {"bytes overflow", "more bytes than a file can hold",
       [](auto& m) { weight(m).set_dims(0, INT64_MAX); }},
      {"raw too short", "raw_data has 7 bytes, expected 8 for float32 2",
       [](auto& m) { weight(m).mutable_raw_data()->pop_back(); }},
      {"raw too long", "raw_data has 9 bytes", [](auto& m) { *weight(m).mutable_raw_data() += "x"; }},
      {"no payload", "float_data has 0 bytes", [](auto& m) { weight(m).clear_raw_data(); }},
      {"too few floats", "float_data has 4 bytes",
       [](auto& m) { weight(m).clear_raw_data(), weight(m).add_float_data(1); }},
      {"too few integers", "found 1 numbers, its shape asks for 2",
       [](auto& m) { weight(m).clear_raw_data(), weight(m).set_data_type(7), weight(m).add_int64_data(1); }},
      {"no integers", "found 0 numbers",
       [](auto& m) { weight(m).clear_raw_data(), weight(m).set_data_type(6); }},
      {"wrong field", "holds int32_data, expected float_data",
       [](auto& m) { weight(m).clear_raw_data(), weight(m).add_int32_data(1), weight(m).add_int32_data(1); }},
      {"two payloads", "twice", [](auto& m) { weight(m).add_float_data(1); }},
      {"raw strings", "strings are not in string_data", [](auto& m) { weight(m).set_data_type(8); }},
      {"too few strings", "found 1 strings, expected 2",
       [](auto& m) {
         weight(m).set_data_type(8), weight(m).clear_raw_data(), weight(m).add_string_data("a");
       }},
      {"string data of floats", "twice", [](auto& m) { weight(m).add_string_data("a"); }},
      {"initializer twice", "initializer 'w' is there twice",
       [](auto& m) { *m.mutable_graph()->add_initializer() = weight(m); }},
      {"nameless initializer", "has no name", [](auto& m) { weight(m).clear_name(); }},
      {"input twice", "input 'x' is there twice",
       [](auto& m) { *m.mutable_graph()->add_input() = m.graph().input(0); }},
      {"nameless input", "an input has no name",
       [](auto& m) { m.mutable_graph()->mutable_input(0)->clear_name(); }},
      {"output twice", "already the output of a node",
       [](auto& m) { add_node(*m.mutable_graph(), "Relu", {"x"}, {"y"}); }},
      {"output twice in one node", "already the output of a node",
       [](auto& m) { m.mutable_graph()->mutable_node(0)->add_output("y"); }},
      {"output is an input", "already an input",
       [](auto& m) { m.mutable_graph()->mutable_node(0)->set_output(0, "x"); }},
      {"output is an initializer", "already an initializer",
       [](auto& m) { m.mutable_graph()->mutable_node(0)->set_output(0, "w"); }},
      {"unknown input", "node 'relu': reads 'nothing'",
       [](auto& m) { m.mutable_graph()->mutable_node(0)->set_input(0, "nothing"); }},
      {"unknown output", "output 'nothing' is not",
       [](auto& m) { m.mutable_graph()->mutable_output(0)->set_name("nothing"); }},
      {"no operator", "has no op_type", [](auto& m) { m.mutable_graph()->mutable_node(0)->clear_op_type(); }},
      {"cycle of one", "on a cycle", [](auto& m) { m.mutable_graph()->mutable_node(0)->set_input(0, "y"); }},
      {"cycle of two", "on a cycle",
       [](auto& m) {
         m.mutable_graph()->mutable_node(0)->set_input(0, "z");
         add_node(*m.mutable_graph(), "Relu", {"y"}, {"z"});
       }},
      {"cycle through a body", "on a cycle",
       [](auto& m) {
         auto* node = add_node(*m.mutable_graph(), "If", {"x"}, {"z"});
         auto* body = body_attribute(*node, "then_branch")->mutable_g();
         add_node(*body, "Relu", {"z"}, {"inner"});
         *body->add_output() = value_info("inner", 1, {2});
       }},
      {"body reads what is inside another body", "reads 'inner'",
       [](auto& m) {
         auto* node = add_node(*m.mutable_graph(), "If", {"x"}, {"z"});
         add_node(*body_attribute(*node, "then_branch")->mutable_g(), "Relu", {"x"}, {"inner"});
         add_node(*body_attribute(*node, "else_branch")->mutable_g(), "Relu", {"inner"}, {"other"});
       }},
      {"attribute twice", "attribute 'a' is there twice",
       [](auto& m) {
         for (int i = 0; i < 2; ++i) m.mutable_graph()->mutable_node(0)->add_attribute()->set_name("a");
       }},
      {"tensor attribute without a tensor", "has no value",
       [](auto& m) {
         auto* a = m.mutable_graph()->mutable_node(0)->add_attribute();
         a->set_name("a");
         a->set_type(::onnx::AttributeProto::TENSOR);
       }},
      {"damaged tensor attribute", "node 'relu': attribute 'value'",
       [](auto& m) {
         auto* a = m.mutable_graph()->mutable_node(0)->add_attribute();
         a->set_name("value");
         a->set_type(::onnx::AttributeProto::TENSOR);
         *a->mutable_t() = float_tensor("", {3});
         a->mutable_t()->set_dims(0, 4);
       }},
      {"negative declared dimension", "dimension -7",
       [](auto& m) {
         m.mutable_graph()
             ->mutable_input(0)
             ->mutable_type()
             ->mutable_tensor_type()
             ->mutable_shape()
             ->mutable_dim(0)
             ->set_dim_value(-7);
       }},
      {"nested bodies", "nested more than 100 deep",
       [](auto& m) {
         auto* graph = m.mutable_graph();
         for (int i = 0; i < 150; ++i)
           graph = body_attribute(*add_node(*graph, "If", {"x"}, {}), "then_branch")->mutable_g();
       }},
      {"nested types", "nested more than 32 deep",
       [](auto& m) {
         auto* type = m.mutable_graph()->mutable_input(0)->mutable_type();
         for (int i = 0; i < 40; ++i) type = type->mutable_sequence_type()->mutable_elem_type();
       }},
      {"sparse indices of another shape", "indices have shape 3",
       [](auto& m) {
         auto* s = m.mutable_graph()->add_sparse_initializer();
         *s->mutable_values() = float_tensor("s", {2});
         *s->mutable_indices() = float_tensor("", {6});
         s->mutable_indices()->set_data_type(7);
         s->mutable_indices()->set_dims(0, 3);
         s->add_dims(9);
       }},
      {"more sparse values than places", "do not fit",
       [](auto& m) {
         auto* s = m.mutable_graph()->add_sparse_initializer();
         *s->mutable_values() = float_tensor("s", {2});
         s->add_dims(1);
       }},
      {"unknown data location", "data location 7",
       [](auto& m) { weight(m).mutable_unknown_fields()->AddVarint(14, 7); }},
      {"function reads unknown", "reads 'nothing'",
       [](auto& m) {
         auto* node = m.add_functions()->add_node();
         node->set_op_type("Relu");
         node->add_input("nothing");
       }},
      {"function output unknown", "output 'nothing'",
       [](auto& m) { m.add_functions()->add_output("nothing"); }},
  };
  return kCases;
}

TEST(Hostile, Models) {
  const TempDir dir;
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    auto model = tiny_model();
    *model.mutable_graph()->add_initializer() = float_tensor("w", {2});
    c.damage(model);
    write_proto(dir / "m.onnx", model);
    const std::string message = error_of(ErrorKind::kModel, [&] { load_model(dir / "m.onnx"); });
    EXPECT_NE(message.find(c.expected), std::string::npos) << message;
    EXPECT_NE(message.find("m.onnx"), std::string::npos) << message;
  }
}

TEST(Hostile, Files) {
  const TempDir dir;
  EXPECT_NE(error_of(ErrorKind::kIo, [&] { load_model(dir / "missing.onnx"); }).find("cannot open"),
            std::string::npos);
  EXPECT_NE(error_of(ErrorKind::kIo, [&] { load_model(dir.path().string()); }).find("is a directory"),
            std::string::npos);
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  EXPECT_NE(error_of(ErrorKind::kIo, [&] { load_model(dir / "fifo"); }).find("not a regular file"),
            std::string::npos);
  write_file(dir / "empty.onnx", "");
  EXPECT_NE(error_of(ErrorKind::kModel, [&] { load_model(dir / "empty.onnx"); }).find("is empty"),
            std::string::npos);
  write_file(dir / "text.onnx", "This is a text about neural networks.\n");
  EXPECT_NE(error_of(ErrorKind::kModel, [&] { load_model(dir / "text.onnx"); }).find("not an ONNX"),
            std::string::npos);
  write_file(dir / "zeros.onnx", std::string(1000, '\0'));
  EXPECT_NE(error_of(ErrorKind::kModel, [&] { load_model(dir / "zeros.onnx"); }).find("not an ONNX"),
            std::string::npos);
  const std::string graph = tiny_model().SerializeAsString();
  write_file(dir / "two.onnx", graph + graph);
  EXPECT_NE(error_of(ErrorKind::kModel, [&] { load_model(dir / "two.onnx"); }).find("two graphs"),
            std::string::npos);
}

TEST(Hostile, Wire) {
  const TempDir dir;
  const std::string varint11(11, '\xFF');
  std::string groups;
  for (int i = 0; i < 100000; ++i) groups += "\x0B";
  const std::vector<std::string> files = {
      "\x3A\xFF\xFF\xFF\xFF\x0F",                      // a graph of 4 GB
      "\x3A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01",  // of 2^64 - 1 bytes
      "\x3A\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",  // of 2^63
      "\x3A" + varint11,
      "\x08" + varint11,
      varint11,
      "\x3A\x02\x0A\x05",              // a node that leaves its graph
      groups,                          // groups in groups in groups
      std::string("\x0B\x14", 2),      // a group that ends as another
      "\x0C",                          // an end without a beginning
      "\x0E\x0F",                      // wire types that do not exist
      std::string("\x3D\x00\x00", 3),  // a cut fixed32
  };
  for (std::size_t i = 0; i < files.size(); ++i) {
    SCOPED_TRACE(i);
    write_file(dir / "m.onnx", files[i]);
    const std::string message = error_of(ErrorKind::kModel, [&] { load_model(dir / "m.onnx"); });
    EXPECT_NE(message.find("m.onnx: "), std::string::npos) << message;
  }
}

/// Loads, and saves what loads; anything but an Error of the model fails the test.
void survive(const std::string& file, const TempDir& dir) {
  try {
    const Model model = load_model(file);
    model.verify();
    save_model(model, dir / "survived.onnx");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kModel) << error.what();
  }
}

std::vector<std::string> victims() {
  std::vector<std::string> chosen;
  for (const std::string& file : shared_models()) {
    if (fs::file_size(file) < 400000) chosen.push_back(file);
  }
  for (const std::string& file : testdata_models()) {
    if (file.find("test_loop1") != std::string::npos || file.find("sequence_model") != std::string::npos ||
        file.find("test_if_opt") != std::string::npos || file.find("scan_sum") != std::string::npos) {
      chosen.push_back(file);
    }
  }
  return chosen;
}

TEST(Hostile, TruncationAtEveryFiftieth) {
  const TempDir dir;
  for (const std::string& file : victims()) {
    SCOPED_TRACE(file);
    const std::string content = read_file(file);
    for (std::size_t i = 0; i < 50; ++i) {
      write_file(dir / "m.onnx", content.substr(0, content.size() * i / 50));
      EXPECT_NE(error_of(ErrorKind::kModel, [&] { load_model(dir / "m.onnx"); }).find("m.onnx"),
                std::string::npos);
    }
  }
}

TEST(Hostile, FlippedBits) {
  const TempDir dir;
  constexpr unsigned kSeed = 20240611;
  std::printf("seed %u\n", kSeed);
  std::mt19937 random(kSeed);
  for (const std::string& file : victims()) {
    SCOPED_TRACE(file);
    const std::string content = read_file(file);
    for (int round = 0; round < 60; ++round) {
      std::string damaged = content;
      // Half of the damage goes to the front, where the structure is.
      for (int i = 0; i < 8; ++i) {
        const std::size_t range =
            round % 2 == 0 ? damaged.size() : std::min<std::size_t>(damaged.size(), 4000);
        damaged[random() % range] ^= static_cast<char>(1U << (random() % 8));
      }
      write_file(dir / "m.onnx", damaged);
      survive(dir / "m.onnx", dir);
    }
  }
}

TEST(Hostile, Noise) {
  const TempDir dir;
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    std::string noise(random() % 3000, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    if (round % 2 == 0) noise = "\x3A" + noise;  // what could be a graph
    write_file(dir / "m.onnx", noise);
    EXPECT_NE(error_of(ErrorKind::kModel, [&] { load_model(dir / "m.onnx"); }).find("m.onnx"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace compressor::test
