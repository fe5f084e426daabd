// upgrade: raises the opset and the IR version of a model, node by node where an operator changed.
#pragma once

#include <cstdint>
#include <string>

#include "compressor/graph/model.h"
#include "compressor/pass/pass.h"

namespace compressor {

/// The newest opset that upgrade knows the way to.
inline constexpr std::int64_t kNewestUpgrade = 21;

/// "" when every node of the model, bodies included, can be said in that opset of ai.onnx; else the first
/// reason not: "node 'x' (Op) ...". An opset that the model has already reached needs nothing.
std::string why_not_upgrade(const Model& model, std::int64_t opset);
/// Raises ai.onnx to `opset` and the IR version to the one that knows it. Nothing to do when it is there.
/// Throws Error::model with the reason of why_not_upgrade.
void upgrade(Model& model, std::int64_t opset);

/// Drops those inputs of the main graph that are initializers too, which callers might replace. Returns how
/// many.
std::int64_t close_weights(Model& model);

/// Says so in the report, where there were any.
void note_closed(std::int64_t dropped, PassContext& context);

/// Raises the IR version. From 4 on, an initializer that is a graph input too may be replaced by the caller;
/// so that weights stay weights, such inputs are dropped. Returns how many were.
std::int64_t raise_ir(Model& model, std::int64_t version);

}  // namespace compressor
