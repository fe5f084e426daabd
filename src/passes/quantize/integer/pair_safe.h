// pair_safe: int8 codes with which no two products that a kernel adds in 16 bits leave them.
//
// x86 without VNNI multiplies u8 activations with s8 weights two at a time (vpmaddubsw) and saturates their
// sum. Two products are at most 255 (w_i + w_j), so two codes of one sign that meet there may add up to 128.
// Kernels walk over a channel position by position and input by input (k, c), and begin at an even place:
// inputs 2 i and 2 i + 1 of one position meet, and where a position has an odd number of inputs, any two that
// follow one another may.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "passes/quantize/rounding/gptq.h"

namespace compressor::quantize {

/// Lowers the codes of a channel, no more than needed and least in squares, until no two that meet saturate.
/// `positions` is the size of the kernel, a divisor of codes.size(). True when any code moved.
bool make_pair_safe(std::span<std::int32_t> codes, std::size_t positions);

/// What each code may become, for codes that are safe: any choice within these ranges is safe too.
RowCodes pair_safe_ranges(std::span<const std::int32_t> codes, std::size_t positions);

}  // namespace compressor::quantize
