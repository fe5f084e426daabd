// linear: operators that multiply by a weight and add a bias, and taking a per-channel factor and offset into
// them.
#pragma once

#include <string>
#include <vector>

#include "compressor/rewrite/rewriter.h"

namespace compressor::simplify {

/// y[:, c] -> scale[c] * y[:, c] + shift[c]; one entry for every output channel.
struct Affine {
  std::vector<double> scale;
  std::vector<double> shift;
};

/// A Conv, ConvTranspose or Gemm whose weight and bias are constants that may be changed, and whose result
/// only one node reads.
struct Linear {
  const Node* node = nullptr;
  Tensor weight = {};
  std::int64_t channels = 0;
  std::int64_t rank = 0;          ///< of its result; channels are axis 1
  std::vector<double> bias = {};  ///< as it counts: beta is in it
  bool has_bias = false;
};

/// What computes `value`, if it is one. Says on `reader` why a linear operator in that place cannot be used.
std::optional<Linear> linear_before(Rewriter& r, const Value* value, const Node& reader);
/// Weight and bias of `linear` become those of scale * linear + shift.
void absorb(Rewriter& r, const Linear& linear, const Affine& affine);

/// A float32 or float64 constant of `channels` numbers; nullopt for everything else.
std::optional<std::vector<double>> per_channel(const Rewriter& r, const Value* value, std::int64_t channels);
bool all_finite(const Affine& affine);

}  // namespace compressor::simplify
