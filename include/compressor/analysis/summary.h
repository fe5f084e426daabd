// summary: what a model is, without touching its weights or inferring anything.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "compressor/graph/model.h"

namespace compressor {

struct ModelSummary {
  struct Port {
    std::string name, dtype, shape;  ///< shape as declared: "batchx3x224x224", "?" when there is none
  };
  struct Count {
    std::string name;  ///< "Conv", "com.microsoft.FusedConv"
    std::int64_t count = 0;
  };
  struct Stored {
    std::string dtype;
    std::int64_t tensors = 0;
    std::uint64_t elements = 0, bytes = 0;
  };
  std::int64_t ir_version = 0;
  std::string producer, graph_name, doc;
  std::vector<std::pair<std::string, std::int64_t>> opsets;  ///< "ai.onnx" for the default domain
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<Port> inputs, outputs;   ///< inputs that are initializers too are not listed
  std::int64_t nodes = 0;              ///< bodies included
  std::int64_t bodies = 0;             ///< graphs inside If, Loop and Scan
  std::vector<Count> ops;              ///< most frequent first
  std::vector<Count> functions;        ///< model-local functions and how many nodes call each
  std::vector<Count> unknown_ops;      ///< neither in our table nor functions; most frequent first
  std::uint64_t params = 0;            ///< by the rule of weights.h
  std::uint64_t generated_params = 0;  ///< of these, made by ConstantOfShape and not stored
  std::vector<Stored> stored;          ///< by element type, largest first
  std::int64_t training_graphs = 0;
  std::vector<std::string> warnings;
};

ModelSummary summarize(const Model& model);
/// A declared type for people: "float32 batchx3x224x224", "sequence of int64".
std::string type_text(const Type& type);
std::string shape_text(const Type& type);

}  // namespace compressor
