// storage: the forms by name.
#include "compressor/codec/storage.h"

#include "codec/form.h"
#include "compressor/base/error.h"

namespace compressor::codec {

std::string why_not(Storage storage, const Grid& grid) {
  switch (storage) {
    case Storage::kQdq:
      return why_not_qdq(grid);
    case Storage::kBlocked:
      return why_not_blocked(grid);
    case Storage::kMatMulNBits:
      return why_not_nbits(grid);
    case Storage::kPortable:
      return why_not_portable(grid);
  }
  return "";
}

std::int64_t opset_needed(Storage storage, const Grid& grid) {
  switch (storage) {
    case Storage::kQdq:
      if (bits(grid.code) < 8) return 21;
      return grid.scale.size() > 1 ? 13 : 10;
    case Storage::kBlocked:
      return 21;
    case Storage::kMatMulNBits:
      return 7;
    case Storage::kPortable: {
      const auto per_byte = static_cast<std::uint64_t>(8 / bits(grid.code));
      const bool sliced = grid.blocks.size() % per_byte != 0 || grid.zero.size() % per_byte != 0;
      return sliced ? 10 : 7;
    }
  }
  return 0;
}

const Value& lower(const Place& place, const Grid& grid, Storage storage, const std::string& stem) {
  const std::string why = why_not(storage, grid);
  CHECK(why.empty(), "weight '{}' {}", stem, why);
  switch (storage) {
    case Storage::kQdq:
      return *lower_qdq(place, grid, stem);
    case Storage::kBlocked:
      return *lower_blocked(place, grid, stem);
    case Storage::kPortable:
      return *lower_portable(place, grid, stem);
    case Storage::kMatMulNBits:
      break;
  }
  CHECK(false, "MatMulNBits decodes no weight");
  return *lower_portable(place, grid, stem);
}

std::optional<Grid> lift(const Value& value) {
  const Node* node = value.producer();
  if (!node) return std::nullopt;
  if (node->is("Cast")) {
    auto grid = node->input(0) ? lift(*node->input(0)) : std::nullopt;
    if (grid) grid->type = static_cast<DType>(node->int_or("to", 1));
    return grid;
  }
  if (node->is("DequantizeLinear")) return lift_dequantize(*node);
  if (node->is("Reshape") && node->input(0) && node->input(0)->producer() &&
      node->input(0)->producer()->is("DequantizeLinear")) {
    auto grid = lift_dequantize(*node->input(0)->producer());
    const auto shape = constant(node->input(1));
    if (!grid || !shape) return std::nullopt;
    grid->shape = to_ints(*shape);
    if (num_elements(grid->shape) != grid->blocks.size()) return std::nullopt;
    return grid;
  }
  return lift_portable(value);
}

}  // namespace compressor::codec
