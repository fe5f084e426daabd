// layer_rounding: the weight of a convolution or product as rows that are multiplied with measured inputs.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compressor/analysis/statistics.h"
#include "compressor/codec/grid.h"
#include "passes/quantize/rounding/gptq.h"

namespace compressor::quantize {

/// Where a layer's weight lies in memory: element (group, row, column) is at
///   (group * rows + row) * row_step + column * column_step
struct LayerView {
  std::size_t groups = 1;
  std::size_t rows = 0;  ///< outputs of a group
  std::size_t columns = 0;
  std::size_t row_step = 0, column_step = 0;

  std::size_t element(std::size_t group, std::size_t row, std::size_t column) const {
    return (group * rows + row) * row_step + column * column_step;
  }
  bool operator==(const LayerView&) const = default;
};
/// Conv, and MatMul and Gemm with the weight at input 1; nullopt for other operators.
std::optional<LayerView> layer_view(const Node& node, const Dims& weight);

/// The codes that row `row` of a group may use, for its weights and scales as they are.
using RowRule = std::function<RowCodes(std::size_t group, std::size_t row)>;

/// Sets grid.codes by the layer's second moment, group by group, and with `fit_scales` grid.scale.
OutputLoss round_layer(const Tensor& weight, const LayerView& view, const SecondMoment& moment,
                       const RowRule& codes, const GptqOptions& options, bool fit_scales, codec::Grid& grid);

}  // namespace compressor::quantize
