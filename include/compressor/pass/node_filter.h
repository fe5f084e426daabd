// node_filter: which nodes the user wants touched, by --include and --exclude.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "compressor/graph/model.h"

namespace compressor {

/// The name that patterns are searched in: the node's, or its first output's when it has none.
std::string name_for_patterns(const Node& node);
/// A regular expression that finds this name and no other.
std::string pattern_for(const Node& node);

/// One pattern of a name: a regular expression that is searched in it, or `op:TYPE`.
class NodePattern {
 public:
  /// Throws Error::usage for an empty or invalid one.
  explicit NodePattern(const std::string& text);
  const std::string& text() const { return text_; }
  bool matches(const Node& node) const;
  /// Throws Error::usage naming the first of these that matches no node of the model, bodies included.
  static void check_all(const std::vector<const NodePattern*>& patterns, const Model& model);

 private:
  struct Expression;  // <regex> is read by who needs it only: it costs more than all else here
  std::string text_;
  std::string op_;                                ///< for op:TYPE
  std::shared_ptr<const Expression> expression_;  ///< null for op:TYPE
};

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
  static void add(std::vector<NodePattern>& list, const std::vector<std::string>& patterns);
  std::vector<NodePattern> include_, exclude_;
  std::set<std::string> left_out_;
};

}  // namespace compressor
