// bodies: facts and channels of values that are carried into, around and out of bodies.
#include "ops/bodies.h"

#include <algorithm>

namespace compressor::ops {
namespace {

constexpr int kMaxRounds = 4;

}  // namespace

Facts either(const Facts& a, const Facts& b) {
  Facts f = a;
  f.constant = nullptr;
  f.contents.reset();
  if (a.kind != b.kind && b.kind != Type::Kind::kNone)
    f.kind = a.kind == Type::Kind::kNone ? b.kind : Type::Kind::kNone;
  if (a.dtype != b.dtype && a.dtype == DType::kUndefined) f.dtype = b.dtype;
  if (a.element && b.element) f.element = std::make_shared<const Facts>(either(*a.element, *b.element));
  if (!a.element) f.element = b.element;
  if (!a.ranked || !b.ranked || a.rank() != b.rank()) {
    f.ranked = false;
    f.dims.clear();
    return f;
  }
  for (std::size_t i = 0; i < f.dims.size(); ++i) {
    if (!(a.dims[i] == b.dims[i])) f.dims[i] = SymDim();
  }
  if (!a.contents || !b.contents || a.contents->size() != b.contents->size()) return f;
  f.contents = a.contents;
  for (std::size_t i = 0; i < f.contents->size(); ++i) {
    if (!((*a.contents)[i] == (*b.contents)[i])) (*f.contents)[i] = SymDim();
  }
  return f;
}

bool same_shape(const Facts& a, const Facts& b) {
  if (a.kind != b.kind || a.dtype != b.dtype || a.ranked != b.ranked || a.dims.size() != b.dims.size())
    return false;
  if (a.element && b.element && !same_shape(*a.element, *b.element)) return false;
  return std::equal(a.dims.begin(), a.dims.end(), b.dims.begin(), [](const SymDim& x, const SymDim& y) {
    return x == y || (x.is_unknown() && y.is_unknown());
  });
}

Facts without_contents(Facts facts) {
  facts.contents.reset();
  facts.constant = nullptr;
  return facts;
}

std::vector<Facts> settle_states(InferContext& ctx, const Graph& body, std::vector<Facts>& arguments,
                                 std::size_t first, std::size_t out, std::size_t states) {
  for (int round = 0;; ++round) {
    std::vector<Facts> results = ctx.infer_body(body, arguments);
    if (results.size() < out + states)
      ctx.fail("body has {} outputs, expected {}", results.size(), out + states);
    bool stable = true;
    for (std::size_t i = 0; i < states; ++i) {
      Facts& state = arguments[first + i];
      Facts next = without_contents(either(state, results[out + i]));
      if (round + 1 >= kMaxRounds && !same_shape(state, next)) {
        next.ranked = false;
        next.dims.clear();
      }
      stable = stable && same_shape(state, next);
      state = std::move(next);
    }
    if (stable || round > kMaxRounds) return results;
  }
}

void join_values(ChannelContext& ctx, const Value& a, const Value& b) {
  const std::int64_t rank_a = ctx.facts(a).rank();
  const std::int64_t rank_b = ctx.facts(b).rank();
  for (std::int64_t axis = 0; axis < std::max(rank_a, rank_b); ++axis) {
    const Places x = axis < rank_a ? ctx.list(a, axis) : Places();
    const Places y = axis < rank_b ? ctx.list(b, axis) : Places();
    if (rank_a == rank_b && (x.empty() || y.empty() || x.size() == y.size())) {
      ctx.join(x, y);
      continue;
    }
    ctx.freeze(x, "changes its shape on the way through a body");
    ctx.freeze(y, "changes its shape on the way through a body");
  }
}

void pass_value(ChannelContext& ctx, const Value& from, const Value& to,
                const std::function<std::int64_t(std::int64_t)>& map) {
  for (std::int64_t axis = 0; axis < ctx.facts(from).rank(); ++axis) {
    const Places list = ctx.list(from, axis);
    if (list.empty()) continue;
    const std::int64_t target = map(axis);
    if (target < 0 || !ctx.facts(to).ranked || target >= ctx.facts(to).rank()) {
      ctx.freeze(list, "is walked along by a body");
      continue;
    }
    ctx.set_list(to, target, list);
  }
}

}  // namespace compressor::ops
