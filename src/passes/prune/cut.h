// cut: remove classes of channels from a model, weights, attributes and shape constants alike.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compressor/analysis/channel_groups.h"
#include "compressor/pass/pass.h"

namespace compressor::prune {

/// A cut model, or the node at which it could not be done and why.
struct CutResult {
  std::optional<Model> model;
  std::vector<Removed> removed;
  NodeId failed = 0;
  std::string why;
};

/// Removes the classes with the given roots from a copy of `model` (the one that `groups` was found in).
/// Weights are cut lazily, so this is cheap whatever their size. The result is checked: every shape that was
/// known must be the old one less what was removed.
CutResult cut(const Model& model, ChannelGroups& groups, const std::set<Atom>& removed,
              const ChannelOptions& options);

}  // namespace compressor::prune
