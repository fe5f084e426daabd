// node_filter: which nodes the user wants touched, by --include and --exclude.
#pragma once

#include <memory>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "compressor/graph/model.h"

namespace compressor {

/// The name that patterns are searched in: the node's, or its first output's when it has none.
std::string name_for_patterns(const Node& node);
/// A regular expression that finds this name and no other.
std::string pattern_for(const Node& node);

/// Patterns are regular expressions searched in the node's name (its first output's name when it has none),
/// `op:TYPE`, or `@file` with one pattern a line.
class NodeFilter {
 public:
  NodeFilter() = default;
  /// Throws Error::usage for an invalid expression, Error::io for an unreadable @file.
  NodeFilter(const std::vector<std::string>& include, const std::vector<std::string>& exclude);
  bool matches(const Node& node) const;
  /// Throws Error::usage naming the first pattern that matches no node of the model, bodies included.
  void check_against(const Model& model) const;
  /// A copy that leaves out these nodes too, by Node::label().
  NodeFilter without(std::set<std::string> labels) const;
  bool empty() const { return include_.empty() && exclude_.empty() && left_out_.empty(); }

 private:
  struct Pattern {
    std::string text;
    std::string op;  ///< for op:TYPE
    std::regex expression;
    bool matches(const Node& node) const;
  };
  static void add(std::vector<Pattern>& list, const std::vector<std::string>& patterns);
  std::vector<Pattern> include_, exclude_;
  std::set<std::string> left_out_;
};

}  // namespace compressor
