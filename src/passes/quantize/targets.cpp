// targets: one row for each runtime, and what other activation types make of it.
//
// ONNX Runtime, measured: u8 activations fuse into QLinearConv, also behind Relu and Clip; ConvTranspose has
// no integer kernel; without VNNI its u8 x s8 products saturate in 16 bits. TensorRT wants signed symmetric
// types and float biases; LiteRT signed activations and weights without -128.
#include "passes/quantize/targets.h"

#include <algorithm>

#include "compressor/base/suggest.h"

namespace compressor::quantize {
namespace {

const std::vector<std::string> kPassing = {"MaxPool", "Reshape",      "Flatten",      "Transpose",
                                           "Squeeze", "Unsqueeze",    "Resize",       "Slice",
                                           "Split",   "DepthToSpace", "SpaceToDepth", "Pad"};

Target onnx_runtime(const std::string& name, const std::string& summary, bool saturates,
                    const std::string& exact_on) {
  Target t;
  t.name = name;
  t.summary = summary;
  t.other_activations = {DType::kInt8, DType::kInt16, DType::kUint16};
  t.saturates = saturates;
  t.compute = {"Conv", "MatMul", "Gemm"};
  t.elementwise = {"Add",  "Mul",  "Concat", "GlobalAveragePool", "AveragePool", "LeakyRelu", "Sigmoid",
                   "Relu", "Clip", "Softmax"};
  t.passing = kPassing;
  t.fused = {"Relu", "Clip"};
  t.microsoft = name.starts_with("ort");
  t.exact_on = exact_on;
  return t;
}

const std::vector<Target>& all() {
  static const std::vector<Target> kAll = [] {
    std::vector<Target> list;
    list.push_back(onnx_runtime("generic", "any runtime", true, "every machine"));
    list.push_back(onnx_runtime("ort-cpu", "ONNX Runtime on processors with VNNI or on ARM", false,
                                "x86 with VNNI, and ARM; without VNNI sums saturate and accuracy is lost"));
    list.push_back(onnx_runtime("ort-cpu-avx2", "ONNX Runtime on x86 without VNNI", true, "every machine"));
    Target trt;
    trt.name = "trt";
    trt.summary = "TensorRT";
    trt.activation = DType::kInt8;
    trt.symmetric_activations = true;
    trt.integer_bias = false;
    trt.reads_qdq_only = true;
    trt.compute = {"Conv", "ConvTranspose", "MatMul", "Gemm"};
    trt.elementwise = {"Add", "GlobalAveragePool", "AveragePool"};
    trt.passing = {"MaxPool", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze"};
    trt.fused = {"Relu", "Clip", "LeakyRelu", "Sigmoid"};
    trt.exact_on = "devices with integer products in 32 bits";
    list.push_back(trt);
    Target tflite = onnx_runtime("tflite", "LiteRT", false, "devices with integer products in 32 bits");
    tflite.activation = DType::kInt8;
    tflite.other_activations = {};
    tflite.pools_keep_scale = true;
    tflite.reads_qdq_only = true;
    tflite.float_logits = false;
    tflite.compute = {"Conv", "ConvTranspose", "MatMul", "Gemm"};
    list.push_back(tflite);
    return list;
  }();
  return kAll;
}

}  // namespace

CodeRange activation_codes(const Target& target) {
  const bool is_signed = target.activation == DType::kInt8 || target.activation == DType::kInt16;
  return code_range(bits(target.activation), is_signed, target.symmetric_activations);
}

Target with_activation(Target target, DType type) {
  if (type == target.activation) return target;
  const auto& others = target.other_activations;
  if (std::find(others.begin(), others.end(), type) == others.end()) {
    std::string known(name(target.activation));
    for (const DType t : others) known += fmt::format(", {}", name(t));
    throw Error::usage("--activation-type {} does not go with --target {}: expected {}", name(type),
                       target.name, known);
  }
  target.activation = type;
  if (bits(type) == 8) return target;
  target.symmetric_activations = type == DType::kInt16;
  target.saturates = false;
  target.exact_on = "every machine";
  return target;
}

std::vector<std::string> target_names() {
  std::vector<std::string> names;
  for (const Target& t : all()) names.push_back(t.name);
  return names;
}

const Target& target_of(std::string_view name) {
  return entry_named(all(), name, "unknown target");
}

}  // namespace compressor::quantize
