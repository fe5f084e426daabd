// pass: what a compression pass is, what it is given, and what it says of its work.
#pragma once

#include <any>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compressor/base/option.h"
#include "compressor/graph/model.h"
#include "compressor/pass/layer_settings.h"
#include "compressor/pass/node_filter.h"

namespace compressor {

/// Indices that went from one axis of one tensor of the model as it was given: enough to replay the cut on
/// it.
struct Removed {
  std::string tensor;
  std::int64_t axis = 0;
  std::int64_t of = 0;              ///< length before
  std::vector<std::int64_t> index;  ///< ascending
};

/// The grid that a tensor of a layer lies on: x ~ (code - zero) * scale.
struct GridRecord {
  std::string role;          ///< "input", "weight", "output"
  std::string tensor;        ///< its name
  std::string type;          ///< of the codes: "uint8"
  std::int64_t scales = 1;   ///< how many: 1 for all of it, or one a channel or group
  double low = 0, high = 0;  ///< what codes can say of an activation; what a stored weight holds
  double scale_min = 0, scale_max = 0;
  std::optional<std::int64_t> zero;  ///< where all scales have the same zero point
  std::optional<double> snr_db;      ///< of the numbers on the grid; infinite where nothing is missed
};

/// What happened to one node (or class of channels), for the report.
struct LayerRecord {
  std::string node;
  std::string op;
  std::string action;  ///< "pruned", "zeroed", "folded", "skipped", ...
  std::string detail;  ///< numbers or the reason, one line
  std::vector<GridRecord> grids = {};
};

/// What a pass did. Counts are in the pass's own unit ("channels", "weights", "nodes").
struct PassResult {
  std::string pass;
  std::string unit;
  std::int64_t eligible = 0;
  std::int64_t done = 0;
  std::int64_t skipped = 0;
  bool changed = false;
  std::vector<LayerRecord> layers;
  std::vector<Removed> removed;
  /// What part of the model was reached, in [0, 1]: "integer_macs", "quantized_weight_bytes".
  std::vector<std::pair<std::string, double>> shares;
  std::vector<std::string> notes;  ///< plain sentences
  /// What a pass that was asked to explain itself has to say, line by line, instead of changing the model.
  std::vector<std::string> explanation;
  std::vector<std::string> warnings;
  std::vector<std::pair<std::string, std::string>> options;  ///< as they were in force
  double seconds = 0;
};

/// What a pass may use. Copied along a pipeline; the result collects.
class PassContext {
 public:
  std::uint64_t seed = 0;
  /// Nodes the user wants touched; everything by default.
  NodeFilter filter;
  LayerSettings layers;  ///< options that are other for some layers; "exclude" is in the filter already
  std::map<std::string, std::vector<std::int64_t>> input_shapes;  ///< by --input-shape
  /// `carried`: state, input -> the output that is its value in the next batch; an input that is there too
  /// begins anew.
  struct Inputs : std::map<std::string, Tensor> {
    using map::map;
    std::map<std::string, std::string, std::less<>> carried = {};
  };
  using Batches = std::function<void(const std::function<void(const Inputs&)>& visit)>;
  /// Goes through the samples of --data, batch by batch, inputs by name; as often as it is called. Empty when
  /// no data was given.
  Batches batches;
  /// What runs of passes on one model and its data leave for later runs on the same, by name: statistics that
  /// do not depend on which layers are chosen. Null where nothing is to be kept.
  std::shared_ptr<std::map<std::string, std::any>> findings;
  /// Called now and then with a short text and a share in [0, 1]; may be empty.
  std::function<void(const std::string& what, double share)> progress;

  /// Records a skip and adds one to result.skipped; a pass whose unit is not nodes sets the counts itself.
  void skip(const Node& node, const std::string& why);
  void skip(const std::string& name, const std::string& op, const std::string& why);
  /// Records what was done to a node; counts nothing.
  void done(const Node& node, const std::string& action, const std::string& detail,
            std::vector<GridRecord> grids = {});
  void note(const std::string& text) { result.notes.push_back(text); }
  void warn(const std::string& text) { result.warnings.push_back(text); }
  PassResult result;
};

/// A transformation of a model. Its options are its members (declared with *this as owner).
class Pass : public Options {
 public:
  virtual std::string name() const = 0;     ///< "prune"
  virtual std::string summary() const = 0;  ///< one sentence
  /// Checks combinations of options before any model is opened; throws Error::usage.
  virtual void check() const {}
  /// True when outputs change by no more than rounding, so that no accuracy can be lost.
  virtual bool keeps_outputs() const { return false; }
  /// True when the options ask for an explanation only: run() fills result.explanation, nothing is written.
  virtual bool explains() const { return false; }
  /// True when run() measures on PassContext::batches where they are given.
  virtual bool reads_data() const { return false; }
  /// What a LayerRecord's action is for a layer that was changed and could be left out alone by the filter;
  /// empty where layers cannot be chosen one by one.
  virtual std::string layer_action() const { return ""; }
  /// The options that single layers may have another value of (PassContext::layers).
  virtual std::vector<std::string> layer_options() const { return {}; }
  /// Rewrites the model. On an exception the model is in an unspecified state and must be dropped.
  virtual void run(Model& model, PassContext& context) = 0;
};

}  // namespace compressor
