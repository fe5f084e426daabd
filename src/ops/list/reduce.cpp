// reduce: ReduceSum, ReduceMean, ReduceMax and their kin over given axes (an input since 13 or 18).
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "ops/movement.h"
#include "ops/run_movement.h"
#include "ops/run_pooling.h"
#include "ops/run_reduce.h"
#include "ops/vanish.h"

namespace compressor::ops {
namespace {

/// A reduction as start, step and finish of an accumulator A (double for floats, int64 for integers).
struct Reduction {
  const char* type;
  double start;
  double (*real)(double, double);
  double (*finish)(double, double n);
  std::int64_t (*whole)(std::int64_t, std::int64_t);
  bool sums_to_zero;  ///< zeros do not change it
};

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double as_it_is(double a, double) {
  return a;
}

constexpr Reduction kReductions[] = {
    {"ReduceSum", 0, [](double a, double v) { return a + v; }, as_it_is,
     [](std::int64_t a, std::int64_t v) { return a + v; }, true},
    {"ReduceMean", 0, [](double a, double v) { return a + v; }, [](double a, double n) { return a / n; },
     [](std::int64_t a, std::int64_t v) { return a + v; }, false},
    {"ReduceMax", -kInfinity, [](double a, double v) { return std::isnan(v) || v > a ? v : a; }, as_it_is,
     [](std::int64_t a, std::int64_t v) { return std::max(a, v); }, false},
    {"ReduceMin", kInfinity, [](double a, double v) { return std::isnan(v) || v < a ? v : a; }, as_it_is,
     [](std::int64_t a, std::int64_t v) { return std::min(a, v); }, false},
    {"ReduceProd", 1, [](double a, double v) { return a * v; }, as_it_is,
     [](std::int64_t a, std::int64_t v) { return a * v; }, false},
    {"ReduceL1", 0, [](double a, double v) { return a + std::fabs(v); }, as_it_is,
     [](std::int64_t a, std::int64_t v) { return a + (v < 0 ? -v : v); }, true},
    {"ReduceL2", 0, [](double a, double v) { return a + v * v; },
     [](double a, double) { return std::sqrt(a); }, nullptr, true},
    {"ReduceSumSquare", 0, [](double a, double v) { return a + v * v; }, as_it_is,
     [](std::int64_t a, std::int64_t v) { return a + v * v; }, true},
    {"ReduceLogSum", 0, [](double a, double v) { return a + v; },
     [](double a, double) { return std::log(a); }, nullptr, true},
    {"ReduceLogSumExp", 0, nullptr, nullptr, nullptr, false},
};

/// Which axes go; nullopt when that is not known.
template <class Context>
std::optional<std::vector<bool>> reduced(const Context& ctx, const std::optional<Ints>& axes,
                                         std::int64_t rank) {
  if (!axes && ctx.has(1)) return std::nullopt;
  std::vector<bool> result(static_cast<std::size_t>(rank), !axes);
  if (axes && axes->empty()) {
    result.assign(result.size(), ctx.node().int_or("noop_with_empty_axes", 0) == 0);
  } else if (!axes && ctx.node().int_or("noop_with_empty_axes", 0) != 0) {
    result.assign(result.size(), false);
  }
  if (axes) {
    for (const std::int64_t axis : *axes)
      result[static_cast<std::size_t>(axis_in(ctx.node(), axis, rank))] = true;
  }
  return result;
}

bool keeps(const Node& node) {
  return node.int_or("keepdims", 1) != 0;
}

Dims reduced_shape(const Dims& shape, const std::vector<bool>& gone, bool keep) {
  Dims result;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (!gone[i]) {
      result.push_back(shape[i]);
    } else if (keep) {
      result.push_back(1);
    }
  }
  return result;
}

/// Calls step(output position, element) for every element.
template <class T, class Step>
void each(const Tensor& x, const std::vector<bool>& gone, Step&& step) {
  const Elements<T> in(x);
  Strides strides = row_major(reduced_shape(x.shape, gone, true));
  for (std::size_t i = 0; i < gone.size(); ++i) {
    if (gone[i]) strides[i] = 0;
  }
  walk<1>(x.shape, {strides}, {0}, [&](const Run<1>& run) {
    for (std::int64_t i = 0; i < run.count; ++i) step(run.at[0] + i * run.step[0], in[run.out + i]);
  });
}

template <class T>
void log_sum_exp(const Tensor& x, const std::vector<bool>& gone, std::vector<double>& sums) {
  std::vector<double> top(sums.size(), -kInfinity);
  each<T>(x, gone, [&](std::int64_t o, T v) {
    top[static_cast<std::size_t>(o)] = std::max(top[static_cast<std::size_t>(o)], static_cast<double>(v));
  });
  each<T>(x, gone, [&](std::int64_t o, T v) {
    const auto k = static_cast<std::size_t>(o);
    if (std::isfinite(top[k])) sums[k] += std::exp(static_cast<double>(v) - top[k]);
  });
  for (std::size_t k = 0; k < sums.size(); ++k)
    sums[k] = std::isfinite(top[k]) ? std::log(sums[k]) + top[k] : top[k];
}

template <class T>
Tensor reduce_real(const Tensor& x, const std::vector<bool>& gone, bool keep, const Reduction& f) {
  const Dims shape = reduced_shape(x.shape, gone, keep);
  std::vector<double> sums(num_elements(shape), f.start);
  if (!f.real) {
    log_sum_exp<T>(x, gone, sums);
  } else {
    each<T>(x, gone, [&](std::int64_t o, T v) {
      double& a = sums[static_cast<std::size_t>(o)];
      a = f.real(a, static_cast<double>(v));
    });
    const double n = sums.empty() ? 1 : static_cast<double>(x.size()) / static_cast<double>(sums.size());
    for (double& a : sums) a = f.finish(a, n);
  }
  Result<T> out(x.dtype, shape);
  for (std::int64_t i = 0; i < out.size(); ++i) out[i] = static_cast<T>(sums[static_cast<std::size_t>(i)]);
  return out.finish();
}

std::int64_t integer_start(const Reduction& f, DType type) {
  if (f.start == 0 || f.start == 1) return static_cast<std::int64_t>(f.start);
  // The least or largest number of the type, for a reduction of nothing.
  const int width = type == DType::kBool ? 1 : bits(type);
  const bool is_signed =
      type == DType::kInt8 || type == DType::kInt16 || type == DType::kInt32 || type == DType::kInt64;
  const std::int64_t high =
      is_signed ? INT64_MAX >> (64 - width) : (width >= 63 ? INT64_MAX : (std::int64_t{1} << width) - 1);
  return f.start > 0 ? high : is_signed ? -high - 1 : 0;
}

Tensor reduce_whole(const Tensor& x, const std::vector<bool>& gone, bool keep, const Reduction& f) {
  Result<std::int64_t> out(x.dtype, reduced_shape(x.shape, gone, keep));
  std::fill_n(out.data(), out.size(), integer_start(f, x.dtype));
  each<std::int64_t>(x, gone, [&](std::int64_t o, std::int64_t v) { out[o] = f.whole(out[o], v); });
  if (f.type == std::string_view("ReduceMean") && out.size() > 0) {
    const std::int64_t n = static_cast<std::int64_t>(x.size()) / out.size();
    for (std::int64_t i = 0; n > 0 && i < out.size(); ++i) out[i] /= n;
  }
  return out.finish();
}

void compute(ComputeContext& ctx, const Reduction& f) {
  const Tensor& x = ctx.in(0);
  const auto gone = reduced(ctx, ctx.ints_or_attribute(1, "axes"), x.rank());
  if (std::none_of(gone->begin(), gone->end(), [](bool b) { return b; }) && x.rank() > 0) {
    Tensor copy = x;
    copy.name.clear();
    return ctx.set(0, std::move(copy));
  }
  const bool keep = keeps(ctx.node());
  with_domain(x.dtype, [&]<class T>(T) {
    if (std::is_same_v<T, std::int64_t> && f.whole) return ctx.set(0, reduce_whole(x, *gone, keep, f));
    ctx.set(0, reduce_real<T>(x, *gone, keep, f));
  });
}

/// Counts that are multiplied or added up to one number.
void contents(InferContext& ctx, const Reduction& f, const std::vector<bool>& gone) {
  const auto known = partly_known(ctx, 0);
  if (!known || ctx.in(0).rank() != 1 || !gone[0]) return;
  const std::string_view type = f.type;
  if (type == "ReduceProd") ctx.set_contents(0, {product(*known)});
  if (type == "ReduceSum") {
    ctx.set_contents(0, {std::accumulate(known->begin(), known->end(), SymDim(0),
                                         [](const SymDim& a, const SymDim& b) { return a + b; })});
  }
}

void infer(InferContext& ctx, const Reduction& f) {
  const Facts& x = ctx.in(0);
  if (!x.ranked) return ctx.set_unranked(0, x.dtype);
  const bool keep = keeps(ctx.node());
  const auto gone = reduced(ctx, ctx.ints_or_attribute(1, "axes"), x.rank());
  if (!gone) {
    if (!keep) return ctx.set_unranked(0, x.dtype);
    return ctx.set(0, x.dtype, SymDims(x.dims.size()));
  }
  SymDims dims;
  for (std::size_t i = 0; i < x.dims.size(); ++i) {
    if (!(*gone)[i]) {
      dims.push_back(x.dims[i]);
    } else if (keep) {
      dims.push_back(1);
    }
  }
  ctx.set(0, x.dtype, std::move(dims));
  contents(ctx, f, *gone);
}

/// One operation per input element.
Cost cost(const CostContext& ctx) {
  return {0, ctx.in_size(0)};
}

void channels(ChannelContext& ctx, const Reduction& f) {
  const Facts& x = ctx.in(0);
  if (!ctx.wants(0) || !carries_channels(x)) return;
  const auto gone = reduced(ctx, known_setting(ctx, 1, "axes"), x.rank());
  if (!gone) return ctx.freeze_all("is reduced over axes that are not constant");
  const bool exact = f.sums_to_zero && vanishes_with_its_channels(*ctx.node().input(0));
  std::int64_t to = 0;
  for (std::int64_t axis = 0; axis < x.rank(); ++axis) {
    if (!(*gone)[static_cast<std::size_t>(axis)]) {
      ctx.pass(0, axis, 0, to++);
      continue;
    }
    if (!exact) ctx.approximate(ctx.in_list(0, axis), "is reduced over its channels");
    if (keeps(ctx.node())) ++to;
  }
}

bool run(RunContext& ctx) {
  if (ctx.node().is("ReduceMean") && run_spatial_mean(ctx)) return true;
  const Dims x = ctx.shape(0);
  const auto gone = reduced(ctx, ctx.ints_or_attribute(1, "axes"), static_cast<std::int64_t>(x.size()));
  return gone && run_reduce(ctx, *gone, reduced_shape(x, *gone, keeps(ctx.node())));
}

void gradient(GradientContext& ctx) {
  const auto rank = static_cast<std::int64_t>(ctx.in_shape(0).size());
  const auto gone = reduced(ctx, ctx.ints_or_attribute(1, "axes"), rank);
  // Over no axis at all every one of them is the identity.
  if (std::none_of(gone->begin(), gone->end(), [](bool b) { return b; }) && rank > 0) {
    return reshape_gradient(ctx);
  }
  reduce_gradient(ctx, *gone);
}

}  // namespace

void register_reduce(OpTable& table) {
  for (const Reduction& f : kReductions) {
    Op op{.type = f.type,
          .infer = [f](InferContext& ctx) { infer(ctx, f); },
          .cost = cost,
          .compute = [f](ComputeContext& ctx) { compute(ctx, f); },
          .channels = [f](ChannelContext& ctx) { channels(ctx, f); },
          .run = run};
    if (has_reduce_gradient(f.type)) {
      op.gradient = gradient;
      op.keep = reduce_keep(f.type);
    }
    table.add(std::move(op));
  }
}

}  // namespace compressor::ops
