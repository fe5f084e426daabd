// com.microsoft MatMulNBits: a product with a weight [N, K] that is packed to a few bits in blocks of K.
//
// b [N, blocks, block * bits / 8], scales and zero points [N, blocks]: w[n, k] = (code - zero) * scale of k's
// block; zero points may be packed as the codes are, each row to whole bytes.
#include <algorithm>

#include "compressor/kernels/in_parallel.h"
#include "ops/expect.h"
#include "ops/product.h"
#include "ops/real.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  const std::int64_t k = ctx.node().int_or("K", 0);
  const std::int64_t n = ctx.node().int_or("N", 0);
  if (k < 1 || n < 1) ctx.fail("K is {} and N is {}, expected at least 1", k, n);
  expect_rank(ctx, x, "input", 1);
  if (!x.ranked) return ctx.set_unranked(0, x.dtype);
  agree(ctx, SymDim(k), x.dims.back(), "last axis of the input");
  SymDims y = x.dims;
  y.back() = n;
  ctx.set(0, x.dtype, std::move(y));
}

Cost cost(const CostContext& ctx) {
  const auto k = static_cast<double>(ctx.node().int_or("K", 0));
  const double places = ctx.out_size(0);
  return {.macs = places * k, .flops = places * (2 * k - 1)};
}

/// Codes of `bits` bits, low ones first, rows of whole bytes.
struct Codes {
  const std::byte* data;
  std::int64_t row_bytes;
  int bits;
  float at(std::int64_t row, std::int64_t i) const {
    const std::int64_t bit = i * bits;
    const auto byte = std::to_integer<unsigned>(data[row * row_bytes + bit / 8]);
    return static_cast<float>((byte >> static_cast<unsigned>(bit % 8)) &
                              ((1U << static_cast<unsigned>(bits)) - 1));
  }
};

/// The weight, decoded a row at a time.
class Weight {
 public:
  explicit Weight(const ComputeContext& ctx)
      : k_(ctx.node().int_or("K", 0)),
        n_(ctx.node().int_or("N", 0)),
        block_(ctx.node().int_or("block_size", 0)),
        bits_(static_cast<int>(ctx.node().int_or("bits", 4))),
        b_(ctx.in(1).bytes.view()),
        scales_(ctx.in(2)) {
    if (bits_ != 2 && bits_ != 4 && bits_ != 8) ctx.fail("bits is {}, expected 2, 4 or 8", bits_);
    if (k_ < 1 || n_ < 1 || block_ < 1) ctx.fail("K is {}, N {}, block_size {}", k_, n_, block_);
    if (ctx.node().int_or("weight_prepacked", 0) != 0) ctx.fail("the weight is packed for one processor");
    blocks_ = (k_ + block_ - 1) / block_;
    expect(ctx, 1, n_ * blocks_ * block_ * bits_ / 8);
    expect(ctx, 2, n_ * blocks_);
    codes_ = {b_.data(), blocks_ * block_ * bits_ / 8, bits_};
    read_zeros(ctx);
    if (!ctx.has(4)) return;
    groups_ = to_ints(ctx.in(4));
    expect(ctx, 4, k_, blocks_ * block_);
    for (const std::int64_t g : groups_) {
      if (g < 0 || g >= blocks_) ctx.fail("g_idx holds {}, expected 0 to {}", g, blocks_ - 1);
    }
  }

  std::int64_t k() const { return k_; }
  std::int64_t n() const { return n_; }

  /// w[row, ..] -> to [k]
  void row(std::int64_t row, float* to) const {
    for (std::int64_t i = 0; i < k_; ++i) {
      const std::int64_t block = groups_.empty() ? i / block_ : groups_[static_cast<std::size_t>(i)];
      const std::int64_t at = row * blocks_ + block;
      to[i] = (codes_.at(row, i) - zeros_[static_cast<std::size_t>(at)]) * scales_[at];
    }
  }

 private:
  static void expect(const ComputeContext& ctx, std::size_t i, std::int64_t size, std::int64_t other = -1) {
    const auto found = static_cast<std::int64_t>(ctx.in(i).size());
    if (found != size && found != other) ctx.fail("input {} has {} elements, expected {}", i, found, size);
  }

  void read_zeros(const ComputeContext& ctx) {
    zeros_.assign(static_cast<std::size_t>(n_ * blocks_), static_cast<float>(1 << (bits_ - 1)));
    if (!ctx.has(3)) return;
    if (ctx.in(3).dtype != DType::kUint8) {
      expect(ctx, 3, n_ * blocks_);
      zeros_ = to_floats(ctx.in(3));
      return;
    }
    const std::int64_t row_bytes = (blocks_ * bits_ + 7) / 8;
    expect(ctx, 3, n_ * row_bytes);
    const BytesView view = ctx.in(3).bytes.view();
    const Codes packed{view.data(), row_bytes, bits_};
    for (std::int64_t row = 0; row < n_; ++row) {
      for (std::int64_t i = 0; i < blocks_; ++i) {
        zeros_[static_cast<std::size_t>(row * blocks_ + i)] = packed.at(row, i);
      }
    }
  }

  std::int64_t k_, n_, block_;
  int bits_;
  std::int64_t blocks_ = 0;
  BytesView b_;
  Elements<float> scales_;
  Codes codes_{};
  std::vector<float> zeros_;
  std::vector<std::int64_t> groups_;
};

// x, codes, scales, zero points, g_idx, bias
void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const Weight weight(ctx);
  const std::int64_t k = weight.k();
  const std::int64_t n = weight.n();
  if (x.rank() < 1 || x.shape.back() != k)
    ctx.fail("input is {}, expected rows of {}", to_string(x.shape), k);
  const Elements<float> rows(x);
  Dims shape = x.shape;
  shape.back() = n;
  Result<float> y(x.dtype, shape);
  const std::int64_t m = static_cast<std::int64_t>(rows.size()) / k;
  const std::vector<float> bias = ctx.has(5) ? to_floats(ctx.in(5)) : std::vector<float>();
  if (!bias.empty() && static_cast<std::int64_t>(bias.size()) != n) {
    ctx.fail("bias has {} numbers, expected {}", bias.size(), n);
  }
  constexpr std::int64_t kColumns = 32;
  const std::int64_t strips = (n + kColumns - 1) / kColumns;
  kernels::in_parallel(n * k > kParallelWork, strips, [&](std::int64_t strip) {
    const std::int64_t first = strip * kColumns;
    const std::int64_t columns = std::min(kColumns, n - first);
    std::vector<float> decoded(static_cast<std::size_t>(columns * k));
    for (std::int64_t j = 0; j < columns; ++j) weight.row(first + j, decoded.data() + j * k);
    const std::vector<float> w = transposed(decoded.data(), columns, k, k);
    for (std::int64_t i = 0; !bias.empty() && i < m; ++i) {
      std::copy_n(bias.data() + first, columns, y.data() + i * n + first);
    }
    add_product(m, columns, k, rows.data(), k, w.data(), columns, y.data() + first, n);
  });
  ctx.set(0, y.finish());
}

}  // namespace

void register_microsoft_matmul_nbits(OpTable& table) {
  table.add(
      {.type = "MatMulNBits", .domain = "com.microsoft", .infer = infer, .cost = cost, .compute = compute});
}

}  // namespace compressor::ops
