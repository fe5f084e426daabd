// blocked: a weight behind the DequantizeLinear of opset 21, with a scale for every block of an axis.
//
//   W  ==>  q [n0, n1, n2] -> DequantizeLinear(scale [, zero], axis, block_size) [-> Reshape] [-> Cast] -> W'
//
// Axes of length 1 at either end are left out; a Reshape follows where the weight's own shape is another (a
// convolution's blocks run over all that a filter holds). ONNX Runtime makes MatMulNBits of it in front of
// MatMul and Gemm where the block is 16, 32, 64, 128 or 256.
#include "codec/form.h"

namespace compressor::codec {
namespace {

/// The axes of blocks.dims that the codes have: all but those of length 1 at either end, the cut one always.
struct Axes {
  std::size_t first = 0, last = 2;
};

Axes axes_of(const Blocks& b, std::size_t cut) {
  Axes a;
  while (a.first < cut && b.dims[a.first] == 1) ++a.first;
  while (a.last > cut && b.dims[a.last] == 1) --a.last;
  return a;
}

Dims shape_of(const Grid& grid, const Axes& axes) {
  Dims shape;
  for (std::size_t i = axes.first; i <= axes.last; ++i)
    shape.push_back(static_cast<std::int64_t>(grid.blocks.dims[i]));
  return shape;
}

}  // namespace

std::string why_not_blocked(const Grid& grid) {
  if (bits(grid.code) < 4) return "has 2 bits, for which DequantizeLinear has no type before opset 25";
  if (grid.scale.size() == 1) return "";
  const auto cut = block_axis(grid.blocks);
  if (!cut) return "has scales that are no blocks of one axis";
  return "";
}

const Value* lower_blocked(const Place& place, const Grid& grid, const std::string& stem) {
  if (grid.scale.size() == 1) return lower_qdq(place, grid, stem);  // one block of all is no blocks
  const std::size_t cut = *block_axis(grid.blocks);
  const Axes axes = axes_of(grid.blocks, cut);
  const Dims shape = shape_of(grid, axes);
  Dims scales = shape;
  scales[cut - axes.first] = static_cast<std::int64_t>(grid.blocks.count(cut));
  std::vector<const Value*> inputs = {
      add_constant(place, stem + ".q", codes_tensor(grid, shape)),
      add_constant(place, stem + ".scale", scales_tensor(grid, scales)),
  };
  if (!grid.zero.empty()) inputs.push_back(add_constant(place, stem + ".zero", zeros_tensor(grid, scales)));
  std::vector<Attribute> settings;
  settings.emplace_back("axis", static_cast<std::int64_t>(cut - axes.first));
  settings.emplace_back("block_size", static_cast<std::int64_t>(grid.blocks.block[cut]));
  const Value* w =
      add_op(place, "DequantizeLinear", std::move(inputs), stem + ".dequantize", std::move(settings));
  if (shape != grid.shape)
    w = add_op(place, "Reshape", {w, add_ints(place, stem + ".shape", grid.shape)}, stem + ".reshape");
  return as_type(place, w, grid, stem);
}

}  // namespace compressor::codec
