// integer_units: values of a quantized graph that exist on paper only.
#pragma once

#include "compressor/graph/graph.h"

namespace compressor {

/// In x -> DequantizeLinear -> op [-> Relu, Clip] -> QuantizeLinear, where runtimes put one kernel that reads
/// and writes codes: what DequantizeLinear gives and what the operators give is never stored. True for such a
/// value.
bool inside_integer_unit(const Value& value);

}  // namespace compressor
