// run_reduce: sums by strides; gradients as functions of x and of what belongs to its sum, which is repeated.
#include "ops/run_reduce.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "compressor/kernels/functions.h"
#include "compressor/kernels/in_parallel.h"
#include "compressor/kernels/strided.h"
#include "ops/binary_loops.h"

namespace compressor::ops {
namespace {

Dims kept_shape(const Dims& x, const std::vector<bool>& gone) {
  Dims shape = x;
  for (std::size_t k = 0; k < shape.size(); ++k) {
    if (gone[k]) shape[k] = 1;
  }
  return shape;
}

/// sums [kept shape, plain] of x, which lies in `layout`.
void sum_over(const Dims& shape, Layout layout, const std::vector<bool>& gone, const float* x, float* sums) {
  const Dims kept = kept_shape(shape, gone);
  const Strides from = kernels::strides_of(shape, layout);
  const Strides to = kernels::strides_of(kept, Layout::kPlain);
  kernels::StridedAxes axes;
  for (std::size_t k = 0; k < shape.size(); ++k) axes.push_back({shape[k], from[k], gone[k] ? 0 : to[k]});
  std::memset(sums, 0, num_elements(kept) * sizeof(float));
  kernels::add_strided(std::move(axes), x, sums);
}

double length(const Dims& shape, const std::vector<bool>& gone) {
  double n = 1;
  for (std::size_t k = 0; k < shape.size(); ++k) {
    if (gone[k]) n *= static_cast<double>(shape[k]);
  }
  return n;
}

/// What all gradients are made of: x and numbers that each belong to one sum.
class Reduced {
 public:
  Reduced(GradientContext& ctx, const std::vector<bool>& gone)
      : ctx_(ctx),
        gone_(gone),
        shape_(ctx.in_shape(0)),
        kept_(kept_shape(shape_, gone)),
        layout_(shape_.size() > 2 ? ctx.in_layout(0) : Layout::kPlain),
        dx_(ctx.grad_in(0, layout_)) {}

  /// dx = f(a, per), a as dx lies.
  template <class F>
  void each(const float* a, const float* per, F f) {
    loops(plan(shape_, layout_, shape_, layout_, kept_, Layout::kPlain), a, per, dx_, f);
  }
  /// dx = f(per)
  template <class F>
  void repeat(const float* per, F f) {
    loops(plan(shape_, layout_, kept_, Layout::kPlain, kept_, Layout::kPlain), per, per, dx_,
          [f](float, float p) { return f(p); });
  }
  /// A number for each sum from dy and y.
  template <class F>
  kernels::Buffer per_sum(const float* y, F f) {
    const std::size_t n = num_elements(kept_);
    kernels::Buffer buffer(n * sizeof(float));
    for (std::size_t i = 0; i < n; ++i) buffer.as<float>()[i] = f(dy()[i], y[i]);
    return buffer;
  }
  const float* x() { return ctx_.in_floats(0, layout_); }
  const float* y() { return ctx_.out_floats(0); }
  const float* dy() { return ctx_.grad(0); }
  float* dx() { return dx_; }
  double count() const { return length(shape_, gone_); }
  kernels::Buffer sums(const float* of) const {
    kernels::Buffer buffer(num_elements(kept_) * sizeof(float));
    sum_over(shape_, layout_, gone_, of, buffer.as<float>());
    return buffer;
  }

 private:
  GradientContext& ctx_;
  const std::vector<bool>& gone_;
  Dims shape_, kept_;
  Layout layout_;
  float* dx_;
};

void of_sum(Reduced& r) {
  r.repeat(r.dy(), [](float d) { return d; });
}

void of_mean(Reduced& r) {
  const auto share = static_cast<float>(1 / r.count());
  r.repeat(r.dy(), [share](float d) { return d * share; });
}

void of_sum_square(Reduced& r) {
  r.each(r.x(), r.dy(), [](float x, float d) { return 2 * x * d; });
}

void of_l1(Reduced& r) {
  r.each(r.x(), r.dy(), [](float x, float d) { return x > 0 ? d : x < 0 ? -d : 0; });
}

void of_l2(Reduced& r) {
  const kernels::Buffer per = r.per_sum(r.y(), [](float d, float y) { return y == 0 ? 0 : d / y; });
  r.each(r.x(), per.as<float>(), [](float x, float p) { return x * p; });
}

void of_log_sum(Reduced& r) {
  const kernels::Buffer per = r.per_sum(r.y(), [](float d, float y) { return d / std::exp(y); });
  r.repeat(per.as<float>(), [](float p) { return p; });
}

void of_log_sum_exp(Reduced& r) {
  r.each(r.x(), r.y(), [](float x, float y) { return std::exp(x - y); });
  r.each(r.dx(), r.dy(), [](float v, float d) { return v * d; });
}

void of_extreme(Reduced& r) {
  r.each(r.x(), r.y(), [](float x, float y) { return x == y ? 1.0F : 0.0F; });
  const kernels::Buffer ties = r.sums(r.dx());
  const kernels::Buffer per =
      r.per_sum(ties.as<float>(), [](float d, float n) { return n == 0 ? 0 : d / n; });
  r.each(r.dx(), per.as<float>(), [](float one, float p) { return one * p; });
}

/// dx = dy times the product of the others: y / x where none of them is zero, the product of the rest for the
/// only zero of a sum, nothing elsewhere.
void of_prod(Reduced& r) {
  r.each(r.x(), r.dy(), [](float x, float) { return x == 0 ? 1.0F : 0.0F; });
  const kernels::Buffer zeros = r.sums(r.dx());
  r.each(r.x(), r.dy(), [](float x, float) { return x < 0 ? 1.0F : 0.0F; });
  const kernels::Buffer negative = r.sums(r.dx());
  r.each(r.x(), r.dy(), [](float x, float) { return x == 0 ? 0.0F : std::log(std::fabs(x)); });
  const kernels::Buffer logs = r.sums(r.dx());
  std::size_t at = 0;
  const kernels::Buffer per = r.per_sum(r.y(), [&](float d, float y) {
    const std::size_t i = at++;
    if (zeros.as<float>()[i] == 0) return d * y;
    if (zeros.as<float>()[i] > 1) return 0.0F;
    const bool odd = static_cast<std::int64_t>(negative.as<float>()[i]) % 2 != 0;
    return d * std::exp(logs.as<float>()[i]) * (odd ? -1.0F : 1.0F);
  });
  r.each(r.x(), zeros.as<float>(), [](float x, float z) { return x == 0 ? 1.0F : z == 0 ? 1 / x : 0.0F; });
  r.each(r.dx(), per.as<float>(), [](float v, float p) { return v * p; });
}

struct Rule {
  std::string_view type;
  void (*gradient)(Reduced&);
  bool reads_x = false, reads_y = false;
};
constexpr Rule kRules[] = {{"ReduceSum", of_sum},
                           {"ReduceMean", of_mean},
                           {"ReduceSumSquare", of_sum_square, true},
                           {"ReduceL1", of_l1, true},
                           {"ReduceL2", of_l2, true, true},
                           {"ReduceLogSum", of_log_sum, false, true},
                           {"ReduceLogSumExp", of_log_sum_exp, true, true},
                           {"ReduceMax", of_extreme, true, true},
                           {"ReduceMin", of_extreme, true, true},
                           {"ReduceProd", of_prod, true, true}};

const Rule* find(std::string_view type) {
  for (const Rule& r : kRules) {
    if (r.type == type) return &r;
  }
  return nullptr;
}

}  // namespace

namespace {

/// The last axes go: row by row of x as it lies plain.
bool run_extreme(RunContext& ctx, const std::vector<bool>& gone, const Dims& shape, bool max) {
  if (ctx.portable() || ctx.dtype(0) != DType::kFloat || num_elements(ctx.shape(0)) == 0) return false;
  if (!std::is_sorted(gone.begin(), gone.end())) return false;
  const auto n = static_cast<std::int64_t>(length(ctx.shape(0), gone));
  const auto rows = static_cast<std::int64_t>(num_elements(shape));
  const float* x = ctx.floats(0);
  float* y = ctx.out_floats(0, shape);
  kernels::in_parallel(rows * n > (1 << 15), rows, [&](std::int64_t i) {
    y[i] = max ? kernels::largest(x + i * n, n) : kernels::smallest(x + i * n, n);
  });
  return true;
}

}  // namespace

bool run_reduce(RunContext& ctx, const std::vector<bool>& gone, const Dims& shape) {
  const std::string& type = ctx.node().op();
  if (type == "ReduceMax" || type == "ReduceMin") return run_extreme(ctx, gone, shape, type == "ReduceMax");
  const bool mean = ctx.node().is("ReduceMean");
  if (ctx.portable() || ctx.dtype(0) != DType::kFloat || !(mean || ctx.node().is("ReduceSum"))) return false;
  const Dims x = ctx.shape(0);
  if (num_elements(x) == 0) return false;
  const Layout layout = ctx.layout(0);
  const float* from = ctx.floats(0, layout);
  float* y = ctx.out_floats(0, shape);
  sum_over(x, layout, gone, from, y);
  if (!mean) return true;
  const auto share = static_cast<float>(1 / length(x, gone));
  const std::size_t n = num_elements(shape);
  for (std::size_t i = 0; i < n; ++i) y[i] *= share;
  return true;
}

bool has_reduce_gradient(std::string_view type) {
  return find(type) != nullptr;
}

Keep reduce_keep(std::string_view type) {
  const Rule* r = find(type);
  if (!r) return {};
  return {.inputs = r->reads_x ? 3U : 2U, .outputs = r->reads_y ? 1U : 0U};
}

void reduce_gradient(GradientContext& ctx, const std::vector<bool>& gone) {
  if (!ctx.wants(0)) return;
  Reduced r(ctx, gone);
  find(ctx.node().op())->gradient(r);
}

}  // namespace compressor::ops
