// qdq: a weight behind DequantizeLinear, with one scale, or one for every index of an axis.
//
//   W  ==>  q -> DequantizeLinear(scale [, zero], axis) [-> Cast] -> W'       W' = (q - zero) * scale
//
// One scale: opset 10; an axis: opset 13; codes of 4 bits: opset 21. Every tool knows it; a runtime that does
// not fuse it decodes the weight again at every call (ONNX Runtime's CPU provider does, for a Conv whose
// input is float).
#include "codec/form.h"
#include "compressor/base/error.h"

namespace compressor::codec {
namespace {

/// Blocks of a tensor of that shape with one scale for every index of an axis.
Blocks along(const Dims& shape, std::size_t axis) {
  Blocks b;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const auto n = static_cast<std::uint64_t>(shape[i]);
    if (i < axis) b.dims[0] *= n;
    if (i == axis) b.dims[1] = n;
    if (i > axis) b.dims[2] *= n;
  }
  b.block = {b.dims[0], 1, b.dims[2]};
  return b;
}

std::optional<std::size_t> axis_in(const Node& node, std::size_t rank) {
  std::int64_t axis = node.int_or("axis", 1);
  if (axis < 0) axis += static_cast<std::int64_t>(rank);
  if (axis < 0 || axis >= static_cast<std::int64_t>(rank)) return std::nullopt;
  return static_cast<std::size_t>(axis);
}

/// How a DequantizeLinear's scales lie; nullopt where the shapes do not fit.
std::optional<Blocks> blocks_of(const Node& node, const Tensor& codes, const Tensor& scale) {
  if (scale.size() == 1)
    return Blocks{.dims = {1, 1, codes.size()}, .block = {1, 1, std::max<std::uint64_t>(codes.size(), 1)}};
  const auto axis = axis_in(node, codes.shape.size());
  if (!axis) return std::nullopt;
  const std::int64_t block = node.int_or("block_size", 0);
  Blocks b = along(codes.shape, *axis);
  if (block > 0) {
    if (scale.rank() != codes.rank()) return std::nullopt;
    b.block = {1, static_cast<std::uint64_t>(block), 1};
  }
  if (b.count() != scale.size()) return std::nullopt;
  return b;
}

bool is_code(DType type) {
  return type == DType::kInt8 || type == DType::kUint8 || type == DType::kInt4 || type == DType::kUint4 ||
         type == DType::kInt2 || type == DType::kUint2;
}

}  // namespace

std::string why_not_qdq(const Grid& grid) {
  if (bits(grid.code) < 4) return "has 2 bits, for which DequantizeLinear has no type before opset 25";
  if (grid.blocks.count() > 1 && !scale_axis(grid))
    return "has scales by group, which need --storage blocked or portable";
  return "";
}

const Value* lower_qdq(const Place& place, const Grid& grid, const std::string& stem) {
  const auto axis = scale_axis(grid);
  Dims shape;
  if (axis) shape.push_back(static_cast<std::int64_t>(grid.scale.size()));
  std::vector<const Value*> inputs = {
      add_constant(place, stem + ".q", codes_tensor(grid, grid.shape)),
      add_constant(place, stem + ".scale", scales_tensor(grid, shape)),
  };
  if (!grid.zero.empty()) inputs.push_back(add_constant(place, stem + ".zero", zeros_tensor(grid, shape)));
  std::vector<Attribute> settings;
  if (axis) settings.emplace_back("axis", *axis);
  const Value* w =
      add_op(place, "DequantizeLinear", std::move(inputs), stem + ".dequantize", std::move(settings));
  return as_type(place, w, grid, stem);
}

std::optional<Grid> lift_dequantize(const Node& node) {
  const auto codes = constant(node.input(0));
  const auto scale = constant(node.input(1));
  if (!codes || !scale || !is_code(codes->dtype) || !is_float(scale->dtype)) return std::nullopt;
  const auto blocks = blocks_of(node, *codes, *scale);
  if (!blocks) return std::nullopt;
  Grid grid;
  grid.shape = codes->shape;
  grid.type = scale->dtype;
  grid.code = codes->dtype;
  grid.blocks = *blocks;
  grid.scale = to_floats(*scale);
  if (node.input(2)) {
    const auto zero = constant(node.input(2));
    if (!zero || zero->size() != scale->size()) return std::nullopt;
    for (const std::int64_t z : to_ints(*zero)) grid.zero.push_back(static_cast<std::int32_t>(z));
  }
  grid.codes = unpack(codes->bytes, codes->size(), codes->dtype);
  return grid;
}

}  // namespace compressor::codec
