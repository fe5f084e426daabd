// expect: checks of ranks and dimensions for shape rules.
#include "ops/expect.h"

namespace compressor::ops {

void expect_rank(const InferContext& ctx, const Facts& facts, std::string_view what, std::int64_t least,
                 std::int64_t most) {
  if (!facts.ranked) return;
  const std::int64_t rank = facts.rank();
  if (rank >= least && (most < 0 || rank <= most)) return;
  if (most == least) ctx.fail("{} has rank {}, expected {}", what, rank, least);
  if (most < 0) ctx.fail("{} has rank {}, expected at least {}", what, rank, least);
  ctx.fail("{} has rank {}, expected {} to {}", what, rank, least, most);
}

SymDim agree(const InferContext& ctx, const SymDim& a, const SymDim& b, std::string_view what) {
  if (a.is_number() && b.is_number() && !(a == b)) {
    ctx.fail("{} is {}, expected {}", what, b.number(), a.number());
  }
  if (a.is_unknown()) return b;
  return !a.is_number() && b.is_number() ? b : a;
}

void expect_vector(const InferContext& ctx, std::size_t i, const SymDim& n, std::string_view what) {
  if (!ctx.has(i) || !ctx.in(i).ranked) return;
  const Facts& v = ctx.in(i);
  if (v.rank() != 1) ctx.fail("{} has rank {}, expected 1", what, v.rank());
  if (v.dims[0].is_number() && n.is_number() && !(v.dims[0] == n)) {
    ctx.fail("{} has length {}, expected {}", what, v.dims[0].number(), n.number());
  }
}

void same_as(InferContext& ctx, std::size_t i, std::size_t from) {
  if (!ctx.wants(i)) return;
  const Facts& x = ctx.in(from);
  if (x.ranked) return ctx.set(i, x.dtype, x.dims);
  ctx.set_unranked(i, x.dtype);
}

DType dtype_attribute(const Node& node, std::string_view name, DType otherwise) {
  return node.attribute(name) ? static_cast<DType>(node.int_or(name, 0)) : otherwise;
}

}  // namespace compressor::ops
