// weight_only: weights on a grid, arithmetic in float.
#pragma once

#include "compressor/codec/storage.h"
#include "compressor/pass/pass.h"
#include "passes/quantize/grid/fit.h"
#include "passes/quantize/grid/weight_blocks.h"
#include "passes/quantize/rounding/measured_layers.h"

namespace compressor::quantize {

struct WeightOnlyOptions {
  DType code = DType::kInt8;
  FitOptions fit;
  Granularity granularity = Granularity::kChannel;
  std::uint64_t group = 32;
  codec::Storage storage = codec::Storage::kPortable;
  bool output_clip = false;  ///< ranges by what clipping does to outputs, measured on the samples
  /// Round by second moments of the layers' inputs; else each weight to its nearest code.
  std::optional<GptqOptions> gptq = std::nullopt;
  Samples samples = {};
  MeasureOptions measure = {};
};

/// Options of the weight that a node reads, where they are other than the rest's.
using WeightOnlyOptionsOf = std::function<std::optional<WeightOnlyOptions>(const Node&)>;

/// How many weights were stored, their bytes, and how well.
struct WeightsStored {
  std::int64_t weights = 0;
  std::uint64_t before = 0, after = 0;
  double snr_db = 0;
};

/// Quantizes every weight of Conv, ConvTranspose, Gemm, MatMul, LSTM, GRU, RNN and Gather that becomes
/// smaller by it; there may be none.
WeightsStored store_weights(Model& model, const WeightOnlyOptions& options, PassContext& context,
                            const WeightOnlyOptionsOf& options_of = {});
/// The same as a mode of its own, with a note on all of them. Throws Error::target when there is none.
void quantize_weights(Model& model, const WeightOnlyOptions& options, PassContext& context,
                      const WeightOnlyOptionsOf& options_of = {});

}  // namespace compressor::quantize
