// static_qdq: weights and activations on grids whose scales are known before the model runs.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "compressor/pass/pass.h"
#include "passes/quantize/grid/affine.h"
#include "passes/quantize/grid/fit.h"
#include "passes/quantize/targets.h"

namespace compressor::quantize {

/// What a value was seen to hold.
struct ValueRange {
  float low = 0, high = 0;
};
/// By the name of the value, which is one in the whole of a prepared model.
using Ranges = std::map<std::string, ValueRange, std::less<>>;
/// A YAML or JSON file `name: [low, high]`. Throws Error::io or Error::usage naming the file and the entry.
Ranges read_ranges(const std::string& path);
/// Warns of names that no value of the model has; throws Error::usage when none of them has.
void check_names(const Model& model, const Ranges& ranges, const std::string& path, PassContext& context);

/// E[x] by channel of values, by their names.
using ChannelMeans = std::map<std::string, std::vector<float>, std::less<>>;

class StaticRounding;

/// Values that are not to be rounded, by name, and why.
using InFloat = std::map<std::string, std::string, std::less<>>;

struct StaticOptions {
  Target target;
  Clip weight_clip = Clip::kMinMax;
  /// Where the mean of a layer's input is known, the bias takes back what rounding the weight shifts on
  /// average: b' = b - sum over inputs of (W' - W) E[x] (Nagel et al. 2019, 1906.04721, section 4.2).
  ChannelMeans means = {};
  /// For the report: dB of values on the grids of their own ranges, by name.
  std::map<std::string, double, std::less<>> snr_db = {};
  /// Chooses codes by what layers take in; null: each weight goes to its nearest code.
  std::shared_ptr<StaticRounding> rounding = nullptr;
  /// Neither these values nor what reads or gives them in integers is quantized.
  InFloat in_float = {};
  /// Ranges were seen while the model ran: what has none did not run.
  bool measured = false;
};

/// Raises the opset to 13, computes weights that are made of constants, and folds BatchNormalization into
/// what stands before it, whose result takes over the name: ranges that were measured on the model as it was
/// hold for it. Biases of products are placed where integer kernels find them. Values in bodies get names
/// that no other value has: returns the new names with the old ones.
std::map<std::string, std::string> prepare_static(Model& model, PassContext& context);

/// What is to be quantized in a prepared model.
struct Plan {
  std::set<const Node*> nodes;
  std::vector<const Value*> activations;  ///< that get a scale, in the order of the graph
};
/// Nodes of the target's kinds, as far as ranges are known. What is left in float is skipped in `context`
/// with the reason.
Plan plan_static(const Model& model, const Ranges& ranges, const StaticOptions& options,
                 PassContext& context);
/// The values that a plan wants ranges for.
std::vector<std::string> values_to_observe(const Model& model, const StaticOptions& options,
                                           PassContext& context);

/// Scale and zero point of every activation; values that pass through Concat, MaxPool, Reshape .. share
/// theirs.
std::map<const Value*, Affine> activation_scales(const Model& model, const Plan& plan, const Ranges& ranges,
                                                 const Target& target);

/// The rewrite, for a prepared model:
///   x -> Conv(W, b) -> Relu   ==>   x -> Q -> DQ -> Conv(DQ(W'), DQ(b')) -> Relu -> Q -> DQ
/// In bodies of If, Loop and Scan too. Throws Error::target when nothing can be quantized.
void quantize_static(Model& model, const Ranges& ranges, const StaticOptions& options, PassContext& context);

}  // namespace compressor::quantize
