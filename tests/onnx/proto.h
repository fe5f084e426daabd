// proto: ONNX's own protobuf classes as the judge of what we write, and small models made with them.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "compressor/base/error.h"

namespace compressor::test {

namespace fs = std::filesystem;

/// A folder that goes away with the test.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  const fs::path& path() const { return path_; }
  std::vector<std::string> names() const;  ///< what lies in it, sorted

 private:
  fs::path path_;
};

std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& content);
::onnx::ModelProto parse(const std::string& path);
void write_proto(const std::string& path, const google::protobuf::Message& message);

/// "" when equal field by field, unknown fields included; else what differs. `equivalent`: a field that is
/// absent equals one that holds its default.
std::string difference(const google::protobuf::Message& a, const google::protobuf::Message& b,
                       bool equivalent = false);

/// x -> Relu -> y, both float [2].
::onnx::ModelProto tiny_model();
::onnx::ValueInfoProto value_info(const std::string& name, int dtype, const std::vector<std::int64_t>& dims);
::onnx::NodeProto* add_node(::onnx::GraphProto& graph, const std::string& op,
                            const std::vector<std::string>& inputs, const std::vector<std::string>& outputs);
::onnx::TensorProto float_tensor(const std::string& name, const std::vector<std::int64_t>& dims);

/// Every .onnx file below a folder, sorted; empty when there is no such folder.
std::vector<std::string> onnx_files(const std::string& folder);
std::vector<std::string> testdata_models();  ///< of Debian's libonnx-testdata
std::vector<std::string> shared_models();    ///< $COMPRESSOR_MODELS, or ../shared/models beside the sources

/// Loads and saves, then the two files as protobuf sees them.
struct RoundTrip {
  ::onnx::ModelProto before, after;
  bool same_bytes = false;
};
RoundTrip round_trip(const std::string& path, const TempDir& dir);
RoundTrip round_trip(const ::onnx::ModelProto& model, const TempDir& dir);

/// The message of the Error that `action` throws, which must be of that kind; a complaint when there is none.
std::string error_of(ErrorKind kind, const std::function<void()>& action);

}  // namespace compressor::test
