// RotaryEmbedding: turns pairs of numbers in every head by an angle that grows with the position.
//
// x [N, H, T, D] or [N, T, H D]. A head goes whole: the numbers in it are paired with columns of the angles.
#include <algorithm>
#include <cstring>

#include "compressor/ops/channels.h"
#include "compressor/ops/run.h"
#include "ops/expect.h"
#include "ops/real.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  expect_rank(ctx, ctx.in(0), "input", 3, 4);
  same_as(ctx, 0, 0);
}

Cost cost(const CostContext& ctx) {
  return {.macs = 0, .flops = 3 * ctx.in_size(0)};
}

void channels(ChannelContext& ctx) {
  ctx.pass_all(0, 0);
  for (std::size_t i = 1; i < ctx.node().inputs().size(); ++i) {
    for (std::int64_t axis = 0; ctx.has(i) && axis < ctx.in(i).rank(); ++axis) {
      ctx.freeze(i, axis, "angles of a rotary embedding");
    }
  }
  const std::string why = "numbers in a head are turned in pairs";
  if (ctx.in(0).rank() == 4) return ctx.freeze(0, 3, why);
  const std::int64_t heads = ctx.node().int_or("num_heads", 0);
  const std::int64_t n = ctx.in_dim(0, 2);
  if (heads < 1 || n < 0 || n % heads != 0) return ctx.freeze_all("unknown number of heads");
  const std::vector<std::int64_t> factors{heads, n / heads};
  ctx.freeze(ctx.atoms().split(ctx.in_list(0, 2), factors, ctx.because("attention heads"))[1], why);
}

void shrink(ShrinkContext& ctx) {
  const std::int64_t heads = ctx.node().int_or("num_heads", 0);
  const auto* kept = ctx.in(0).rank() == 3 ? ctx.kept_in(0, 2) : nullptr;
  if (!kept || heads < 1) return;
  const std::int64_t width = ctx.in(0).dim(2).number() / heads;
  if (static_cast<std::int64_t>(kept->size()) % width != 0) ctx.fail("a head was cut in part");
  ctx.set_attribute({"num_heads", static_cast<std::int64_t>(kept->size()) / width});
}

/// Where the numbers of one head at one position stand, and its angles.
struct Turn {
  std::int64_t batch = 0, heads = 0, length = 0, width = 0;
  std::int64_t turned = 0;  ///< of the width; the rest passes
  bool split = false;       ///< [N, T, H D]
  bool interleaved = false;
  /// Row of the angles for [N, T]; empty: row n T + t.
  std::vector<std::int64_t> rows;

  std::int64_t at(std::int64_t n, std::int64_t h, std::int64_t t) const {
    return (split ? (n * length + t) * heads + h : (n * heads + h) * length + t) * width;
  }
};

/// com.microsoft has the positions before the angles, and a single number is where the first token stands.
template <class Context>
std::vector<std::int64_t> rows_of(Context& ctx, std::size_t positions, const Turn& turn) {
  if (!ctx.has(positions)) return {};
  std::vector<std::int64_t> rows = to_ints(ctx.in(positions));
  const auto wanted = static_cast<std::size_t>(turn.batch * turn.length);
  if (ctx.node().domain() == "com.microsoft" && rows.size() == 1 && wanted != 1) {
    const std::int64_t first = rows[0];
    rows.clear();
    for (std::int64_t n = 0; n < turn.batch; ++n) {
      for (std::int64_t t = 0; t < turn.length; ++t) rows.push_back(first + t);
    }
  }
  if (rows.size() != wanted) ctx.fail("found {} positions, expected {}", rows.size(), wanted);
  return rows;
}

template <class Context>
Turn turn_of(Context& ctx, std::size_t positions, const Tensor& cosines) {
  const Dims& x = ctx.in(0).shape;
  if (cosines.rank() < 2) ctx.fail("angles have rank {}, expected 2 or 3", cosines.rank());
  Turn turn;
  turn.interleaved = ctx.node().int_or("interleaved", 0) != 0;
  turn.turned = ctx.node().int_or("rotary_embedding_dim", 0);
  std::int64_t heads = ctx.node().int_or("num_heads", 0);
  if (x.size() == 4) {
    turn.batch = x[0];
    turn.heads = x[1];
    turn.length = x[2];
    turn.width = x[3];
  } else {
    if (x.size() != 3) ctx.fail("input has rank {}, expected 3 or 4", x.size());
    // com.microsoft tells the width of a head by the angles where it does not say how many there are.
    if (heads == 0 && turn.turned == 0 && cosines.shape.back() > 0) heads = x[2] / (2 * cosines.shape.back());
    if (heads < 1 || x[2] % heads != 0) ctx.fail("input is {} wide, num_heads is {}", x[2], heads);
    turn.batch = x[0];
    turn.heads = heads;
    turn.length = x[1];
    turn.width = x[2] / heads;
    turn.split = true;
  }
  if (turn.turned == 0) turn.turned = turn.width;
  if (turn.turned > turn.width || turn.turned % 2 != 0 || cosines.shape.back() != turn.turned / 2) {
    ctx.fail("angles are {}, expected {} columns for heads of {}", to_string(cosines.shape), turn.turned / 2,
             turn.width);
  }
  turn.rows = rows_of(ctx, positions, turn);
  return turn;
}

/// Where the inputs stand; com.microsoft has another order.
struct Order {
  std::size_t positions = 3, cosines = 1, sines = 2;
};

Order order_of(const Node& node) {
  return node.domain() == "com.microsoft" ? Order{1, 2, 3} : Order();
}

/// Calls fn(a, b, k) for the places of all pairs of numbers and that of their angle.
template <class Fn>
void each_pair(const Turn& turn, Fn&& fn) {
  const std::int64_t half = turn.turned / 2;
  const std::int64_t step = turn.interleaved ? 2 : 1;
  const std::int64_t apart = turn.interleaved ? 1 : half;
  for (std::int64_t i = 0; i < turn.batch * turn.length; ++i) {
    const std::int64_t row = (turn.rows.empty() ? i : turn.rows[static_cast<std::size_t>(i)]) * half;
    for (std::int64_t h = 0; h < turn.heads; ++h) {
      const std::int64_t at = turn.at(i / turn.length, h, i % turn.length);
      for (std::int64_t k = 0; k < half; ++k) fn(at + k * step, at + k * step + apart, row + k);
    }
  }
}

// (a, b) -> (a cos - b sin, a sin + b cos) where a and b are neighbours, or half a head apart
void compute(ComputeContext& ctx) {
  const Order order = order_of(ctx.node());
  const Tensor& cosines = ctx.in(order.cosines);
  const Tensor& sines = ctx.in(order.sines);
  if (sines.shape != cosines.shape) {
    ctx.fail("sines are {}, cosines {}", to_string(sines.shape), to_string(cosines.shape));
  }
  if (ctx.node().int_or("is_packed_batching", 0) != 0) ctx.fail("packed batches are not computed here");
  const Turn turn = turn_of(ctx, order.positions, cosines);
  const std::int64_t half = turn.turned / 2;
  const std::int64_t rows = half > 0 ? static_cast<std::int64_t>(cosines.size()) / half : 0;
  const auto outside = [rows](std::int64_t row) { return row < 0 || row >= rows; };
  if (std::any_of(turn.rows.begin(), turn.rows.end(), outside))
    ctx.fail("a position is outside of {} angles", rows);
  if (turn.rows.empty() && rows != turn.batch * turn.length) {
    ctx.fail("found {} rows of angles, expected {}", rows, turn.batch * turn.length);
  }
  with_real(ctx, ctx.in(0).dtype, [&]<class T>(T) {
    const Elements<T> x(ctx.in(0));
    const Elements<T> cosine(cosines);
    const Elements<T> sine(sines);
    Result<T> y(ctx.in(0).dtype, ctx.in(0).shape);
    std::copy_n(x.data(), y.size(), y.data());
    each_pair(turn, [&](std::int64_t a, std::int64_t b, std::int64_t k) {
      y[a] = x[a] * cosine[k] - x[b] * sine[k];
      y[b] = x[a] * sine[k] + x[b] * cosine[k];
    });
    ctx.set(0, y.finish());
  });
}

/// Back by the same angles.
void turn_back(GradientContext& ctx, const Turn& turn, const Order& order) {
  const float* cosines = ctx.in_floats(order.cosines);
  const float* sines = ctx.in_floats(order.sines);
  const float* dy = ctx.grad(0);
  float* dx = ctx.grad_in(0);
  std::copy_n(dy, num_elements(ctx.in_shape(0)), dx);
  each_pair(turn, [&](std::int64_t a, std::int64_t b, std::int64_t k) {
    dx[a] = dy[a] * cosines[k] + dy[b] * sines[k];
    dx[b] = dy[b] * cosines[k] - dy[a] * sines[k];
  });
}

/// d cos = sum of da a + db b, d sin = sum of db a - da b
void angle_gradient(GradientContext& ctx, const Turn& turn, std::size_t i, bool of_sine) {
  const float* x = ctx.in_floats(0);
  const float* dy = ctx.grad(0);
  float* d = ctx.grad_in(i);
  std::memset(d, 0, num_elements(ctx.in_shape(i)) * sizeof(float));
  each_pair(turn, [&](std::int64_t a, std::int64_t b, std::int64_t k) {
    d[k] += of_sine ? dy[b] * x[a] - dy[a] * x[b] : dy[a] * x[a] + dy[b] * x[b];
  });
}

void gradient(GradientContext& ctx) {
  const Order order = order_of(ctx.node());
  const Turn turn = turn_of(ctx, order.positions, ctx.in(order.cosines));
  if (ctx.wants(0)) turn_back(ctx, turn, order);
  if (ctx.wants(order.cosines)) angle_gradient(ctx, turn, order.cosines, false);
  if (ctx.wants(order.sines)) angle_gradient(ctx, turn, order.sines, true);
}

}  // namespace

void register_rotary_embedding(OpTable& table) {
  for (const char* domain : {"", "com.microsoft"}) {
    table.add({.type = "RotaryEmbedding",
               .domain = domain,
               .infer = infer,
               .cost = cost,
               .compute = compute,
               .channels = channels,
               .shrink = shrink,
               .gradient = gradient,
               .keep = {.inputs = kAll}});
  }
}

}  // namespace compressor::ops
