// form: what the files of the single forms share: adding nodes and constants, and axes of blocks.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compressor/codec/storage.h"

namespace compressor::codec {

const Value* add_constant(const Place& place, const std::string& name, Tensor tensor);
const Value* add_ints(const Place& place, const std::string& name, const Dims& values);
/// A node without a name of its own: its result's says it, and files stay small.
const Value* add_op(const Place& place, const std::string& op, std::vector<const Value*> inputs,
                    const std::string& name, std::vector<Attribute> attributes = {});
/// The value as grid.type: a Cast unless that is float32.
const Value* as_type(const Place& place, const Value* value, const Grid& grid, const std::string& stem);

Tensor stored(DType type, Dims shape, Bytes bytes);
Tensor codes_tensor(const Grid& grid, const Dims& shape);
Tensor zeros_tensor(const Grid& grid, const Dims& shape);
Tensor scales_tensor(const Grid& grid, const Dims& shape);

/// The axis of grid.shape that has a scale for each of its indices and nothing else; nullopt when there is
/// none.
std::optional<std::int64_t> scale_axis(const Grid& grid);
/// The one axis of blocks.dims that is cut into blocks of more than one and the whole: every other axis has
/// blocks of 1.
std::optional<std::size_t> block_axis(const Blocks& blocks);

/// The constant behind a value of the graph; nullopt for null.
std::optional<Tensor> constant(const Value* value);

std::optional<Grid> lift_dequantize(const Node& node);
std::optional<Grid> lift_portable(const Value& value);

const Value* lower_qdq(const Place& place, const Grid& grid, const std::string& stem);
const Value* lower_blocked(const Place& place, const Grid& grid, const std::string& stem);
const Value* lower_portable(const Place& place, const Grid& grid, const std::string& stem);
std::string why_not_qdq(const Grid& grid);
std::string why_not_blocked(const Grid& grid);
std::string why_not_portable(const Grid& grid);
std::string why_not_nbits(const Grid& grid);

}  // namespace compressor::codec
