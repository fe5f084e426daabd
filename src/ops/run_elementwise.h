// run_elementwise: functions of elements in the engine, in whatever order the elements lie.
#pragma once

#include "compressor/ops/run.h"

namespace compressor::ops {

/// y = f(x), float32, in the memory of x where nobody else reads it.
bool run_activation(RunContext& ctx, const Activation& f);
/// Reads output 0 where the derivative is told from it, input 0 otherwise.
void activation_gradient(GradientContext& ctx, const Activation& f);
/// Gives the entry of an operator that kernels know by name (see activation_of) its run rule and gradient.
void add_activation_rules(Op& op);

enum class Arithmetic : std::uint8_t { kAdd, kSub, kMul, kDiv };
/// y = a op b, broadcast, float32.
bool run_arithmetic(RunContext& ctx, Arithmetic op);
/// Reads inputs 0 and 1 for products and quotients.
void arithmetic_gradient(GradientContext& ctx, Arithmetic op);
Keep arithmetic_keep(Arithmetic op);

/// Sums `from` (any order, given with its shape) down to the shape that was broadcast to it.
Tensor sum_to(const Tensor& from, const Dims& shape);

}  // namespace compressor::ops
