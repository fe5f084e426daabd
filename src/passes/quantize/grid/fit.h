// fit: the scale and the zero point of every block of a weight, and how much of the weight they keep.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "compressor/codec/grid.h"
#include "passes/quantize/grid/affine.h"

namespace compressor::quantize {

enum class Clip : std::uint8_t {
  kMinMax,  ///< the whole range
  kMse,     ///< the part of the range with the least squared error
  kHqq,     ///< half-quadratic: the zero point with the least l_0.7 error (Badri, Shaji 2023)
};

struct FitOptions {
  CodeRange codes;
  bool symmetric = true;
  Clip clip = Clip::kMinMax;
};

/// For one block; `low` and `high` are those of all its values, of which `values` may be a sample.
Affine fit_block(std::span<const float> values, float low, float high, const FitOptions& options);
/// The least l_0.7 error starting from `start`: hqq.cpp.
Affine hqq(std::span<const float> values, const Affine& start, const CodeRange& codes);
/// Sum of (x - q(x))^2: floats in short stretches, these as doubles.
double squared_error(std::span<const float> values, const Affine& affine, const CodeRange& codes);
/// The scale with the least squared error for the codes that `affine` gives.
float least_squares_scale(std::span<const float> values, const Affine& affine, const CodeRange& codes);

/// Energy of the weight and of what the grid misses of it.
struct Loss {
  double signal = 0, noise = 0;
  /// 10 log10(signal / noise); infinite where nothing is missed.
  double snr_db() const;
};

struct Fit {
  std::vector<float> scale;
  std::vector<std::int32_t> zero;
  Loss loss;           ///< when every value goes to its nearest code
  bool finite = true;  ///< false: some value is infinite or no number, and nothing else holds
  bool lost = false;   ///< no scale is small enough for any block: every code is zero, and the weight is not
};

/// Blocks in parallel; the result does not depend on the number of threads. At most the weight is in memory
/// as float32, and only when its blocks are not contiguous.
Fit fit(const Tensor& weight, const codec::Blocks& blocks, const FitOptions& options);

/// Why codes cannot say what the numbers are, as "holds ..."; "" when they can. A bias has scales of others,
/// which may be as small as it is.
std::string why_no_codes(const Fit& fit);
std::string why_no_codes(const Tensor& weight, bool bias = false);

}  // namespace compressor::quantize
