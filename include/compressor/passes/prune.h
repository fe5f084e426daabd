// prune: the pass that removes channels, heads and residual branches, or zeroes weights.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compressor/pass/pass.h"

namespace compressor {

/// One importance measure, for `list methods`.
struct PruneMethod {
  std::string name, source, summary;
};
std::vector<PruneMethod> prune_methods();

/// Pruning. Structured granularities (channel and its parts filter, neuron, hidden; head; layer) shrink
/// shapes; weight, kernel, nm and block set weights to zero.
class Prune : public Pass {
 public:
  Prune() {
    layers.path();
    explain.no_effect();
  }
  std::string name() const override { return "prune"; }
  std::string summary() const override { return "remove channels, heads or layers, or set weights to zero"; }
  std::vector<std::string> layer_options() const override { return {ratio.name()}; }
  void check() const override;
  bool explains() const override { return *explain; }
  void run(Model& model, PassContext& context) override;

  Option<std::optional<double>> ratio{*this, "ratio", std::nullopt,
                                      "share of what the granularity counts to remove",
                                      Range{.low = 0, .high = 1, .open_low = true, .open_high = true}};
  Option<std::string> target_macs{
      *this, "target-macs", "",
      "search the ratio that leaves at most this many MACs: a number (12M) or a share (50%)"};
  Option<std::string> target_params{
      *this, "target-params", "",
      "search the ratio that leaves at most this many parameters: a number (1.2M) or a share (50%)"};
  Option<std::string> granularity{
      *this, "granularity", "channel", "what is removed or zeroed as one",
      Choices{{"channel", "filter", "neuron", "hidden", "head", "layer", "weight", "kernel", "nm", "block"}}};
  Option<std::string> criterion{*this, "criterion", "l2",
                                "importance measure; the least important goes first",
                                Choices{{"l1", "l2", "bn-scale", "fpgm", "random"}}};
  Option<std::string> scope{*this, "scope", "layer",
                            "where the ratio holds: in every group of channels, or over all of them",
                            Choices{{"layer", "global"}}};
  Option<std::int64_t> round_to{*this, "round-to", 1, "keep a multiple of this many channels in every group",
                                Range::at_least(1)};
  Option<std::int64_t> min_keep{*this, "min-keep", 1, "keep at least this many channels in every group",
                                Range::at_least(1)};
  Option<std::string> layers{*this, "layers", "",
                             "YAML file of ratios by layer (pattern: ratio), the first match counts"};
  Option<bool> through_norm{
      *this, "through-norm", false,
      "also cut channels that a mean, softmax or norm reads; results then change even for dead channels"};
  Option<std::string> nm{*this, "nm", "2:4",
                         "for granularity nm: how many of how many consecutive inputs stay"};
  Option<std::string> block{*this, "block", "4x4", "for granularity block: outputs x inputs of one block"};
  Option<bool> explain{*this, "explain", false,
                       "print every class: what it joins, its score, why it may not be cut; write nothing"};
};

}  // namespace compressor
