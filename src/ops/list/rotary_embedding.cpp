// RotaryEmbedding: turns pairs of numbers in every head by an angle that grows with the position.
//
// x [N, H, T, D] or [N, T, H D]. A head goes whole: the numbers in it are paired with columns of the angles.
#include <algorithm>

#include "compressor/ops/channels.h"
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
std::vector<std::int64_t> rows_of(const ComputeContext& ctx, std::size_t positions, const Turn& turn) {
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

Turn turn_of(const ComputeContext& ctx, std::size_t positions, const Tensor& cosines) {
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

// (a, b) -> (a cos - b sin, a sin + b cos) where a and b are neighbours, or half a head apart
void compute(ComputeContext& ctx) {
  const bool microsoft = ctx.node().domain() == "com.microsoft";
  const Tensor& cosines = ctx.in(microsoft ? 2 : 1);
  const Tensor& sines = ctx.in(microsoft ? 3 : 2);
  if (sines.shape != cosines.shape) {
    ctx.fail("sines are {}, cosines {}", to_string(sines.shape), to_string(cosines.shape));
  }
  if (ctx.node().int_or("is_packed_batching", 0) != 0) ctx.fail("packed batches are not computed here");
  const Turn turn = turn_of(ctx, microsoft ? 1 : 3, cosines);
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
    const std::int64_t step = turn.interleaved ? 2 : 1;
    const std::int64_t apart = turn.interleaved ? 1 : half;
    for (std::int64_t i = 0; i < turn.batch * turn.length; ++i) {
      const std::int64_t row = (turn.rows.empty() ? i : turn.rows[static_cast<std::size_t>(i)]) * half;
      for (std::int64_t h = 0; h < turn.heads; ++h) {
        const std::int64_t at = turn.at(i / turn.length, h, i % turn.length);
        for (std::int64_t k = 0; k < half; ++k) {
          const T a = x[at + k * step];
          const T b = x[at + k * step + apart];
          y[at + k * step] = a * cosine[row + k] - b * sine[row + k];
          y[at + k * step + apart] = a * sine[row + k] + b * cosine[row + k];
        }
      }
    }
    ctx.set(0, y.finish());
  });
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
               .shrink = shrink});
  }
}

}  // namespace compressor::ops
