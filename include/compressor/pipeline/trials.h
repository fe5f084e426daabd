// trials: one pass on one model, again and again, with other layers left out each time.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compressor/pass/pass.h"

namespace compressor {

/// A layer that the pass changes and that could be left as it is.
struct TrialLayer {
  std::string node;  ///< Node::label()
  std::string op;
  std::string pattern;  ///< for --exclude: matches this node and no other name
  std::string detail;   ///< what the pass said of it
};

struct Trial {
  Model model;
  PassResult result;
};

/// Statistics of the data are gathered in the first run and used again. The pass, the model and what the
/// context refers to must outlive it.
class Trials {
 public:
  using Labels = std::set<std::string>;

  /// Runs the pass on all layers that the context's filter takes. Throws what the pass throws; Error::usage
  /// for a pass whose layers cannot be chosen one by one.
  Trials(Pass& pass, const Model& model, const PassContext& context);
  const std::vector<TrialLayer>& layers() const { return layers_; }
  /// All layers changed.
  const Trial& whole() const { return whole_; }
  /// Settings of single layers, by label.
  using Own = std::map<std::string, LayerSettings::Settings>;
  /// The pass with these layers left out; nullopt where nothing is left to do.
  std::optional<Trial> without(const Labels& labels, const Own& own = {});
  /// The pass on these layers only.
  std::optional<Trial> only(const Labels& labels, const Own& own = {});

 private:
  Trial run(const NodeFilter& filter, const Own& own);
  Pass& pass_;
  const Model& model_;
  PassContext context_;
  std::vector<TrialLayer> layers_;
  Trial whole_;
};

}  // namespace compressor
