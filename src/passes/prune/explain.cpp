// explain: a channel group in words.
#include "passes/prune/explain.h"

#include <algorithm>

#include "compressor/base/error.h"

namespace compressor::prune {
namespace {

std::string listed(const std::vector<const Node*>& nodes) {
  constexpr std::size_t kMost = 12;
  std::string text;
  for (std::size_t i = 0; i < std::min(nodes.size(), kMost); ++i) {
    text += (i == 0 ? "" : ", ") + nodes[i]->label() + " (" + nodes[i]->op() + ")";
  }
  if (nodes.size() > kMost) text += fmt::format(" and {} more", nodes.size() - kMost);
  return text;
}

std::string positions(const ConstantSlice& slice) {
  const auto& p = slice.positions;
  if (p.size() == 1) return std::to_string(p[0]);
  return fmt::format("{}..{} ({})", p.front(), p.back(), p.size());
}

}  // namespace

std::vector<std::string> explain_group(const ChannelGroup& group, std::size_t number,
                                       const std::vector<double>& scores, const std::string& why_not) {
  std::vector<std::string> lines;
  lines.push_back(fmt::format("group {}: {} {} classes of {}{}", number, group.units.size(), name(group.kind),
                              group.label(), group.outer ? " (outer factor: heads or groups)" : ""));
  if (!group.producers.empty()) lines.push_back("  made by   " + listed(group.producers));
  if (!group.consumers.empty()) lines.push_back("  read by   " + listed(group.consumers));
  if (!group.others.empty()) lines.push_back("  joins     " + listed(group.others));
  std::string places;
  for (const ConstantSlice& slice : group.units[0].slices) {
    places += fmt::format("{}{}[axis {}: {}]", places.empty() ? "" : ", ", slice.value->name(), slice.axis,
                          positions(slice));
  }
  lines.push_back("  class 0   " + places);
  if (!why_not.empty()) {
    lines.push_back("  not cut   " + why_not);
    return lines;
  }
  std::string text;
  for (const double s : scores) text += fmt::format("{}{:.4g}", text.empty() ? "" : " ", s);
  lines.push_back("  scores    " + text);
  return lines;
}

}  // namespace compressor::prune
