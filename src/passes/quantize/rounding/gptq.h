// gptq: weights to codes such that what the layer gives out moves least, not the weights themselves.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "passes/quantize/grid/affine.h"

namespace compressor::quantize {

/// The codes that a row may use: one range, or one for each column.
struct RowCodes {
  CodeRange range;
  std::vector<std::int8_t> lows{}, highs{};  ///< by column; empty: `range` for all

  std::int32_t low(std::size_t column) const { return lows.empty() ? range.low : lows[column]; }
  std::int32_t high(std::size_t column) const { return highs.empty() ? range.high : highs[column]; }
};

/// Rows of a weight that are multiplied with the same inputs X [columns, n].
struct RoundingTask {
  std::size_t rows = 0, columns = 0;
  std::vector<float> weights;     ///< [rows, columns]
  std::span<const float> moment;  ///< X X^T [columns, columns], times any factor
  /// Element (r, c) has scale number row_scale[r] + column_scale[c].
  std::vector<std::size_t> row_scale, column_scale;
  std::span<float> scale;              ///< may be changed where `fit_scales`
  std::span<const std::int32_t> zero;  ///< empty: 0
  std::vector<RowCodes> codes;         ///< by row
  /// No scale is read by two rows, and they may change: once codes are chosen, each row's scales are solved
  /// for.
  bool fit_scales = false;
};

struct GptqOptions {
  double damping = 0.01;  ///< share of the moment's mean diagonal that is added to the diagonal
  int sweeps = 3;         ///< of single codes to their best, the others fixed, behind the first rounding
};

/// Powers of the layer's output, tr(A M A^T) for the weight and for what is missed of it.
struct OutputLoss {
  double signal = 0;
  double nearest = 0;  ///< when every weight goes to its nearest code
  double noise = 0;    ///< as rounded: never more than `nearest`

  OutputLoss& operator+=(const OutputLoss& other);
};

/// Codes [rows, columns] that keep tr(dW M dW^T) small:
///   1. columns in order of decreasing M_cc; each is rounded, and its error e taken back by the columns
///      behind it: w_j -= e V_cj / V_cc, with M = L L^T and V = L^-1 (Frantar et al. 2022, 2210.17323)
///   2. one code at a time to the minimum over it (Behdin et al. 2023, 2309.01885), and, where allowed, each
///      row's scales to the minimum over them
/// Per row the better of this and the nearest codes. Same bits at any number of threads.
std::vector<std::int32_t> gptq(const RoundingTask& task, const GptqOptions& options, OutputLoss& loss);

}  // namespace compressor::quantize
