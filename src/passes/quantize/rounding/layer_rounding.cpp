// layer_rounding: gathers the rows of each group, has them rounded, and puts the codes where they belong.
#include "passes/quantize/rounding/layer_rounding.h"

#include "compressor/base/error.h"
#include "compressor/ops/layer_input.h"

namespace compressor::quantize {
namespace {

std::size_t scale_number(const codec::Blocks& blocks, std::size_t element) {
  std::size_t number = 0;
  blocks.each_run(element, element + 1,
                  [&](std::uint64_t, std::uint64_t, std::uint64_t scale, std::uint64_t) { number = scale; });
  return number;
}

}  // namespace

std::optional<LayerView> layer_view(const Node& node, const Dims& weight) {
  const auto row = ops::layer_row(node, weight);
  if (!row || row->k <= 0) return std::nullopt;
  LayerView v;
  v.groups = static_cast<std::size_t>(row->groups);
  v.columns = static_cast<std::size_t>(row->k);
  const std::size_t all = num_elements(weight) / v.columns;
  if (all % v.groups != 0) return std::nullopt;
  v.rows = all / v.groups;
  const bool rows_first = node.is("Conv") || (node.is("Gemm") && node.int_or("transB", 0) != 0);
  v.row_step = rows_first ? v.columns : 1;
  v.column_step = rows_first ? 1 : all;
  return v;
}

OutputLoss round_layer(const Tensor& weight, const LayerView& view, const SecondMoment& moment,
                       const RowRule& codes, const GptqOptions& options, bool fit_scales, codec::Grid& grid) {
  const std::size_t area = view.columns * view.columns;
  CHECK(moment.sums.size() == view.groups * area, "moment of {} numbers, expected {}", moment.sums.size(),
        view.groups * area);
  const std::vector<float> values = to_floats(weight);
  std::vector<std::byte> stored(values.size());
  OutputLoss loss;
  for (std::size_t g = 0; g < view.groups; ++g) {
    RoundingTask task;
    task.rows = view.rows;
    task.columns = view.columns;
    task.moment = std::span(moment.sums).subspan(g * area, area);
    task.scale = grid.scale;
    task.zero = grid.zero;
    for (std::size_t r = 0; r < view.rows; ++r) {
      task.row_scale.push_back(scale_number(grid.blocks, view.element(g, r, 0)));
      task.codes.push_back(codes(g, r));
      for (std::size_t c = 0; c < view.columns; ++c) task.weights.push_back(values[view.element(g, r, c)]);
    }
    const std::size_t first = scale_number(grid.blocks, view.element(0, 0, 0));
    for (std::size_t c = 0; c < view.columns; ++c)
      task.column_scale.push_back(scale_number(grid.blocks, view.element(0, 0, c)) - first);
    task.fit_scales = fit_scales;
    const std::vector<std::int32_t> found = gptq(task, options, loss);
    for (std::size_t r = 0; r < view.rows; ++r) {
      for (std::size_t c = 0; c < view.columns; ++c)
        stored[view.element(g, r, c)] = static_cast<std::byte>(found[r * view.columns + c] & 0xFF);
    }
  }
  grid.codes = Bytes::own(std::move(stored));
  return loss;
}

}  // namespace compressor::quantize
