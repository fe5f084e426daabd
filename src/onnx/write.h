// write: from tensors, types and graphs to the wire; shared by the files that write one kind of message each.
#pragma once

#include <string>

#include "compressor/graph/model.h"
#include "onnx/rope.h"

namespace compressor::wire {

/// Settings of one save, and where large weights go.
struct SaveContext {
  bool strip_docs = false;
  bool external = false;             ///< large initializers into the side file
  bool external_attributes = false;  ///< large tensors of nodes too
  std::string location;              ///< name of the side file
  Rope side;                         ///< its content

  std::string_view doc(const std::string& text) const { return strip_docs ? std::string_view() : text; }
};

std::string type_text(const Type& type);
std::string value_info_text(const Type& type, const std::string& name, const std::string& doc,
                            const std::string& unknown, bool strip_docs);
std::string value_info_text(const Value& value, const std::string& name, bool strip_docs);
std::string opset_text(const OpsetImport& opset);

Rope tensor_rope(SaveContext& context, const Tensor& tensor, const std::string& name, bool may_be_external);
Rope sparse_tensor_rope(SaveContext& context, const SparseTensor& sparse, const std::string& name);
Rope attribute_rope(SaveContext& context, const Attribute& attribute);
Rope node_rope(SaveContext& context, const Node& node);
Rope graph_rope(SaveContext& context, const Graph& graph);
Rope function_rope(SaveContext& context, const Function& function);
Rope model_rope(SaveContext& context, const Model& model);

}  // namespace compressor::wire
