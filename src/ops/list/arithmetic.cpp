// arithmetic: Add, Sub, Mul, Div, Pow and Mod of two broadcast inputs.
#include <cmath>

#include "ops/elementwise.h"
#include "ops/run_elementwise.h"

namespace compressor::ops {
namespace {

template <class T>
constexpr bool kReal = std::is_floating_point_v<T>;

/// Integers wrap instead of overflowing.
template <class T>
using Wrapping = std::conditional_t<std::is_same_v<T, std::int64_t>, std::uint64_t, T>;

struct Add {
  template <class T>
  static T of(T a, T b) {
    return static_cast<T>(static_cast<Wrapping<T>>(a) + static_cast<Wrapping<T>>(b));
  }
  static SymDim of(const SymDim& a, const SymDim& b) { return a + b; }
};

struct Sub {
  template <class T>
  static T of(T a, T b) {
    return static_cast<T>(static_cast<Wrapping<T>>(a) - static_cast<Wrapping<T>>(b));
  }
  static SymDim of(const SymDim& a, const SymDim& b) { return a - b; }
};

struct Mul {
  template <class T>
  static T of(T a, T b) {
    return static_cast<T>(static_cast<Wrapping<T>>(a) * static_cast<Wrapping<T>>(b));
  }
  static SymDim of(const SymDim& a, const SymDim& b) { return a * b; }
};

struct Div {
  template <class T>
  static T of(T a, T b) {
    if constexpr (kReal<T>) return a / b;
    if (b == T{0}) throw Error::model("integer division by zero");
    if constexpr (std::is_signed_v<T>) {
      if (b == T{-1}) return Sub::of(T{0}, a);
    }
    return a / b;
  }
  static SymDim of(const SymDim& a, const SymDim& b) {
    if (a.is_number() && b.is_number()) return SymDim();  // integers truncate, floats do not: see infer
    return a.divided_by(b);
  }
};

struct Pow {
  template <class T>
  static T of(T a, T b) {
    if constexpr (kReal<T>) {
      return static_cast<T>(std::pow(static_cast<double>(a), static_cast<double>(b)));
    } else {
      if (b < T{0}) return static_cast<T>(std::pow(static_cast<double>(a), static_cast<double>(b)));
      T result{1};
      for (T base = a, n = b; n > T{0}; n = static_cast<T>(n / T{2})) {
        if (n % T{2} == T{1}) result = Mul::of(result, base);
        base = Mul::of(base, base);
      }
      return result;
    }
  }
  static SymDim of(const SymDim& a, const SymDim& b) {
    if (!b.is_number() || b.number() < 0 || b.number() > 4) return SymDim();
    SymDim result(1);
    for (std::int64_t i = 0; i < b.number(); ++i) result = result * a;
    return result;
  }
};

/// The sign follows the divisor, as in Python.
struct Mod {
  template <class T>
  static T of(T a, T b) {
    if constexpr (kReal<T>) {
      const T r = std::fmod(a, b);
      return r != T{0} && (r < T{0}) != (b < T{0}) ? r + b : r;
    } else {
      if (b == T{0}) throw Error::model("integer division by zero");
      if constexpr (std::is_signed_v<T>) {
        if (b == T{-1}) return T{0};
      }
      const T r = a % b;
      return r != T{0} && (r < T{0}) != (b < T{0}) ? static_cast<T>(r + b) : r;
    }
  }
  static SymDim of(const SymDim& a, const SymDim& b) {
    return a.divided_by(b).is_unknown() ? SymDim() : SymDim(0);
  }
};

/// The sign follows the dividend, as C's fmod.
struct Fmod {
  template <class T>
  static T of(T a, T b) {
    if constexpr (kReal<T>) {
      return std::fmod(a, b);
    } else {
      if (b == T{0}) throw Error::model("integer division by zero");
      if constexpr (std::is_signed_v<T>) {
        if (b == T{-1}) return T{0};
      }
      return a % b;
    }
  }
};

template <class F>
Tensor apply(const Tensor& a, const Tensor& b, DType type) {
  return with_domain(
      type, [&]<class T>(T) { return map_binary<T>(a, b, type, [](T x, T y) { return F::of(x, y); }); });
}

template <class F>
void infer(InferContext& ctx) {
  infer_broadcast(ctx);
  const bool real = is_float(ctx.in(0).dtype);
  contents_elementwise(ctx, [&](std::span<const SymDim> in) -> SymDim {
    if constexpr (std::is_same_v<F, Div>) {
      if (in[0].is_number() && in[1].is_number() && in[1].number() != 0 && !real) {
        return Div::of(in[0].number(), in[1].number());
      }
      return in[0].divided_by(in[1]);
    } else {
      return F::of(in[0], in[1]);
    }
  });
}

template <class F>
void compute(ComputeContext& ctx) {
  ctx.set(0, apply<F>(ctx.in(0), ctx.in(1), ctx.in(0).dtype));
}

/// The exponent may have another type than the base, whose type the result has.
void compute_pow(ComputeContext& ctx) {
  const Tensor& base = ctx.in(0);
  const Tensor& exponent = ctx.in(1);
  if (domain_of(base.dtype) == Domain::kFloat || is_float(exponent.dtype)) {
    ctx.set(
        0, map_binary<double>(base, exponent, base.dtype, [](double x, double y) { return std::pow(x, y); }));
    return;
  }
  ctx.set(0, apply<Pow>(base, exponent, base.dtype));
}

void compute_mod(ComputeContext& ctx) {
  if (ctx.node().int_or("fmod", 0) != 0) return compute<Fmod>(ctx);
  compute<Mod>(ctx);
}

/// What is added to channels is their bias.
void channels_sum(ChannelContext& ctx) {
  channels_broadcast(ctx);
  if (!ctx.wants(0) || !carries_channels(ctx.out(0))) return;
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::int64_t axis = 0; axis < ctx.in(i).rank(); ++axis) {
      if (ctx.in(i).constant && ctx.in_dim(i, axis) > 1) ctx.role(i, axis, AxisRole::kShift);
    }
  }
}

void add_run(Op& entry, Arithmetic op) {
  entry.run = [op](RunContext& ctx) { return run_arithmetic(ctx, op); };
  entry.gradient = [op](GradientContext& ctx) { arithmetic_gradient(ctx, op); };
  entry.keep = arithmetic_keep(op);
}

template <class F>
Op op(const char* type, std::int64_t since) {
  return {.type = type,
          .since = since,
          .infer = infer<F>,
          .cost = cost_elementwise,
          .compute = compute<F>,
          .channels = channels_broadcast};
}

/// Before opset 7 the second operand was broadcast only on request, along the axes from `axis` on: the shape
/// that says the same today. `shape` is its own, `rank` that of the first.
template <class D, class Fail>
std::vector<D> spread(const Node& node, std::vector<D> shape, std::size_t rank, const Fail& fail) {
  if (node.int_or("broadcast", 0) == 0 || !node.attribute("axis") || shape.size() >= rank) return shape;
  const std::int64_t given = node.int_or("axis", 0);
  const std::int64_t axis = given < 0 ? given + static_cast<std::int64_t>(rank) : given;
  if (axis < 0 || static_cast<std::size_t>(axis) + shape.size() > rank) fail(given);
  shape.resize(rank - static_cast<std::size_t>(axis), D(1));
  return shape;
}

template <class F>
Op old_op(const char* type) {
  Op entry = op<F>(type, 1);
  entry.until = 6;
  entry.infer = [](InferContext& ctx) {
    const Facts& b = ctx.in(1);
    if (ctx.in(0).ranked && b.ranked) {
      spread(ctx.node(), b.dims, ctx.in(0).dims.size(),
             [&](std::int64_t axis) { ctx.fail("axis {} does not fit the operands' ranks", axis); });
    }
    infer_same(ctx);
  };
  entry.compute = [](ComputeContext& ctx) {
    const Tensor& a = ctx.in(0);
    const Dims shape = spread(ctx.node(), ctx.in(1).shape, a.shape.size(), [&](std::int64_t axis) {
      ctx.fail("axis {} does not fit operands of ranks {} and {}", axis, a.shape.size(),
               ctx.in(1).shape.size());
    });
    ctx.set(0, apply<F>(a, ctx.in(1).reshaped(shape), a.dtype));
  };
  entry.channels = nullptr;
  return entry;
}

}  // namespace

void register_arithmetic(OpTable& table) {
  Op add = op<Add>("Add", 7);
  add.channels = channels_sum;
  add_run(add, Arithmetic::kAdd);
  table.add(std::move(add));
  Op sub = op<Sub>("Sub", 7);
  sub.channels = channels_sum;
  add_run(sub, Arithmetic::kSub);
  table.add(std::move(sub));
  Op mul = op<Mul>("Mul", 7);
  add_run(mul, Arithmetic::kMul);
  table.add(std::move(mul));
  Op div = op<Div>("Div", 7);
  add_run(div, Arithmetic::kDiv);
  table.add(std::move(div));
  table.add(old_op<Add>("Add"));
  table.add(old_op<Sub>("Sub"));
  table.add(old_op<Mul>("Mul"));
  table.add(old_op<Div>("Div"));
  table.add(old_op<Pow>("Pow"));
  Op pow = op<Pow>("Pow", 7);
  pow.compute = compute_pow;
  pow.run = run_power;
  pow.gradient = power_gradient;
  pow.keep = {.inputs = 3};
  table.add(std::move(pow));
  Op mod = op<Mod>("Mod", 10);
  mod.compute = compute_mod;
  table.add(std::move(mod));
}

}  // namespace compressor::ops
