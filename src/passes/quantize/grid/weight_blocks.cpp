// weight_blocks: from the layout of a weight to the blocks that share a scale.
#include "passes/quantize/grid/weight_blocks.h"

#include <algorithm>

namespace compressor::quantize {
namespace {

using codec::Blocks;
using codec::Storage;

std::uint64_t product(const Dims& shape, std::size_t from, std::size_t to) {
  std::uint64_t p = 1;
  for (std::size_t i = from; i < to; ++i) p *= static_cast<std::uint64_t>(shape[i]);
  return p;
}

/// Blocks that are the indices of one axis, whatever stands before and behind it.
Blocks axis_blocks(const Dims& shape, std::size_t axis) {
  Blocks b;
  b.dims = {product(shape, 0, axis), static_cast<std::uint64_t>(shape[axis]),
            product(shape, axis + 1, shape.size())};
  b.block = {b.dims[0], 1, b.dims[2]};
  return b;
}

Blocks rows_in_groups(std::uint64_t rows, std::uint64_t row, std::uint64_t group) {
  return {.dims = {1, rows, row}, .block = {1, 1, group}};
}

bool is_convolution(const Node& node) {
  return node.is("Conv") || node.is("ConvTranspose");
}

/// Do values of one output lie side by side, as rows? So too where every group of a transposed convolution
/// has one input, whose outputs are rows then.
bool has_rows(const prune::PrunableWeight& w) {
  if (!w.layout) return false;
  const prune::WeightLayout& layout = *w.layout;
  return layout.a_is_output ||
         (w.readers.front().node->is("ConvTranspose") && layout.batch > 1 && layout.a == 1);
}

std::size_t channel_axis(const prune::PrunableWeight& w) {
  const std::size_t rank = w.tensor.shape.size();
  if (!w.layout) return 0;
  if (is_convolution(*w.readers.front().node)) {
    const bool depthwise =
        has_rows(w) && w.tensor.shape[1] == 1;  // then inputs and outputs are the same axis
    return w.layout->a_is_output || depthwise ? 0 : 1;
  }
  return w.layout->a_is_output ? rank - 2 : rank - 1;
}

}  // namespace

std::uint64_t dividing_group(std::uint64_t length, std::uint64_t wanted) {
  if (length <= wanted) return std::max<std::uint64_t>(length, 1);
  for (std::uint64_t g = wanted; g * 2 >= wanted; --g) {
    if (length % g == 0) return g;
  }
  std::uint64_t g = wanted + 1;
  while (length % g != 0) ++g;
  return g;
}

Blocks blocks_of(const prune::PrunableWeight& weight, Granularity granularity, std::uint64_t group,
                 Storage storage) {
  const Tensor& t = weight.tensor;
  if (granularity == Granularity::kTensor)
    return {.dims = {1, 1, t.size()}, .block = {1, 1, std::max<std::uint64_t>(t.size(), 1)}};
  if (granularity == Granularity::kChannel) {
    const std::size_t axis = channel_axis(weight);
    // Rows of a stack of matrices have scales of their own where the storage can hold them.
    if (has_rows(weight) && storage != Storage::kQdq)
      return rows_in_groups(product(t.shape, 0, axis + 1), product(t.shape, axis + 1, t.shape.size()),
                            product(t.shape, axis + 1, t.shape.size()));
    return axis_blocks(t.shape, axis);
  }
  const auto size = [&](std::uint64_t length) {
    if (storage == Storage::kPortable) return dividing_group(length, group);
    return storage == Storage::kMatMulNBits ? group : std::min(group, length);
  };
  if (!weight.layout || has_rows(weight)) {
    const std::size_t axis = channel_axis(weight);
    const std::uint64_t row = product(t.shape, axis + 1, t.shape.size());
    return rows_in_groups(product(t.shape, 0, axis + 1), row, size(row));
  }
  const prune::WeightLayout& w = *weight.layout;
  return {.dims = {w.batch, w.a, w.b * w.inner}, .block = {1, size(w.a), 1}};
}

}  // namespace compressor::quantize
