// storage: the forms in which a model holds a weight on a grid, and what decodes each of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "compressor/codec/grid.h"
#include "compressor/graph/model.h"

namespace compressor::codec {

enum class Storage : std::uint8_t {
  kQdq,          ///< DequantizeLinear, per tensor or per axis
  kBlocked,      ///< DequantizeLinear of opset 21, a scale for every block
  kMatMulNBits,  ///< com.microsoft MatMulNBits in place of MatMul or Gemm
  kPortable,     ///< packed bytes that operators of opset 7 decode
};

/// "" when the grid can be stored so, else the reason, to follow "weight 'w' ".
std::string why_not(Storage storage, const Grid& grid);
/// The least opset of ai.onnx that the form is written in.
std::int64_t opset_needed(Storage storage, const Grid& grid);

/// Where nodes go: in front of `before`, or at the end of the graph when it is null.
struct Place {
  Graph& graph;
  const Node* before = nullptr;
};

/// Adds constants and nodes that decode the grid, and returns the decoded weight. Names follow `stem`.
/// why_not must be empty, and the storage not kMatMulNBits. Weights may share what decodes them: sort the
/// graph when all are placed.
const Value& lower(const Place& place, const Grid& grid, Storage storage, const std::string& stem);

/// How a product reads the weight that MatMulNBits replaces: x [.., K] times W.
struct Product {
  std::uint64_t k = 0, n = 0;
  bool transposed = false;  ///< W is [N, K] in memory, else [K, N]
  bool operator==(const Product&) const = default;
};
/// nullopt, with the reason, when `node` is no MatMul or Gemm that MatMulNBits can stand for with `weight` as
/// its second input.
std::optional<Product> product_of(const Node& node, const Value& weight, const Dims& shape, std::string& why);
/// The constants of one MatMulNBits weight, which several nodes may read.
struct NBits {
  const Value *codes = nullptr, *scales = nullptr, *zeros = nullptr;
};
NBits lower_nbits(const Place& place, const Grid& grid, const Product& product, const std::string& stem);
/// Puts MatMulNBits (and an Add for Gemm's C) in the place of `node`, which is erased.
void replace_product(Graph& graph, const Node& node, const Grid& grid, const Product& product,
                     const NBits& constants);

/// The grid that `value` decodes, when one of the forms above computes it (as we write them, or a plain
/// DequantizeLinear of constants); nullopt otherwise.
std::optional<Grid> lift(const Value& value);
/// The same for the weight inside a MatMulNBits, as [N, K].
std::optional<Grid> lift_nbits(const Node& node);

}  // namespace compressor::codec
