// attend: head by head, scores of all queries as one product, softmax by rows, and a product with the values.
#include "ops/attend.h"

#include <algorithm>

#include "ops/attend_setting.h"
#include "ops/product.h"

namespace compressor::ops {
namespace {

template <class T>
void attend(ComputeContext& ctx, const AttendSetting& s) {
  const Elements<T> q(ctx.in(0));
  Result<T> keys = with_past<T>(ctx, 1, 4, s.k, s);
  Result<T> values = with_past<T>(ctx, 2, 5, s.v, s);
  const ScoreBias<T> bias(ctx, s);
  const DType type = ctx.in(0).dtype;
  Result<T> y(type, s.q.split ? Dims{s.q.batch, s.q.length, s.q.heads * s.v.width}
                              : Dims{s.q.batch, s.q.heads, s.q.length, s.v.width});
  const HeadsLayout out = output_layout(s);
  const bool shows = ctx.node().output(3) != nullptr;
  Result<T> shown(type, shows ? Dims{s.q.batch, s.q.heads, s.q.length, s.total} : Dims{0});
  const std::int64_t heads = s.q.batch * s.q.heads;
  const std::int64_t matrix = s.q.length * s.total;
#pragma omp parallel for schedule(dynamic) if (heads * matrix * s.q.width > kParallelWork)
  for (std::int64_t i = 0; i < heads; ++i) {
    const std::int64_t n = i / s.q.heads;
    const std::int64_t head = i % s.q.heads;
    const std::int64_t shared = n * s.k.heads + head / (s.q.heads / s.k.heads);
    const std::vector<T> turned =
        transposed(keys.data() + shared * s.total * s.k.width, s.total, s.k.width, s.k.width);
    std::vector<T> scores(static_cast<std::size_t>(matrix));
    add_product(s.q.length, s.total, s.q.width, q.data() + s.q.at(n, head), s.q.row, turned.data(), s.total,
                scores.data(), s.total);
    weigh(s, bias, n, head, scores, shows ? shown.data() + i * matrix : nullptr);
    add_product(s.q.length, s.v.width, s.total, scores.data(), s.total,
                values.data() + shared * s.total * s.v.width, s.v.width, y.data() + out.at(n, head), out.row);
  }
  ctx.set(0, y.finish());
  if (ctx.node().output(1) != nullptr) ctx.set(1, keys.finish());
  if (ctx.node().output(2) != nullptr) ctx.set(2, values.finish());
  if (shows) ctx.set(3, shown.finish());
}

}  // namespace

void compute_attention(ComputeContext& ctx) {
  const AttendSetting s = read_attend_setting(ctx);
  with_real(ctx, ctx.in(0).dtype, [&]<class T>(T) { attend<T>(ctx, s); });
}

}  // namespace compressor::ops
