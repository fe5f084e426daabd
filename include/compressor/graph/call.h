// call: a model-local function as one of its callers sees it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "compressor/graph/model.h"

namespace compressor {

/// What the attribute references in a function's body stand for in one call: the caller's attribute, else the
/// function's default.
class CallAttributes {
 public:
  CallAttributes(const Function& function, const Node& call);
  /// Null where neither gives one: the referring attribute is absent then.
  const Attribute* find(const std::string& name) const;
  /// Puts values in the place of the references of a node of `graph`, and of the nodes in its bodies.
  void resolve(Graph& graph, const Node& node) const;

 private:
  std::vector<std::pair<std::string, Attribute>> values_;
};

/// The function's body with the call's attributes in place, as the main graph of a model of its own that
/// imports what the function imports.
Model instantiate(const Model& model, const Function& function, const Node& call);

}  // namespace compressor
