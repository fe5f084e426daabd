// output_error: what a change of a layer's weight does to its outputs, told by the second moment of its
// inputs.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "passes/quantize/rounding/layer_rounding.h"

namespace compressor::quantize {

/// [rows]: d M d^T of each row d [columns] of `rows_of_d`; M [columns, columns] is symmetric and lies in a
/// matrix whose rows are `stride` long. Same bits at any number of threads.
std::vector<double> row_powers(std::span<const float> rows_of_d, std::size_t columns, const float* m,
                               std::size_t stride);

/// Added over all groups and rows of a layer: `d` says what element `at` of the weight's memory differs by.
double output_power(const LayerView& view, const SecondMoment& moment,
                    const std::function<float(std::size_t at)>& d);

}  // namespace compressor::quantize
