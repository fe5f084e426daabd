// LRN: divides by the energy of neighbouring channels.
#include <algorithm>

#include "compressor/kernels/in_parallel.h"
#include "compressor/ops/channels.h"
#include "compressor/ops/run.h"
#include "ops/expect.h"
#include "ops/real.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  expect_rank(ctx, ctx.in(0), "input", 2);
  if (ctx.node().int_or("size", 0) < 1)
    ctx.fail("size is {}, expected at least 1", ctx.node().int_or("size", 0));
  same_as(ctx, 0, 0);
}

// A square and a sum for every neighbour, a power and a quotient.
Cost cost(const CostContext& ctx) {
  return {.macs = 0, .flops = ctx.in_size(0) * (2 * static_cast<double>(ctx.node().int_or("size", 1)) + 2)};
}

void channels(ChannelContext& ctx) {
  ctx.pass_all(0, 0);
  ctx.approximate(ctx.in_list(0, 1), "LRN normalises over neighbouring channels");
}

/// x^-beta
template <class T>
T inverse_power(T x, double beta) {
  if (beta == 0.75) return 1 / (std::sqrt(x) * std::sqrt(std::sqrt(x)));
  return static_cast<T>(std::pow(static_cast<double>(x), -beta));
}

// y[c] = x[c] / (bias + alpha / size * sum of x^2 over channels c - (size - 1) / 2 .. c + size / 2)^beta
void compute(ComputeContext& ctx) {
  const Tensor& input = ctx.in(0);
  if (input.rank() < 2) ctx.fail("input has rank {}, expected at least 2", input.rank());
  const std::int64_t size = ctx.node().int_or("size", 0);
  if (size < 1) ctx.fail("size is {}, expected at least 1", size);
  const double alpha = ctx.node().float_or("alpha", 1e-4F);
  const double beta = ctx.node().float_or("beta", 0.75F);
  const double bias = ctx.node().float_or("bias", 1);
  with_real(ctx, input.dtype, [&]<class T>(T) {
    const Elements<T> x(input);
    Result<T> y(input.dtype, input.shape);
    if (y.size() == 0) return ctx.set(0, y.finish());
    const std::int64_t channels = input.shape[1];
    const std::int64_t planes = input.shape[0] * channels;
    const std::int64_t plane = y.size() / planes;
    const auto share = static_cast<T>(alpha / static_cast<double>(size));
    kernels::in_parallel(y.size() * size > kParallelWork, planes, [&](std::int64_t p) {
      const std::int64_t c = p % channels;
      const std::int64_t first = std::max<std::int64_t>(0, c - (size - 1) / 2);
      const std::int64_t last = std::min(channels - 1, c + size / 2);
      T* to = y.data() + p * plane;
      for (std::int64_t k = first; k <= last; ++k) {
        const T* from = x.data() + (p - c + k) * plane;
        for (std::int64_t i = 0; i < plane; ++i) to[i] += from[i] * from[i];
      }
      const T* from = x.data() + p * plane;
      for (std::int64_t i = 0; i < plane; ++i) {
        to[i] = from[i] * inverse_power(static_cast<T>(bias) + share * to[i], beta);
      }
    });
    ctx.set(0, y.finish());
  });
}

/// With S the energy that x is divided by: dx[j] = dy[j] S[j]^-beta - 2 share beta x[j] sum of dy[c] x[c]
/// S[c]^-(beta + 1) over the channels c that j is a neighbour of.
void gradient(GradientContext& ctx) {
  const Dims& shape = ctx.in_shape(0);
  const std::int64_t size = ctx.node().int_or("size", 0);
  const Layout layout = shape.size() > 2 ? Layout::kChannelsLast : Layout::kPlain;
  const std::int64_t channels = shape[1];
  const std::int64_t rows =
      static_cast<std::int64_t>(num_elements(shape)) / std::max<std::int64_t>(channels, 1);
  const float share = ctx.node().float_or("alpha", 1e-4F) / static_cast<float>(size);
  const double beta = ctx.node().float_or("beta", 0.75F);
  const float bias = ctx.node().float_or("bias", 1);
  const std::int64_t before = (size - 1) / 2;
  const std::int64_t after = size / 2;
  const float* x = ctx.in_floats(0, layout);
  const float* dy = ctx.grad(0, layout);
  float* dx = ctx.grad_in(0, layout);
  kernels::in_parallel(rows * channels * size > kParallelWork, rows, [&](std::int64_t r) {
    const float* from = x + r * channels;
    const float* d = dy + r * channels;
    std::vector<float> pull(static_cast<std::size_t>(channels));
    for (std::int64_t c = 0; c < channels; ++c) {
      float energy = 0;
      const std::int64_t last = std::min(channels - 1, c + after);
      for (std::int64_t k = std::max<std::int64_t>(0, c - before); k <= last; ++k)
        energy += from[k] * from[k];
      const float whole = bias + share * energy;
      const float power = inverse_power(whole, beta);
      dx[r * channels + c] = d[c] * power;
      pull[static_cast<std::size_t>(c)] = d[c] * from[c] * power / whole;
    }
    for (std::int64_t j = 0; j < channels; ++j) {
      float sum = 0;
      const std::int64_t last = std::min(channels - 1, j + before);
      for (std::int64_t c = std::max<std::int64_t>(0, j - after); c <= last; ++c)
        sum += pull[static_cast<std::size_t>(c)];
      dx[r * channels + j] -= 2 * share * static_cast<float>(beta) * from[j] * sum;
    }
  });
}

/// Channels-last: the neighbours of a channel lie beside it.
bool run(RunContext& ctx) {
  const Dims shape = ctx.shape(0);
  const std::int64_t size = ctx.node().int_or("size", 0);
  if (ctx.portable() || ctx.dtype(0) != DType::kFloat || shape.size() < 3 || num_elements(shape) == 0 ||
      size < 1)
    return false;
  const std::int64_t channels = shape[1];
  const std::int64_t rows = static_cast<std::int64_t>(num_elements(shape)) / channels;
  const float share = ctx.node().float_or("alpha", 1e-4F) / static_cast<float>(size);
  const double beta = ctx.node().float_or("beta", 0.75F);
  const float bias = ctx.node().float_or("bias", 1);
  const std::int64_t before = (size - 1) / 2;
  const float* x = ctx.floats(0, Layout::kChannelsLast);
  float* y = ctx.out_floats(0, shape, Layout::kChannelsLast);
#pragma omp parallel if (rows * channels * size > kParallelWork)
  {
    // Squares with zeros on both sides, and their sums.
    std::vector<float> squares(static_cast<std::size_t>(channels + size));
    std::vector<float> sums(static_cast<std::size_t>(channels));
#pragma omp for schedule(static)
    for (std::int64_t r = 0; r < rows; ++r) {
      const float* from = x + r * channels;
      float* to = y + r * channels;
      float* own = squares.data() + before;
      float* sum = sums.data();
      for (std::int64_t c = 0; c < channels; ++c) own[c] = from[c] * from[c];
      std::fill_n(sum, channels, 0.0F);
      for (std::int64_t k = 0; k < size; ++k) {
        for (std::int64_t c = 0; c < channels; ++c) sum[c] += squares[static_cast<std::size_t>(c + k)];
      }
      for (std::int64_t c = 0; c < channels; ++c) {
        to[c] = from[c] * inverse_power(bias + share * sum[c], beta);
      }
    }
  }
  return true;
}

}  // namespace

void register_lrn(OpTable& table) {
  table.add({.type = "LRN",
             .infer = infer,
             .cost = cost,
             .compute = compute,
             .channels = channels,
             .run = run,
             .gradient = gradient,
             .keep = {.inputs = 1}});
}

}  // namespace compressor::ops
