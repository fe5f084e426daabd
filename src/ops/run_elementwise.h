// run_elementwise: functions of elements in the engine, in whatever order the elements lie.
#pragma once

#include "compressor/kernels/arithmetic.h"
#include "compressor/ops/run.h"

namespace compressor::ops {

/// y = f(x), float32, in the memory of x where nobody else reads it.
bool run_activation(RunContext& ctx, const Activation& f);
/// Reads output 0 where the derivative is told from it, input 0 otherwise.
void activation_gradient(GradientContext& ctx, const Activation& f);
/// Gives the entry of an operator that kernels know by name (see activation_of) its run rule and gradient.
void add_activation_rules(Op& op);

using kernels::Arithmetic;
/// y = a op b, broadcast, float32.
bool run_arithmetic(RunContext& ctx, Arithmetic op);
/// Reads inputs 0 and 1 for products and quotients.
void arithmetic_gradient(GradientContext& ctx, Arithmetic op);
Keep arithmetic_keep(Arithmetic op);

/// y = a ^ b, broadcast, float32.
bool run_power(RunContext& ctx);
/// Reads inputs 0 and 1.
void power_gradient(GradientContext& ctx);

/// Sums `from`, which lies in `layout`, down to the shape that was broadcast to it; the sum lies plain.
Tensor sum_to(const Tensor& from, const Dims& shape, Layout layout = Layout::kPlain);
/// The gradient of input i is d, of the shape of output 0 and in `layout`, summed where the input repeats.
void set_summed(GradientContext& ctx, std::size_t i, const Tensor& d, Layout layout);

}  // namespace compressor::ops
