// channels: lists of places by value and axis, and what rules ask of them.
#include "compressor/ops/channels.h"

#include <algorithm>

namespace compressor {

const std::vector<Places>* ChannelLists::find(const Value& value) const {
  const auto it = axes_.find(&value);
  return it == axes_.end() ? nullptr : &it->second;
}

void ChannelLists::add_role(const Value& value, std::int64_t axis, AxisRole role) {
  roles_[{&value, axis}] |= static_cast<unsigned>(role);
}

unsigned ChannelLists::roles(const Value& value, std::int64_t axis) const {
  const auto it = roles_.find({&value, axis});
  return it == roles_.end() ? 0 : it->second;
}

namespace ops {
namespace {

const Places kUntracked;

bool is_source(const Value& value) {
  return value.initializer() || (value.producer() && value.producer()->is("Constant"));
}

std::int64_t number_or_minus_one(const Facts& facts, std::int64_t axis) {
  return facts.ranked ? facts.dim(axis).maybe_number().value_or(-1) : -1;
}

}  // namespace

std::int64_t ChannelContext::in_dim(std::size_t i, std::int64_t axis) const {
  return number_or_minus_one(in(i), axis);
}
std::int64_t ChannelContext::out_dim(std::size_t i, std::int64_t axis) const {
  return number_or_minus_one(out(i), axis);
}

Places ChannelContext::fresh(std::int64_t n) {
  return n > 1 ? lists_.atoms.fresh(n) : Places();
}

const Places& ChannelContext::in_list(std::size_t i, std::int64_t axis) {
  const Value* value = node_.input(i);
  if (!value) throw Error::model("input {} is missing", i);
  return list(*value, axis);
}

const Places& ChannelContext::list(const Value& value, std::int64_t axis) {
  const Facts& facts = facts_.of(value);
  if (!facts.ranked) return kUntracked;
  facts.dim(axis);  // checks the axis
  const auto at = static_cast<std::size_t>(axis < 0 ? axis + facts.rank() : axis);
  std::vector<Places>& axes = lists_.of(value);
  if (axes.empty()) axes.resize(facts.dims.size());
  const std::int64_t n = facts.dims[at].maybe_number().value_or(-1);
  if (axes[at].empty() && n > 1 && is_source(value)) axes[at] = lists_.atoms.fresh(n);
  return axes[at];
}

void ChannelContext::set_list(const Value& value, std::int64_t axis, Places places) {
  const Facts& facts = facts_.of(value);
  if (!facts.ranked) return freeze(places, "reaches '" + value.name() + "', whose rank is not known");
  const std::int64_t n = facts.dim(axis).maybe_number().value_or(-1);
  if (places.empty()) return;
  if (n != static_cast<std::int64_t>(places.size())) {
    return freeze(places,
                  fmt::format("reaches axis {} of '{}', whose length is not known", axis, value.name()));
  }
  std::vector<Places>& axes = lists_.of(value);
  if (axes.empty()) axes.resize(facts.dims.size());
  axes[static_cast<std::size_t>(axis < 0 ? axis + facts.rank() : axis)] =
      n > 1 ? std::move(places) : Places();
}

void ChannelContext::set_out(std::size_t i, std::int64_t axis, Places places) {
  if (wants(i)) set_list(*node_.output(i), axis, std::move(places));
}

void ChannelContext::pass(std::size_t in, std::int64_t in_axis, std::size_t out, std::int64_t out_axis) {
  set_out(out, out_axis, in_list(in, in_axis));
}

void ChannelContext::pass_all(std::size_t in, std::size_t out) {
  if (!wants(out)) return;
  const Facts& from = this->in(in);
  const Facts& to = this->out(out);
  for (std::int64_t axis = 0; axis < from.rank(); ++axis) {
    const Places& places = in_list(in, axis);
    if (places.empty()) continue;
    if (to.ranked && axis < to.rank() && to.dim(axis) == from.dim(axis)) {
      set_out(out, axis, places);
    } else {
      freeze(places, "changes the length of the axis");
    }
  }
}

void ChannelContext::join(const Places& a, const Places& b) {
  if (!a.empty() && !b.empty() && a.size() != b.size()) {
    throw Error::model("joins an axis of {} channels with one of {}", a.size(), b.size());
  }
  lists_.atoms.join(a, b, because("joins channels of different origin"));
}

void ChannelContext::freeze(std::size_t in, std::int64_t axis, const std::string& why) {
  lists_.atoms.freeze(in_list(in, axis), because(why));
}

void ChannelContext::freeze_all(const std::string& why) {
  for (std::size_t i = 0; i < node_.inputs().size(); ++i) {
    if (!has(i) || !in(i).ranked) continue;
    for (std::int64_t axis = 0; axis < in(i).rank(); ++axis) freeze(i, axis, why);
  }
  for (const Value* value : node_.outputs()) {
    if (!value) continue;
    const Facts& facts = facts_.of(*value);
    std::vector<Places>& axes = lists_.of(*value);
    axes.assign(facts.dims.size(), {});
    for (std::size_t axis = 0; axis < facts.dims.size(); ++axis) {
      const std::int64_t n = facts.dims[axis].maybe_number().value_or(-1);
      if (n <= 1) continue;
      axes[axis] = lists_.atoms.same(n);
      lists_.atoms.freeze_place(axes[axis][0], because(why));
    }
  }
}

void ChannelContext::role(std::size_t in, std::int64_t axis, AxisRole role) {
  const Value* value = node_.input(in);
  if (!value) return;
  if (axis < 0) axis += this->in(in).rank();
  // A weight may be transposed, cast or passed on on its way here.
  for (const Node* node = value->producer(); node && !is_source(*value) && node->input(0);
       node = value->producer()) {
    if (node->is("Transpose")) {
      const std::int64_t rank = facts_.of(*node->input(0)).rank();
      std::vector<std::int64_t> reversed;
      for (std::int64_t i = rank; i-- > 0;) reversed.push_back(i);
      const std::vector<std::int64_t> perm = node->ints_or("perm", reversed);
      if (axis < 0 || axis >= static_cast<std::int64_t>(perm.size())) return;
      axis = perm[static_cast<std::size_t>(axis)];
    } else if (!node->is("Cast") && !node->is("Identity")) {
      break;
    }
    value = node->input(0);
  }
  const bool generated = value->producer() && value->producer()->is("ConstantOfShape");
  if (is_source(*value) || generated) lists_.add_role(*value, axis, role);
}

void join_elementwise(ChannelContext& ctx, std::span<const std::size_t> inputs) {
  if (!ctx.wants(0)) return;
  const Facts& out = ctx.out(0);
  if (!out.ranked) {
    return ctx.freeze_all("has an output of unknown rank");
  }
  for (std::int64_t from_right = 1; from_right <= out.rank(); ++from_right) {
    const std::int64_t n = ctx.out_dim(0, -from_right);
    Places joined;
    bool first = true;
    for (const std::size_t i : inputs) {
      if (!ctx.has(i) || !ctx.in(i).ranked || from_right > ctx.in(i).rank()) continue;
      if (ctx.in_dim(i, -from_right) == 1 && n != 1) continue;  // broadcast
      const Places& places = ctx.in_list(i, -from_right);
      if (first) {
        joined = places;
        first = false;
        continue;
      }
      if (!joined.empty() && !places.empty() && joined.size() != places.size()) {
        ctx.freeze(joined, "meets an axis of another length");
        ctx.freeze(places, "meets an axis of another length");
        continue;
      }
      ctx.join(joined, places);
      if (joined.empty()) joined = places;
    }
    ctx.set_out(0, -from_right, std::move(joined));
  }
}

}  // namespace ops
}  // namespace compressor
