// channel_rules: the operators' channel rules, run over a whole model.
#pragma once

#include "compressor/analysis/channel_groups.h"

namespace compressor {

/// Fills `lists`: every node's rule in order, bodies included; what no rule can follow is frozen with the
/// reason, and so are the graph's inputs and outputs.
void run_channel_rules(const Model& model, const ChannelOptions& options, const FactsMap& facts,
                       ChannelLists& lists);

}  // namespace compressor
