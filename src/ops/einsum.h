// einsum: equations of labelled axes, and their portable arithmetic.
#pragma once

#include <vector>

#include "compressor/ops/op.h"

namespace compressor::ops {

/// Label of one axis: a letter, or kEllipsis + position from the right inside "...".
using Label = int;
constexpr Label kEllipsis = 1000;

struct Equation {
  std::vector<std::vector<Label>> operands;
  std::vector<Label> output;
};

/// The node's equation for operands of the given ranks. Throws Error::model for what is no equation or does
/// not fit.
Equation read_equation(const Node& node, const std::vector<std::int64_t>& ranks);

/// Operands are multiplied two at a time, from the left; a label is summed over as soon as nothing asks for
/// it.
void compute_einsum(ComputeContext& ctx);
/// Reads all inputs. Not of a label that is named twice in one operand.
void einsum_gradient(GradientContext& ctx);

}  // namespace compressor::ops
