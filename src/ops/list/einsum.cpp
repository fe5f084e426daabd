// Einsum: sums of products by labels. An axis is its label: labels that operands share join, those that the
// output lacks are summed, the rest passes.
#include "ops/einsum.h"

#include <algorithm>
#include <map>
#include <set>

#include "compressor/ops/channels.h"
#include "ops/expect.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  std::vector<std::int64_t> ranks;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    if (!ctx.in(i).ranked) return ctx.set_unranked(0, ctx.in(0).dtype);
    ranks.push_back(ctx.in(i).rank());
  }
  const Equation e = read_equation(ctx.node(), ranks);
  std::map<Label, SymDim> lengths;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    for (std::size_t k = 0; k < e.operands[i].size(); ++k) {
      const SymDim& d = ctx.in(i).dims[k];
      const auto [it, added] = lengths.try_emplace(e.operands[i][k], d);
      if (added || d == SymDim(1)) continue;
      it->second = it->second == SymDim(1) ? d : agree(ctx, it->second, d, "length of a shared label");
    }
  }
  SymDims y;
  for (const Label label : e.output) {
    const auto it = lengths.find(label);
    if (it == lengths.end()) ctx.fail("output label '{}' is in no operand", static_cast<char>(label));
    y.push_back(it->second);
  }
  ctx.set(0, ctx.in(0).dtype, std::move(y));
}

Cost cost(const CostContext& ctx) {
  std::vector<std::int64_t> ranks;
  std::vector<std::vector<double>> dims;
  for (std::size_t i = 0; i < ctx.node().inputs().size(); ++i) {
    dims.push_back(ctx.in(i));
    ranks.push_back(static_cast<std::int64_t>(dims.back().size()));
  }
  const double places = ctx.out_size(0);
  if (!ctx.ok()) return {};
  const Equation e = read_equation(ctx.node(), ranks);
  std::map<Label, double> lengths;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    for (std::size_t k = 0; k < dims[i].size(); ++k) {
      double& length = lengths[e.operands[i][k]];
      length = std::max(length, dims[i][k]);
    }
  }
  double all = 1;
  for (const auto& [label, length] : lengths) all *= length;
  const auto factors = static_cast<double>(ranks.size());
  return {.macs = all * (factors - 1), .flops = std::max(0.0, factors * all - places)};
}

void channels(ChannelContext& ctx) {
  std::vector<std::int64_t> ranks;
  for (std::size_t i = 0; i < ctx.node().inputs().size(); ++i) {
    if (!ctx.in(i).ranked) return ctx.freeze_all("sum over an operand of unknown rank");
    ranks.push_back(ctx.in(i).rank());
  }
  const Equation e = read_equation(ctx.node(), ranks);
  const std::set<Label> kept(e.output.begin(), e.output.end());
  std::map<Label, Places> lists;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    for (std::int64_t axis = 0; axis < ranks[i]; ++axis) {
      const Label label = e.operands[i][static_cast<std::size_t>(axis)];
      if (ctx.in_dim(i, axis) == 1) continue;  // broadcast
      const Places places = ctx.in_list(i, axis);
      const auto [it, added] = lists.try_emplace(label, places);
      if (!added) ctx.join(it->second, places);
      ctx.role(i, axis, kept.contains(label) ? AxisRole::kProducer : AxisRole::kConsumer);
    }
  }
  for (std::size_t k = 0; k < e.output.size(); ++k) {
    ctx.set_out(0, static_cast<std::int64_t>(k), lists[e.output[k]]);
  }
}

}  // namespace

void register_einsum(OpTable& table) {
  table.add({.type = "Einsum",
             .since = 12,
             .infer = infer,
             .cost = cost,
             .compute = compute_einsum,
             .channels = channels,
             .gradient = einsum_gradient,
             .keep = {.inputs = kAll}});
}

}  // namespace compressor::ops
