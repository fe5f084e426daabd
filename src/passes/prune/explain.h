// explain: a channel group in words.
#pragma once

#include <string>
#include <vector>

#include "compressor/analysis/channel_groups.h"

namespace compressor::prune {

/// Lines for one group: how many units of which kind, the nodes it joins, its scores, or why it may not be
/// cut.
std::vector<std::string> explain_group(const ChannelGroup& group, std::size_t number,
                                       const std::vector<double>& scores, const std::string& why_not);

}  // namespace compressor::prune
