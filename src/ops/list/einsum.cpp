// Einsum: sums of products by labels. An axis is its label: labels that operands share join, those that the
// output lacks are summed, the rest passes.
#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "compressor/ops/channels.h"
#include "ops/expect.h"

namespace compressor::ops {
namespace {

/// Label of one axis: a letter, or 1000 + position from the right inside "...".
using Label = int;
constexpr Label kEllipsis = 1000;

struct Equation {
  std::vector<std::vector<Label>> operands;
  std::vector<Label> output;
};

/// Labels of one term for an operand of the given rank; `ellipsis` is what "..." stands for.
std::vector<Label> read_term(const Node& node, const std::string& term, std::int64_t ellipsis) {
  std::vector<Label> labels;
  for (std::size_t i = 0; i < term.size(); ++i) {
    if (term.compare(i, 3, "...") == 0) {
      for (std::int64_t k = ellipsis; k > 0; --k) labels.push_back(kEllipsis + static_cast<int>(k));
      i += 2;
      continue;
    }
    if (!std::isalpha(static_cast<unsigned char>(term[i]))) {
      throw Error::model("node '{}' ({}): term '{}' holds '{}', expected letters", node.label(), node.op(),
                         term, term[i]);
    }
    labels.push_back(term[i]);
  }
  return labels;
}

std::int64_t count_letters(const std::string& term) {
  return std::count_if(term.begin(), term.end(), [](char c) { return c != '.'; });
}

std::vector<Label> implicit_output(const std::vector<std::vector<Label>>& operands, std::int64_t ellipsis) {
  std::map<Label, int> seen;
  for (const auto& labels : operands) {
    for (const Label label : labels) ++seen[label];
  }
  std::vector<Label> output;
  for (std::int64_t k = ellipsis; k > 0; --k) output.push_back(kEllipsis + static_cast<int>(k));
  for (const auto& [label, times] : seen) {
    if (times == 1 && label < kEllipsis) output.push_back(label);
  }
  return output;
}

/// Throws Error::model for what is no equation or does not fit the ranks.
Equation parse(const Node& node, const std::vector<std::int64_t>& ranks) {
  const auto fail = [&](const std::string& why) {
    throw Error::model("node '{}' ({}): equation '{}' {}", node.label(), node.op(),
                       node.string_or("equation", ""), why);
  };
  std::string text = node.string_or("equation", "");
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  const std::size_t arrow = text.find("->");
  std::vector<std::string> terms{""};
  for (const char c : text.substr(0, arrow)) {
    if (c == ',') {
      terms.emplace_back();
    } else {
      terms.back() += c;
    }
  }
  if (terms.size() != ranks.size())
    fail(fmt::format("has {} terms, expected {}", terms.size(), ranks.size()));
  Equation e;
  std::int64_t widest = 0;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const bool dots = terms[i].find("...") != std::string::npos;
    const std::int64_t ellipsis = ranks[i] - count_letters(terms[i]);
    if (ellipsis < 0 || (!dots && ellipsis != 0)) {
      fail(fmt::format("has the term '{}' for an operand of rank {}", terms[i], ranks[i]));
    }
    widest = std::max(widest, ellipsis);
    e.operands.push_back(read_term(node, terms[i], ellipsis));
  }
  e.output = arrow == std::string::npos ? implicit_output(e.operands, widest)
                                        : read_term(node, text.substr(arrow + 2), widest);
  return e;
}

void infer(InferContext& ctx) {
  std::vector<std::int64_t> ranks;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    if (!ctx.in(i).ranked) return ctx.set_unranked(0, ctx.in(0).dtype);
    ranks.push_back(ctx.in(i).rank());
  }
  const Equation e = parse(ctx.node(), ranks);
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
  const Equation e = parse(ctx.node(), ranks);
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
  const Equation e = parse(ctx.node(), ranks);
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
  table.add({.type = "Einsum", .since = 12, .infer = infer, .cost = cost, .channels = channels});
}

}  // namespace compressor::ops
