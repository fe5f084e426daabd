// zeroing: pruning that keeps every shape and sets weights to zero: single ones, kernels, N:M patterns,
// blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "compressor/pass/pass.h"

namespace compressor::prune {

struct ZeroingOptions {
  enum class Granularity : std::uint8_t {
    kWeight,  ///< single weights (Han 2015)
    kKernel,  ///< the k x k slices that join one input channel to one output channel
    kNm,      ///< all but N of every M consecutive inputs (Mishra 2021)
    kBlock    ///< blocks of outputs x inputs, with all taps of a convolution inside
  };
  enum class Criterion : std::uint8_t { kL1, kL2, kRandom };

  Granularity granularity = Granularity::kWeight;
  /// Single weights and N:M go by magnitude for l1 and l2 alike.
  Criterion criterion = Criterion::kL2;
  double ratio = 0.5;         ///< share of the weights, kernels or blocks to zero, in (0, 1); not used by kNm
  bool global = false;        ///< one ranking over all weights that have no ratio of their own
  std::int64_t n = 2, m = 4;  ///< kNm: n of m stay
  std::int64_t block_out = 4, block_in = 4;  ///< kBlock
  std::uint64_t min_size = 0;                ///< weights with fewer elements are left alone
  bool embeddings = false;                   ///< tables that only Gather reads are weights too
  /// The ratio of the layer that reads the weight, where it has one of its own; 0 leaves it alone.
  std::function<std::optional<double>(const Node&)> ratio_of = {};
};

/// Sets floor(ratio * count) of the least important weights (kernels, blocks) to zero in the constant weights
/// of Conv, ConvTranspose, Gemm, MatMul, LSTM, GRU and RNN, bodies included; each weight once, however many
/// nodes read it. Zeros that are there count; ties go by position, so that counts are exact and the result
/// does not depend on threads. Global rankings of single weights compare raw magnitudes; kernels and blocks
/// compare their mean magnitude (l1) or root mean square (l2), so that sizes do not matter. New weights are
/// derived: they are computed while they are read. Layers that are left alone are skipped with their reason.
/// Throws Error::target when no weight can be zeroed.
void prune_by_zeroing(Model& model, const ZeroingOptions& options, PassContext& context);

}  // namespace compressor::prune
