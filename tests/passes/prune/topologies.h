// topologies: small networks of every shape that channels take, each with how much of it must go.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "builder.h"

namespace compressor::topologies {

struct Topology {
  std::string name;
  Model model;
  /// Units that ratio 0.5 must remove at granularity channel and head; 0: nothing there may be cut.
  std::int64_t channels = 0;
  std::int64_t heads = 0;
  /// Units that ratio 0.5 removes at granularity channel with --through-norm, where results are then
  /// approximate.
  std::int64_t through_norm = 0;
  /// Sizes of symbolic dimensions in the referee's runs.
  std::map<std::string, std::int64_t> dims = {};
};

std::vector<Topology> conv_topologies();
std::vector<Topology> branch_topologies();
std::vector<Topology> gate_topologies();
std::vector<Topology> norm_topologies();
std::vector<Topology> attention_topologies();
std::vector<Topology> transformer_topologies();
std::vector<Topology> recurrent_topologies();
std::vector<Topology> shape_topologies();
std::vector<Topology> control_topologies();

}  // namespace compressor::topologies
