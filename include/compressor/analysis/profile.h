// profile: what each layer of a model holds, computes and passes on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compressor/graph/model.h"
#include "compressor/ops/facts.h"

namespace compressor {

/// One node. Parameters and weight bytes of a constant that several nodes read stand at the first of them.
struct LayerProfile {
  NodeId id = 0;
  std::string name, op;  ///< name: of a node in a body with its holders before it, "if_1/then_branch/conv"
  std::string node;      ///< its label, without those of the nodes whose bodies it is in
  std::string in, out;   ///< shapes: of the first input that is not a constant; of the first output
  std::uint64_t params = 0, weight_bytes = 0;
  double macs = 0, flops = 0;          ///< of one execution
  std::uint64_t activation_bytes = 0;  ///< of all outputs
  /// Executions that the totals count: 1; the trip count in a Loop or Scan (1 where it is not known); 0 in
  /// the branch of an If that is not the larger one.
  double times = 1;
  bool counted = true;  ///< false when a shape that the cost needs is not known, or the operator is not
};

struct ProfileTotals {
  std::uint64_t params = 0, weight_bytes = 0;
  double macs = 0, flops = 0;
  std::uint64_t activation_bytes = 0;       ///< sum over all outputs of all nodes, constants excluded
  std::uint64_t peak_activation_bytes = 0;  ///< most that lives at once when nodes run in order
};

/// Parameters by the rule of weights.h; arithmetic by the rules of the operators (ops::Cost), symbols taken
/// as 1; of an If the branch with more MACs counts, a body of Loop or Scan as often as its trip count says.
/// Nodes that compute constants only cost nothing. Constants that no node reads count in the totals.
struct Profile {
  std::vector<LayerProfile> layers;
  ProfileTotals totals;
  std::vector<std::string> symbols;  ///< dimensions that were taken as 1, sorted
  std::string shape_hint;            ///< an input that has one of them, with 1 in its place: "x:1x3x32x32"
  std::vector<std::string> notes;    ///< what could not be counted, one sentence each
};

Profile profile(const Model& model, const FactsMap& facts);
/// With the shapes inferred here.
Profile profile(const Model& model, const InferOptions& options = {});

/// The layers of a profile merged by operator, most MACs first; `name` is the number of nodes.
std::vector<LayerProfile> by_op(const Profile& profile);

}  // namespace compressor
