// RandomNormal, RandomUniform, their Like forms, Bernoulli, Multinomial: numbers that nobody knows before.
//
// They are not constants, so there is no `compute`. A run draws from a stream of its own for each node, begun
// anew by each executor from the node's seed and identity: the same program gives the same numbers again.
#include "compressor/base/random.h"

#include <bit>
#include <cmath>

#include "compressor/ops/channels.h"
#include "compressor/ops/run.h"
#include "ops/expect.h"

namespace compressor::ops {
namespace {

void infer_shape(InferContext& ctx) {
  SymDims y;
  for (const std::int64_t d : ctx.node().ints_or("shape", {})) {
    if (d < 0) ctx.fail("shape holds {}, expected no negative number", d);
    y.emplace_back(d);
  }
  ctx.set(0, dtype_attribute(ctx.node(), "dtype", DType::kFloat), std::move(y));
}

void infer_like(InferContext& ctx) {
  same_as(ctx, 0, 0);
  if (ctx.wants(0)) ctx.outputs()[0].dtype = dtype_attribute(ctx.node(), "dtype", ctx.in(0).dtype);
}

// x [N, classes] -> [N, samples]
void infer_multinomial(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  expect_rank(ctx, x, "input", 2, 2);
  ctx.set(0, dtype_attribute(ctx.node(), "dtype", DType::kInt32),
          {x.ranked ? x.dims[0] : SymDim(), ctx.node().int_or("sample_size", 1)});
}

struct Stream {
  std::optional<Random> random;
};

Random& stream(RunContext& ctx) {
  Stream& s = ctx.state().get<Stream>();
  if (!s.random) {
    const auto seed = std::bit_cast<std::uint32_t>(ctx.node().float_or("seed", 0.0F));
    s.random.emplace((std::uint64_t{seed} << 32U) ^ (ctx.node().id() * 0x9E3779B97F4A7C15ULL));
  }
  return *s.random;
}

bool run_numbers(RunContext& ctx) {
  const Node& node = ctx.node();
  const bool like = node.op().ends_with("Like");
  const Dims shape = like ? ctx.shape(0) : node.ints_or("shape", {});
  const DType type = dtype_attribute(node, "dtype", like ? ctx.dtype(0) : DType::kFloat);
  if (!is_float(type)) ctx.fail("dtype is {}, expected floating point numbers", name(type));
  const bool normal = node.op().starts_with("RandomNormal");
  const double a = normal ? node.float_or("mean", 0.0F) : node.float_or("low", 0.0F);
  const double b = normal ? node.float_or("scale", 1.0F) : node.float_or("high", 1.0F);
  Random& random = stream(ctx);
  std::vector<double> y(num_elements(shape));
  for (double& v : y) v = normal ? a + b * random.normal() : a + (b - a) * random.uniform();
  ctx.set(0, Tensor::of(type, shape, y));
  return true;
}

bool run_bernoulli(RunContext& ctx) {
  const std::vector<double> chances = to_doubles(ctx.in(0));
  Random& random = stream(ctx);
  std::vector<double> y;
  for (const double p : chances) y.push_back(random.uniform() < p ? 1 : 0);
  ctx.set(0, Tensor::of(dtype_attribute(ctx.node(), "dtype", ctx.dtype(0)), ctx.shape(0), y));
  return true;
}

/// Classes by logarithms of their chances, which need not sum to 1.
bool run_multinomial(RunContext& ctx) {
  const Tensor& x = ctx.in(0);
  if (x.rank() != 2 || x.shape[1] < 1) ctx.fail("input is {}, expected [N, classes]", to_string(x.shape));
  const std::vector<double> logs = to_doubles(x);
  const std::int64_t samples = ctx.node().int_or("sample_size", 1);
  if (samples < 0) ctx.fail("sample_size is {}", samples);
  Random& random = stream(ctx);
  std::vector<double> y;
  const auto classes = static_cast<std::size_t>(x.shape[1]);
  for (std::size_t row = 0; row < logs.size(); row += classes) {
    double most = logs[row];
    for (std::size_t c = 0; c < classes; ++c) most = std::max(most, logs[row + c]);
    std::vector<double> up_to;
    double sum = 0;
    for (std::size_t c = 0; c < classes; ++c) up_to.push_back(sum += std::exp(logs[row + c] - most));
    for (std::int64_t s = 0; s < samples; ++s) {
      const double at = random.uniform() * sum;
      std::size_t c = 0;
      while (c + 1 < classes && up_to[c] <= at) ++c;
      y.push_back(static_cast<double>(c));
    }
  }
  ctx.set(0, Tensor::of(dtype_attribute(ctx.node(), "dtype", DType::kInt32), {x.shape[0], samples}, y));
  return true;
}

}  // namespace

void register_random(OpTable& table) {
  for (const char* type : {"RandomNormal", "RandomUniform"}) {
    table.add({.type = type, .infer = infer_shape, .run = run_numbers});
  }
  for (const char* type : {"RandomNormalLike", "RandomUniformLike"}) {
    table.add({.type = type, .infer = infer_like, .run = run_numbers});
  }
  table.add({.type = "Bernoulli", .infer = infer_like, .run = run_bernoulli});
  table.add({.type = "Multinomial", .infer = infer_multinomial, .run = run_multinomial});
}

}  // namespace compressor::ops
