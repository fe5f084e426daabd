// form: nodes, constants and axes for the single forms.
#include "codec/form.h"

#include "compressor/base/error.h"

namespace compressor::codec {

const Value* add_constant(const Place& place, const std::string& name, Tensor tensor) {
  return place.graph.add_initializer(place.graph.fresh_name(name), std::move(tensor));
}

const Value* add_ints(const Place& place, const std::string& name, const Dims& values) {
  return add_constant(place, name, Tensor::of({static_cast<std::int64_t>(values.size())}, std::span(values)));
}

const Value* add_op(const Place& place, const std::string& op, std::vector<const Value*> inputs,
                    const std::string& name, std::vector<Attribute> attributes) {
  NodeSpec spec{.op = op, .inputs = std::move(inputs)};
  spec.outputs = {place.graph.fresh_name(name)};
  spec.attributes = std::move(attributes);
  return place.graph.add_node(std::move(spec), place.before).output(0);
}

const Value* as_type(const Place& place, const Value* value, const Grid& grid, const std::string& stem) {
  if (grid.type == DType::kFloat) return value;
  std::vector<Attribute> to;
  to.emplace_back("to", static_cast<std::int64_t>(grid.type));
  return add_op(place, "Cast", {value}, stem + ".cast", std::move(to));
}

Tensor stored(DType type, Dims shape, Bytes bytes) {
  Tensor t;
  t.dtype = type;
  t.shape = std::move(shape);
  t.bytes = std::move(bytes);
  return t;
}

Tensor codes_tensor(const Grid& grid, const Dims& shape) {
  return stored(grid.code, shape, pack(grid.codes, bits(grid.code)));
}

Tensor zeros_tensor(const Grid& grid, const Dims& shape) {
  const std::vector<double> values(grid.zero.begin(), grid.zero.end());
  return Tensor::of(grid.code, shape, std::span<const double>(values));
}

Tensor scales_tensor(const Grid& grid, const Dims& shape) {
  return Tensor::of(shape, std::span<const float>(grid.scale));
}

std::optional<std::int64_t> scale_axis(const Grid& grid) {
  const Blocks& b = grid.blocks;
  std::size_t cut = 3;
  for (std::size_t i = 0; i < 3; ++i) {
    if (b.count(i) == 1) continue;
    if (cut != 3 || b.block[i] != 1) return std::nullopt;
    cut = i;
  }
  if (cut == 3) return std::nullopt;
  std::uint64_t before = 1;
  for (std::size_t i = 0; i < cut; ++i) before *= b.dims[i];
  std::uint64_t product = 1;
  for (std::size_t axis = 0; axis < grid.shape.size(); ++axis) {
    const auto n = static_cast<std::uint64_t>(grid.shape[axis]);
    if (product == before && n == b.dims[cut]) return static_cast<std::int64_t>(axis);
    product *= n;
  }
  return std::nullopt;
}

std::optional<std::size_t> block_axis(const Blocks& blocks) {
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < 3; ++i) {
    if (blocks.block[i] == 1) continue;
    if (found) return std::nullopt;
    found = i;
  }
  return found;
}

std::optional<Tensor> constant(const Value* value) {
  return value ? constant_of(*value) : std::nullopt;
}

}  // namespace compressor::codec
