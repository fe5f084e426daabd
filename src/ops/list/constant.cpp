// constant: Constant, with every kind of value attribute.
#include "ops/movement.h"

namespace compressor::ops {
namespace {

/// A sparse value as a dense tensor.
std::optional<Tensor> dense(const Node& node) {
  const Attribute* a = node.attribute("sparse_value");
  const auto* sparse = a ? a->get<SparseTensor>() : nullptr;
  if (!sparse) return std::nullopt;
  const Ints at = to_ints(sparse->indices);
  const Strides strides = row_major(sparse->dims);
  const auto n = static_cast<std::int64_t>(sparse->values.size());
  const Cells values(sparse->values);
  CellsOut out(sparse->values.dtype, sparse->dims);
  const std::int64_t rank = sparse->indices.rank() == 2 ? sparse->indices.shape[1] : 1;
  for (std::int64_t i = 0; i < n; ++i) {
    std::int64_t to = 0;
    if (sparse->indices.rank() == 2) {
      for (std::int64_t k = 0; k < rank; ++k) {
        to += at.at(static_cast<std::size_t>(i * rank + k)) * strides.at(static_cast<std::size_t>(k));
      }
    } else {
      to = at.at(static_cast<std::size_t>(i));
    }
    if (to < 0 || to >= out.size()) {
      throw Error::model("node '{}': sparse index {} is outside shape {}", node.label(), to,
                         to_string(sparse->dims));
    }
    out.copy(to, values, i);
  }
  return out.finish();
}

Tensor value_of(const Node& node) {
  if (node.output(0)) {
    if (auto t = constant_of(*node.output(0))) return *t;
  }
  if (auto t = dense(node)) return *t;
  throw Error::model("node '{}' (Constant): no value attribute", node.label());
}

}  // namespace

void register_constant(OpTable& table) {
  table.add({.type = "Constant",
             .infer = [](InferContext& ctx) { ctx.set(0, Facts::of(value_of(ctx.node()))); },
             .compute = [](ComputeContext& ctx) { ctx.set(0, value_of(ctx.node())); },
             .channels = no_channels});
}

}  // namespace compressor::ops
