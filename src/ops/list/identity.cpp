// identity: Identity of tensors, sequences and optionals.
#include "compressor/ops/run.h"
#include "ops/movement.h"
#include "ops/run_movement.h"

namespace compressor::ops {

void register_identity(OpTable& table) {
  table.add({.type = "Identity",
             .infer = [](InferContext& ctx) { ctx.set(0, ctx.in(0)); },
             .compute =
                 [](ComputeContext& ctx) {
                   Tensor copy = ctx.in(0);
                   copy.name.clear();
                   ctx.set(0, std::move(copy));
                 },
             .channels = channels_unary,
             .run =
                 [](RunContext& ctx) {
                   ctx.set(0, ctx.value(0));
                   return true;
                 },
             .gradient = reshape_gradient});
}

}  // namespace compressor::ops
