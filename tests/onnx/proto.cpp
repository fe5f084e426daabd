// proto: files, comparison by MessageDifferencer, and the sets of real models.
#include "onnx/proto.h"

#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "compressor/onnx/load.h"
#include "compressor/onnx/save.h"

namespace compressor::test {

TempDir::TempDir() {
  std::string name = (fs::temp_directory_path() / "compressor_test.XXXXXX").string();
  if (!::mkdtemp(name.data())) throw std::runtime_error("cannot make a temporary folder");
  path_ = name;
}
TempDir::~TempDir() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::vector<std::string> TempDir::names() const {
  std::vector<std::string> names;
  for (const auto& e : fs::directory_iterator(path_)) names.push_back(e.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

void write_file(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

::onnx::ModelProto parse(const std::string& path) {
  ::onnx::ModelProto model;
  if (!model.ParseFromString(read_file(path))) ADD_FAILURE() << path << ": protobuf cannot parse it";
  return model;
}

void write_proto(const std::string& path, const google::protobuf::Message& message) {
  write_file(path, message.SerializeAsString());
}

std::string difference(const google::protobuf::Message& a, const google::protobuf::Message& b,
                       bool equivalent) {
  google::protobuf::util::MessageDifferencer differ;
  std::string report;
  differ.ReportDifferencesToString(&report);
  if (equivalent) differ.set_message_field_comparison(google::protobuf::util::MessageDifferencer::EQUIVALENT);
  google::protobuf::util::DefaultFieldComparator floats;
  floats.set_treat_nan_as_equal(true);
  differ.set_field_comparator(&floats);
  if (differ.Compare(a, b)) return "";
  return report.empty() ? "they differ" : report.substr(0, 2000);
}

::onnx::ValueInfoProto value_info(const std::string& name, int dtype, const std::vector<std::int64_t>& dims) {
  ::onnx::ValueInfoProto info;
  info.set_name(name);
  auto* tensor = info.mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(dtype);
  auto* shape = tensor->mutable_shape();
  for (const std::int64_t d : dims) shape->add_dim()->set_dim_value(d);
  return info;
}

::onnx::NodeProto* add_node(::onnx::GraphProto& graph, const std::string& op,
                            const std::vector<std::string>& inputs, const std::vector<std::string>& outputs) {
  auto* node = graph.add_node();
  node->set_op_type(op);
  for (const auto& n : inputs) node->add_input(n);
  for (const auto& n : outputs) node->add_output(n);
  return node;
}

::onnx::TensorProto float_tensor(const std::string& name, const std::vector<std::int64_t>& dims) {
  ::onnx::TensorProto tensor;
  tensor.set_name(name);
  tensor.set_data_type(::onnx::TensorProto::FLOAT);
  std::size_t count = 1;
  for (const std::int64_t d : dims) {
    tensor.add_dims(d);
    count *= static_cast<std::size_t>(d);
  }
  std::string raw(count * sizeof(float), '\0');
  for (std::size_t i = 0; i < raw.size(); ++i) raw[i] = static_cast<char>(i * 7 % 63);
  tensor.set_raw_data(raw);
  return tensor;
}

::onnx::ModelProto tiny_model() {
  ::onnx::ModelProto model;
  model.set_ir_version(8);
  auto* opset = model.add_opset_import();
  opset->set_domain("");
  opset->set_version(17);
  auto& graph = *model.mutable_graph();
  graph.set_name("tiny");
  *graph.add_input() = value_info("x", ::onnx::TensorProto::FLOAT, {2});
  *graph.add_output() = value_info("y", ::onnx::TensorProto::FLOAT, {2});
  add_node(graph, "Relu", {"x"}, {"y"})->set_name("relu");
  return model;
}

std::vector<std::string> onnx_files(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code ignored;
  for (const auto& e : fs::recursive_directory_iterator(folder, ignored)) {
    if (e.path().extension() == ".onnx" && e.is_regular_file()) files.push_back(e.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> testdata_models() {
  std::vector<std::string> files = onnx_files("/usr/share/libonnx-testdata");
  return files.empty() ? onnx_files("/usr/lib/python3/dist-packages/onnx/backend/test") : files;
}

std::vector<std::string> shared_models() {
  const char* folder = std::getenv("COMPRESSOR_MODELS");
  return onnx_files(folder ? folder : COMPRESSOR_SOURCE_DIR "/../shared/models");
}

RoundTrip round_trip(const std::string& path, const TempDir& dir) {
  const std::string out = dir / "round_trip_out.onnx";
  save_model(load_model(path), out);
  return {parse(path), parse(out), read_file(path) == read_file(out)};
}

RoundTrip round_trip(const ::onnx::ModelProto& model, const TempDir& dir) {
  const std::string in = dir / "round_trip_in.onnx";
  write_proto(in, model);
  return round_trip(in, dir);
}

std::string error_of(ErrorKind kind, const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    if (error.kind() != kind) return std::string("another kind of error: ") + error.what();
    return error.what();
  }
  return "no error";
}

}  // namespace compressor::test
