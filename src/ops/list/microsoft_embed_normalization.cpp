// com.microsoft EmbedLayerNormalization: sums of embeddings, normalised over the last axis.
//
// word ids, segment ids [N, T], embeddings of words, positions, segments [.., n], gamma, beta [n], mask [N,
// T], position ids [N or 1, T] -> y [N, T, n], the ones of each row of the mask [N], the sum
#include <cmath>

#include "ops/expect.h"
#include "ops/real.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  const Facts& ids = ctx.in(0);
  const Facts& words = ctx.in(2);
  expect_rank(ctx, ids, "word ids", 2, 2);
  expect_rank(ctx, words, "word embedding", 2, 2);
  SymDims y(3);
  if (ids.ranked) y = {ids.dims[0], ids.dims[1], SymDim()};
  if (words.ranked) y[2] = words.dims[1];
  for (const std::size_t i : {5, 6}) expect_vector(ctx, i, y[2], "parameter");
  if (ctx.wants(1)) ctx.set(1, DType::kInt32, {y[0]});
  if (ctx.wants(2)) ctx.set(2, words.dtype, y);
  ctx.set(0, words.dtype, std::move(y));
}

Cost cost(const CostContext& ctx) {
  return {.macs = 0, .flops = 9 * ctx.out_size(0)};
}

/// A matrix of embeddings and the rows that are taken of it; none when the operator has it not.
template <class T>
class Embedding {
 public:
  Embedding(const ComputeContext& ctx, std::size_t i, std::int64_t width)
      : values_(ctx.in(i)), width_(width) {
    const Dims& d = ctx.in(i).shape;
    if (d.size() != 2 || d[1] != width)
      ctx.fail("embedding {} is {}, expected rows of {}", i, to_string(d), width);
    rows_ = d[0];
  }
  void add(const ComputeContext& ctx, std::int64_t row, T* to) const {
    if (row < 0 || row >= rows_) ctx.fail("index {}, expected 0 to {}", row, rows_ - 1);
    const T* from = values_.data() + row * width_;
    for (std::int64_t i = 0; i < width_; ++i) to[i] += from[i];
  }

 private:
  Elements<T> values_;
  std::int64_t width_, rows_ = 0;
};

std::vector<std::int64_t> ids_at(const ComputeContext& ctx, std::size_t i, const Dims& shape) {
  if (ctx.in(i).shape != shape && ctx.in(i).shape != Dims{1, shape[1]}) {
    ctx.fail("ids {} are {}, expected {}", i, to_string(ctx.in(i).shape), to_string(shape));
  }
  return to_ints(ctx.in(i));
}

void count_mask(ComputeContext& ctx, const Dims& ids) {
  std::vector<double> counts(static_cast<std::size_t>(ids[0]), 0);
  if (ctx.has(7)) {
    if (ctx.in(7).shape != ids)
      ctx.fail("mask is {}, expected {}", to_string(ctx.in(7).shape), to_string(ids));
    const std::vector<std::int64_t> mask = to_ints(ctx.in(7));
    for (std::size_t i = 0; i < mask.size(); ++i) {
      if (mask[i] == 1) counts[i / static_cast<std::size_t>(ids[1])] += 1;
    }
  }
  ctx.set(1, Tensor::of(DType::kInt32, {ids[0]}, counts));
}

void compute(ComputeContext& ctx) {
  const Dims& ids = ctx.in(0).shape;
  if (ids.size() != 2 || ctx.in(2).rank() != 2) ctx.fail("word ids are {}, expected rank 2", to_string(ids));
  const std::int64_t n = ctx.in(2).shape[1];
  const std::int64_t length = ids[1];
  const DType type = ctx.in(2).dtype;
  const double epsilon = ctx.node().float_or("epsilon", 1e-12F);
  const std::vector<std::int64_t> words = to_ints(ctx.in(0));
  const auto optional_ids = [&](std::size_t i) {
    return ctx.has(i) ? ids_at(ctx, i, ids) : std::vector<std::int64_t>();
  };
  const std::vector<std::int64_t> segments = ctx.has(4) ? optional_ids(1) : std::vector<std::int64_t>();
  const std::vector<std::int64_t> positions = optional_ids(8);
  with_real(ctx, type, [&]<class T>(T) {
    const Embedding<T> word(ctx, 2, n);
    const Embedding<T> position(ctx, 3, n);
    std::optional<Embedding<T>> segment;
    if (!segments.empty()) segment.emplace(ctx, 4, n);
    const Elements<T> gamma(ctx.in(5));
    const Elements<T> beta(ctx.in(6));
    if (static_cast<std::int64_t>(gamma.size()) != n || static_cast<std::int64_t>(beta.size()) != n) {
      ctx.fail("gamma and beta have {} and {} numbers, expected {}", gamma.size(), beta.size(), n);
    }
    Result<T> sum(type, {ids[0], length, n});
    Result<T> y(type, {ids[0], length, n});
    for (std::size_t row = 0; row < words.size(); ++row) {
      const auto at = static_cast<std::int64_t>(row);
      T* to = sum.data() + at * n;
      word.add(ctx, words[row], to);
      position.add(ctx, positions.empty() ? at % length : positions[row % positions.size()], to);
      if (segment) segment->add(ctx, segments[row % segments.size()], to);
      const Moments m = moments_of(to, n);
      const double factor = 1 / std::sqrt(m.variance + epsilon);
      for (std::int64_t i = 0; i < n; ++i) {
        const double v = (static_cast<double>(to[i]) - m.mean) * factor;
        y[at * n + i] = static_cast<T>(v * static_cast<double>(gamma[i]) + static_cast<double>(beta[i]));
      }
    }
    ctx.set(0, y.finish());
    ctx.set(2, sum.finish());
  });
  count_mask(ctx, ids);
}

}  // namespace

void register_microsoft_embed_normalization(OpTable& table) {
  table.add({.type = "EmbedLayerNormalization",
             .domain = "com.microsoft",
             .infer = infer,
             .cost = cost,
             .compute = compute});
}

}  // namespace compressor::ops
