// attend_back: the gradient of attention, head by head; probabilities are computed a second time.
//
// With P = softmax(S), S = scale Q K' + mask, and dP = dY V': dV = P' dY, dS = P (dP - sum of P dP over the
// row), dQ = scale dS K, dK = scale dS' Q. A soft cap c tanh(S / c) puts 1 - (S / c)^2 of what it gave
// between.
#include <cstring>

#include "ops/attend.h"
#include "ops/attend_setting.h"
#include "ops/product.h"
#include "ops/run_elementwise.h"

namespace compressor::ops {
namespace {

using Floats = std::vector<float>;

/// Keys and values [N, H, past + S, W], and gradients that are added to.
struct Operands {
  const float* q = nullptr;
  const float* keys = nullptr;
  const float* values = nullptr;
  const float* dy = nullptr;
  float* dq = nullptr;
  float* dkeys = nullptr;
  float* dvalues = nullptr;
  float* dmask = nullptr;  ///< [N, Hq, T, length of the mask]; null where not asked for
};

/// dP becomes dS, row by row.
void through_softmax(const AttendSetting& s, const Floats& p, Floats& d) {
  for (std::int64_t t = 0; t < s.q.length; ++t) {
    const float* own = p.data() + t * s.total;
    float* row = d.data() + t * s.total;
    double sum = 0;
    for (std::int64_t j = 0; j < s.total; ++j)
      sum += static_cast<double>(own[j]) * static_cast<double>(row[j]);
    for (std::int64_t j = 0; j < s.total; ++j) row[j] = own[j] * (row[j] - static_cast<float>(sum));
  }
}

/// From what the mask was added to, to the products of queries and keys.
void through_scale(const AttendSetting& s, const Floats& capped, Floats& d) {
  for (std::size_t i = 0; i < d.size(); ++i) {
    const float c = s.softcap > 0 ? capped[i] / s.softcap : 0;
    d[i] *= s.scale * (1 - c * c);
  }
}

/// One query head n, head on its key head `shared`.
void head_gradient(const AttendSetting& s, const ScoreBias<float>& bias, const Operands& o, std::int64_t n,
                   std::int64_t head, std::int64_t shared) {
  const std::int64_t length = s.q.length;
  const std::int64_t total = s.total;
  const HeadsLayout out = output_layout(s);
  const float* q = o.q + s.q.at(n, head);
  const float* keys = o.keys + shared * total * s.k.width;
  const float* values = o.values + shared * total * s.v.width;
  const float* dy = o.dy + out.at(n, head);
  const auto size = static_cast<std::size_t>(length * total);
  Floats p(size);
  Floats d(size);
  Floats capped(s.softcap > 0 ? size : 0);
  add_product(length, total, s.k.width, q, s.q.row, transposed(keys, total, s.k.width, s.k.width).data(),
              total, p.data(), total);
  weigh(s, bias, n, head, p, capped.empty() ? nullptr : capped.data());
  add_product(length, total, s.v.width, dy, out.row, transposed(values, total, s.v.width, s.v.width).data(),
              total, d.data(), total);
  add_product(total, s.v.width, length, transposed(p.data(), length, total, total).data(), length, dy,
              out.row, o.dvalues + shared * total * s.v.width, s.v.width);
  through_softmax(s, p, d);
  for (std::int64_t t = 0; o.dmask && t < length; ++t) {
    std::copy_n(d.data() + t * total, bias.length(),
                o.dmask + ((n * s.q.heads + head) * length + t) * bias.length());
  }
  through_scale(s, capped, d);
  add_product(length, s.k.width, total, d.data(), total, keys, s.k.width, o.dq + s.q.at(n, head), s.q.row);
  add_product(total, s.k.width, length, transposed(d.data(), length, total, total).data(), length, q, s.q.row,
              o.dkeys + shared * total * s.k.width, s.k.width);
}

/// The query heads of a key head one after the other: they add to the same gradient.
void heads_gradient(const AttendSetting& s, const ScoreBias<float>& bias, const Operands& o) {
  const std::int64_t group = s.q.heads / s.k.heads;
  const std::int64_t count = s.k.batch * s.k.heads;
#pragma omp parallel for schedule(dynamic) if (count * group * s.q.length * s.total * s.q.width > \
                                               kParallelWork)
  for (std::int64_t shared = 0; shared < count; ++shared) {
    for (std::int64_t g = 0; g < group; ++g) {
      head_gradient(s, bias, o, shared / s.k.heads, shared % s.k.heads * group + g, shared);
    }
  }
}

/// What the present keys or values are asked for to begin with.
Floats present_gradient(GradientContext& ctx, std::size_t output, const HeadsLayout& heads,
                        std::int64_t total) {
  const auto size = static_cast<std::size_t>(heads.batch * heads.heads * total * heads.width);
  if (!ctx.has_grad(output)) return Floats(size);
  const float* given = ctx.grad(output);
  return {given, given + size};
}

/// The gradient of all keys or values, to those of the past and those of now.
void part(GradientContext& ctx, const Floats& all, std::size_t now, std::size_t past,
          const HeadsLayout& heads, const AttendSetting& s) {
  float* to_now = ctx.wants(now) ? ctx.grad_in(now) : nullptr;
  float* to_past = ctx.wants(past) ? ctx.grad_in(past) : nullptr;
  const std::int64_t held = s.past * heads.width;
  for (std::int64_t i = 0; i < heads.batch * heads.heads; ++i) {
    const float* from = all.data() + i * s.total * heads.width;
    if (to_past) std::copy_n(from, held, to_past + i * held);
    for (std::int64_t t = 0; to_now && t < heads.length; ++t) {
      std::copy_n(from + held + t * heads.width, heads.width,
                  to_now + heads.at(i / heads.heads, i % heads.heads) + t * heads.row);
    }
  }
}

Tensor as_tensor(const Floats& numbers, const Dims& shape) {
  return Tensor::of(shape, std::span<const float>(numbers));
}

}  // namespace

void attention_gradient(GradientContext& ctx) {
  if (ctx.has_grad(3)) ctx.fail("its scores have no gradient");
  AttendSetting s = read_attend_setting(ctx);
  s.mode = 1;  // weigh() shows what the cap gave
  const ScoreBias<float> bias(ctx, s);
  Floats dkeys = present_gradient(ctx, 1, s.k, s.total);
  Floats dvalues = present_gradient(ctx, 2, s.v, s.total);
  if (ctx.has_grad(0)) {
    Result<float> keys = with_past<float>(ctx, 1, 4, s.k, s);
    Result<float> values = with_past<float>(ctx, 2, 5, s.v, s);
    const Dims scores{s.q.batch, s.q.heads, s.q.length, bias.length()};
    Floats dq(num_elements(ctx.in_shape(0)));
    Floats dmask(ctx.wants(3) ? num_elements(scores) : 0);
    heads_gradient(s, bias,
                   {ctx.in_floats(0), keys.data(), values.data(), ctx.grad(0), dq.data(), dkeys.data(),
                    dvalues.data(), ctx.wants(3) ? dmask.data() : nullptr});
    if (ctx.wants(0)) ctx.set(0, {as_tensor(dq, ctx.in_shape(0))});
    if (ctx.wants(3)) set_summed(ctx, 3, as_tensor(dmask, scores), Layout::kPlain);
  }
  part(ctx, dkeys, 1, 4, s.k, s);
  part(ctx, dvalues, 2, 5, s.v, s);
}

}  // namespace compressor::ops
