// layer_settings: options that have another value for some of the layers.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "compressor/pass/node_filter.h"

namespace compressor {

/// `pattern: {option: value}` in the order of a file; the first pattern that matches a node counts.
class LayerSettings {
 public:
  /// Options and their values as text, in the order of the file.
  using Settings = std::vector<std::pair<std::string, std::string>>;

  LayerSettings() = default;
  /// Reads a YAML or JSON map: the file itself, or what stands there under the key `under`, if anything does.
  /// `pattern: value` is short for `pattern: {shorthand: value}` where that is not empty. Throws Error::io
  /// and Error::usage naming the file and the line.
  static LayerSettings read(const std::string& path, const std::string& under, const std::string& shorthand);

  /// Settings of one node, by Node::label(); they go before all patterns.
  void set(const std::string& label, Settings settings);
  /// Null where nothing is said of the node.
  const Settings* of(const Node& node) const;
  bool empty() const { return entries_.empty() && nodes_.empty(); }
  /// Throws Error::usage, with a suggestion, for an option that is none of these.
  void check_options(const std::vector<std::string>& known) const;
  /// Throws Error::usage for a pattern that matches no node of the model.
  void check_against(const Model& model) const;
  /// "pattern: option=value ..." of all entries, for metadata.
  std::string text() const;
  /// Calls visit(where, settings) for all entries; `where` is "file: line 3: 'pattern'".
  template <class Visit>
  void each(Visit&& visit) const {
    for (const Entry& e : entries_) visit(e.where, e.settings);
  }

 private:
  struct Entry {
    NodePattern pattern;
    Settings settings;
    std::string where;
  };
  std::vector<Entry> entries_;
  std::map<std::string, Settings, std::less<>> nodes_;
};

}  // namespace compressor
