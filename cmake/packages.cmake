# Everything that comes from the distribution.
find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(Protobuf REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Eigen3 REQUIRED NO_MODULE)
find_package(CLI11 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)

# libonnx: the distribution's CMake file asks for more than the protobuf classes we need.
find_library(ONNX_PROTO_LIBRARY onnx_proto REQUIRED)
find_path(ONNX_INCLUDE_DIR onnx/onnx-ml.pb.h REQUIRED)
add_library(onnx_proto_ext INTERFACE)
target_include_directories(onnx_proto_ext SYSTEM INTERFACE ${ONNX_INCLUDE_DIR})
target_compile_definitions(onnx_proto_ext INTERFACE ONNX_NAMESPACE=onnx ONNX_ML=1)
target_link_libraries(onnx_proto_ext INTERFACE ${ONNX_PROTO_LIBRARY} protobuf::libprotobuf)
