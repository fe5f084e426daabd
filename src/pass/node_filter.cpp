// node_filter: regular expressions, op:TYPE and @file over the nodes of a model.
#include "compressor/pass/node_filter.h"

#include <algorithm>
#include <fstream>
#include <regex>

#include "compressor/base/error.h"
#include "compressor/base/suggest.h"

namespace compressor {
namespace {

// std::regex recurses once per character.
constexpr std::size_t kLongestName = 4096;

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw Error::io("{}: cannot read the patterns that '@{}' asks for", path, path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty() && line.front() != '#') lines.push_back(line);
  }
  if (file.bad()) throw Error::io("{}: cannot read the patterns that '@{}' asks for", path, path);
  return lines;
}

}  // namespace

std::string name_for_patterns(const Node& node) {
  if (!node.name().empty()) return node.name();
  for (const Value* output : node.outputs()) {
    if (output) return output->name();
  }
  return "";
}

std::string pattern_for(const Node& node) {
  std::string pattern = "^";
  for (const char c : name_for_patterns(node)) {
    if (std::string_view("\\^$.|?*+()[]{}").find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern + "$";
}

NodeFilter NodeFilter::without(std::set<std::string> labels) const {
  NodeFilter copy = *this;
  copy.left_out_.merge(std::move(labels));
  return copy;
}

void NodeFilter::add(std::vector<NodePattern>& list, const std::vector<std::string>& patterns) {
  for (const std::string& text : patterns) {
    if (!text.empty() && text.front() == '@') {
      add(list, lines_of(text.substr(1)));
    } else {
      list.emplace_back(text);
    }
  }
}

NodeFilter::NodeFilter(const std::vector<std::string>& include, const std::vector<std::string>& exclude) {
  add(include_, include);
  add(exclude_, exclude);
}

struct NodePattern::Expression {
  explicit Expression(const std::string& text) : regex(text, std::regex::ECMAScript) {}
  std::regex regex;
};

NodePattern::NodePattern(const std::string& text) : text_(text) {
  if (text.empty()) throw Error::usage("pattern '': is empty, expected a regular expression or op:TYPE");
  if (text.starts_with("op:")) {
    op_ = text.substr(3);
    return;
  }
  try {
    expression_ = std::make_shared<Expression>(text);
  } catch (const std::regex_error& e) {
    throw Error::usage("pattern '{}': is not a regular expression ({})", text, e.what());
  }
}

bool NodePattern::matches(const Node& node) const {
  if (!op_.empty()) return node.op() == op_ || node.domain() + "." + node.op() == op_;
  const std::string name = name_for_patterns(node).substr(0, kLongestName);
  return std::regex_search(name, expression_->regex);
}

bool NodeFilter::matches(const Node& node) const {
  if (!left_out_.empty() && left_out_.contains(node.label())) return false;
  const auto hit = [&](const NodePattern& pattern) { return pattern.matches(node); };
  if (!include_.empty() && std::none_of(include_.begin(), include_.end(), hit)) return false;
  return std::none_of(exclude_.begin(), exclude_.end(), hit);
}

void NodePattern::check_all(const std::vector<const NodePattern*>& patterns, const Model& model) {
  std::vector<const NodePattern*> open = patterns;
  std::vector<std::string> words;
  model.each_graph([&](const Graph& graph) {
    for (const Node& node : graph.nodes()) {
      std::erase_if(open, [&](const NodePattern* pattern) { return pattern->matches(node); });
      words.push_back(node.op());
      if (!open.empty()) words.push_back(name_for_patterns(node));
    }
  });
  if (open.empty()) return;
  const NodePattern& pattern = *open.front();
  const std::string suggestion =
      pattern.op_.empty() ? did_you_mean(pattern.text_, words) : did_you_mean(pattern.op_, words, "op:");
  throw Error::usage("pattern '{}': matches no node of the model{}", pattern.text_, suggestion);
}

void NodeFilter::check_against(const Model& model) const {
  std::vector<const NodePattern*> patterns;
  for (const NodePattern& pattern : include_) patterns.push_back(&pattern);
  for (const NodePattern& pattern : exclude_) patterns.push_back(&pattern);
  NodePattern::check_all(patterns, model);
}

}  // namespace compressor
