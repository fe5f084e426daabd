// matmul_nbits: com.microsoft MatMulNBits holds the packed weight and multiplies by it.
//
//   x [.., K] -> MatMul(W [K, N])                  ==>  x -> MatMulNBits(B, scales [, zeros]) -> y
//   x [M, K] -> Gemm(W, C), alpha 1, transA 0      ==>  x -> MatMulNBits -> [Mul beta] Add C -> y
//
// B is uint8 [N, blocks of K, block * bits / 8], scales float [N * blocks of K], zeros packed uint8
// [N, ceil(blocks of K * bits / 8)]. Codes are unsigned; without zeros, 2^(bits - 1) stands for 0. Blocks are
// 16, 32, 64, 128 or 256 long; what is missing in the last one is filled up with zeros.
#include <algorithm>
#include <bit>

#include "codec/form.h"
#include "compressor/base/error.h"

namespace compressor::codec {
namespace {

constexpr std::uint64_t kLeastBlock = 16, kLargestBlock = 256;

/// Blocks of K in memory order: [N, K] cut along the last axis, or [K, N] cut along the middle one.
std::uint64_t block_of(const Grid& grid, const Product& p) {
  return p.transposed ? grid.blocks.block[2] : grid.blocks.block[1];
}

std::uint64_t blocks_of_k(const Grid& grid, const Product& p) {
  const std::uint64_t block = block_of(grid, p);
  return (p.k + block - 1) / block;
}

/// Where the scale of block j of output n stands in the grid.
std::uint64_t scale_at(const Product& p, std::uint64_t blocks, std::uint64_t n, std::uint64_t j) {
  return p.transposed ? n * blocks + j : j * p.n + n;
}

std::int32_t offset_of(const Grid& grid) {
  return grid.is_signed() ? 1 << (bits(grid.code) - 1) : 0;
}

/// One byte a code, as [N, blocks * block]: rows filled up with what stands for 0.
Bytes rows_of_outputs(const Grid& grid, const Product& p) {
  const std::uint64_t block = block_of(grid, p), blocks = blocks_of_k(grid, p);
  const std::uint64_t row = blocks * block;
  if (p.transposed && row == p.k) return grid.codes;
  return Bytes::derive(p.n * row, [=](std::uint64_t offset, std::span<std::byte> out) {
    if (out.empty()) return;
    const std::uint64_t first = offset / row, last = (offset + out.size() - 1) / row;
    const std::uint64_t rows = last - first + 1;
    std::vector<std::byte> panel(rows * row);
    for (std::uint64_t r = 0; r < rows; ++r) {
      const std::uint64_t fill_from = p.k;
      const std::uint64_t s = scale_at(p, blocks, first + r, blocks - 1);
      std::fill(panel.begin() + static_cast<std::ptrdiff_t>(r * row + fill_from),
                panel.begin() + static_cast<std::ptrdiff_t>((r + 1) * row),
                static_cast<std::byte>(grid.zero_of(s) & 0xFF));
      if (p.transposed) grid.codes.read((first + r) * p.k, std::span(panel).subspan(r * row, p.k));
    }
    if (!p.transposed) {
      std::vector<std::byte> line(rows);
      for (std::uint64_t k = 0; k < p.k; ++k) {
        grid.codes.read(k * p.n + first, line);
        for (std::uint64_t r = 0; r < rows; ++r) panel[r * row + k] = line[r];
      }
    }
    const auto from = panel.begin() + static_cast<std::ptrdiff_t>(offset - first * row);
    std::copy(from, from + static_cast<std::ptrdiff_t>(out.size()), out.begin());
  });
}

Tensor scales_of(const Grid& grid, const Product& p) {
  const std::uint64_t blocks = blocks_of_k(grid, p);
  std::vector<float> scales;
  for (std::uint64_t n = 0; n < p.n; ++n) {
    for (std::uint64_t j = 0; j < blocks; ++j) scales.push_back(grid.scale[scale_at(p, blocks, n, j)]);
  }
  return Tensor::of({static_cast<std::int64_t>(scales.size())}, std::span<const float>(scales));
}

/// Rows of packed zero points, each starting on a byte.
Tensor zeros_of(const Grid& grid, const Product& p) {
  const std::uint64_t blocks = blocks_of_k(grid, p);
  std::vector<std::byte> all;
  for (std::uint64_t n = 0; n < p.n; ++n) {
    std::vector<std::byte> row;
    for (std::uint64_t j = 0; j < blocks; ++j)
      row.push_back(static_cast<std::byte>(grid.zero[scale_at(p, blocks, n, j)] & 0xFF));
    const BytesView packed = pack(Bytes::own(std::move(row)), bits(grid.code), offset_of(grid)).view();
    all.insert(all.end(), packed.bytes().begin(), packed.bytes().end());
  }
  const auto size = static_cast<std::int64_t>(all.size());
  return stored(DType::kUint8, {size}, Bytes::own(std::move(all)));
}

}  // namespace

std::string why_not_nbits(const Grid& grid) {
  const auto cut = block_axis(grid.blocks);
  const std::uint64_t block = cut ? grid.blocks.block[*cut] : 0;
  if (!std::has_single_bit(block) || block < kLeastBlock || block > kLargestBlock)
    return "has no groups of 16, 32, 64, 128 or 256 along its inputs, which MatMulNBits needs";
  if (grid.type != DType::kFloat)
    return fmt::format("has type {}, for which MatMulNBits is not written", name(grid.type));
  return "";
}

std::optional<Product> product_of(const Node& node, const Value& weight, const Dims& shape,
                                  std::string& why) {
  const auto refuse = [&](std::string reason) {
    why = std::move(reason);
    return std::nullopt;
  };
  if (!node.is("MatMul") && !node.is("Gemm"))
    return refuse(fmt::format("is read by '{}' ({}), and MatMulNBits stands for MatMul and Gemm only",
                              node.label(), node.op()));
  if (node.input(1) != &weight || node.input(0) == &weight)
    return refuse(fmt::format("is not the second operand of '{}'", node.label()));
  if (shape.size() != 2)
    return refuse(fmt::format("has shape {}, and MatMulNBits takes a matrix", to_string(shape)));
  Product p;
  p.transposed = node.is("Gemm") && node.int_or("transB", 0) != 0;
  p.k = static_cast<std::uint64_t>(shape[p.transposed ? 1 : 0]);
  p.n = static_cast<std::uint64_t>(shape[p.transposed ? 0 : 1]);
  if (!node.is("Gemm")) return p;
  if (node.int_or("transA", 0) != 0 || node.float_or("alpha", 1) != 1)
    return refuse(fmt::format("is multiplied by '{}' with transA or alpha", node.label()));
  return p;
}

NBits lower_nbits(const Place& place, const Grid& grid, const Product& p, const std::string& stem) {
  const std::uint64_t block = block_of(grid, p), blocks = blocks_of_k(grid, p);
  const auto width = static_cast<std::uint64_t>(bits(grid.code));
  const Dims shape = {static_cast<std::int64_t>(p.n), static_cast<std::int64_t>(blocks),
                      static_cast<std::int64_t>(block * width / 8)};
  const Bytes codes = pack(rows_of_outputs(grid, p), bits(grid.code), offset_of(grid));
  NBits constants;
  constants.codes = add_constant(place, stem + ".q", stored(DType::kUint8, shape, codes));
  constants.scales = add_constant(place, stem + ".scale", scales_of(grid, p));
  if (!grid.zero.empty()) constants.zeros = add_constant(place, stem + ".zero", zeros_of(grid, p));
  return constants;
}

void replace_product(Graph& graph, const Node& node, const Grid& grid, const Product& p,
                     const NBits& constants) {
  NodeSpec spec{.op = "MatMulNBits", .inputs = {node.input(0), constants.codes, constants.scales}};
  if (constants.zeros) spec.inputs.push_back(constants.zeros);
  spec.domain = "com.microsoft";
  spec.name = node.name();
  const Value& y = *node.output(0);
  spec.outputs = {graph.fresh_name(y.name())};
  spec.attributes.emplace_back("K", static_cast<std::int64_t>(p.k));
  spec.attributes.emplace_back("N", static_cast<std::int64_t>(p.n));
  spec.attributes.emplace_back("bits", static_cast<std::int64_t>(bits(grid.code)));
  spec.attributes.emplace_back("block_size", static_cast<std::int64_t>(block_of(grid, p)));
  const Value* result = graph.add_node(std::move(spec), &node).output(0);
  const Place place{graph, &node};
  if (const Value* c = node.input(2); node.is("Gemm") && c) {
    if (const float beta = node.float_or("beta", 1); beta != 1) {
      c = add_op(place, "Mul", {c, add_constant(place, y.name() + ".beta", Tensor::scalar(beta))},
                 y.name() + ".bias");
    }
    result = add_op(place, "Add", {result, c}, y.name() + ".add");
  }
  graph.replace_uses(y, *result);
  graph.erase(node);
}

std::optional<Grid> lift_nbits(const Node& node) {
  if (node.domain() != "com.microsoft" || node.op() != "MatMulNBits") return std::nullopt;
  const auto k = static_cast<std::uint64_t>(node.int_or("K", 0));
  const auto n = static_cast<std::uint64_t>(node.int_or("N", 0));
  const auto width = static_cast<int>(node.int_or("bits", 4));
  const auto block = static_cast<std::uint64_t>(node.int_or("block_size", 0));
  const auto codes = constant(node.input(1));
  const auto scales = constant(node.input(2));
  if (!codes || !scales || block == 0 || (width != 2 && width != 4 && width != 8)) return std::nullopt;
  const std::uint64_t blocks = (k + block - 1) / block, row = blocks * block;
  if (codes->bytes.size() != n * row * static_cast<std::uint64_t>(width) / 8 || scales->size() != n * blocks)
    return std::nullopt;
  Grid grid;
  grid.shape = {static_cast<std::int64_t>(n), static_cast<std::int64_t>(k)};
  grid.code = code_type(width, false);
  grid.blocks = {.dims = {1, n, k}, .block = {1, 1, block}};
  grid.scale = to_floats(*scales);
  const std::int32_t middle = 1 << (width - 1);
  grid.zero.assign(grid.scale.size(), middle);
  if (node.input(3)) {
    const auto zeros = constant(node.input(3));
    const std::uint64_t zero_row = (blocks * static_cast<std::uint64_t>(width) + 7) / 8;
    if (!zeros || zeros->dtype != DType::kUint8 || zeros->bytes.size() != n * zero_row) return std::nullopt;
    for (std::uint64_t r = 0; r < n; ++r) {
      const BytesView z = unpack(zeros->bytes.slice(r * zero_row, zero_row), blocks, grid.code).view();
      for (std::uint64_t j = 0; j < blocks; ++j)
        grid.zero[r * blocks + j] = std::to_integer<std::int32_t>(z.bytes()[j]);
    }
  }
  const Bytes padded = unpack(codes->bytes, n * row, grid.code);
  if (row == k) {
    grid.codes = padded;
    return grid;
  }
  grid.codes = Bytes::derive(n * k, [padded, k, row](std::uint64_t offset, std::span<std::byte> out) {
    for (std::uint64_t at = 0; at < out.size();) {
      const std::uint64_t element = offset + at;
      const std::uint64_t length = std::min<std::uint64_t>(k - element % k, out.size() - at);
      padded.read(element / k * row + element % k, out.subspan(at, length));
      at += length;
    }
  });
  return grid;
}

}  // namespace compressor::codec
