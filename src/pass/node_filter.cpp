// node_filter: regular expressions, op:TYPE and @file over the nodes of a model.
#include "compressor/pass/node_filter.h"

#include <algorithm>
#include <fstream>

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

void NodeFilter::add(std::vector<Pattern>& list, const std::vector<std::string>& patterns) {
  for (const std::string& text : patterns) {
    if (text.empty()) throw Error::usage("pattern '': is empty, expected a regular expression or op:TYPE");
    if (text.front() == '@') {
      add(list, lines_of(text.substr(1)));
      continue;
    }
    Pattern pattern{.text = text, .op = {}, .expression = {}};
    if (text.starts_with("op:")) {
      pattern.op = text.substr(3);
    } else {
      try {
        pattern.expression.assign(text, std::regex::ECMAScript);
      } catch (const std::regex_error& e) {
        throw Error::usage("pattern '{}': is not a regular expression ({})", text, e.what());
      }
    }
    list.push_back(std::move(pattern));
  }
}

NodeFilter::NodeFilter(const std::vector<std::string>& include, const std::vector<std::string>& exclude) {
  add(include_, include);
  add(exclude_, exclude);
}

bool NodeFilter::Pattern::matches(const Node& node) const {
  if (!op.empty()) return node.op() == op || node.domain() + "." + node.op() == op;
  const std::string name = name_for_patterns(node).substr(0, kLongestName);
  return std::regex_search(name, expression);
}

bool NodeFilter::matches(const Node& node) const {
  if (!left_out_.empty() && left_out_.contains(node.label())) return false;
  const auto hit = [&](const Pattern& pattern) { return pattern.matches(node); };
  if (!include_.empty() && std::none_of(include_.begin(), include_.end(), hit)) return false;
  return std::none_of(exclude_.begin(), exclude_.end(), hit);
}

void NodeFilter::check_against(const Model& model) const {
  std::vector<const Pattern*> open;
  for (const Pattern& pattern : include_) open.push_back(&pattern);
  for (const Pattern& pattern : exclude_) open.push_back(&pattern);
  std::vector<std::string> words;
  model.each_graph([&](const Graph& graph) {
    for (const Node& node : graph.nodes()) {
      std::erase_if(open, [&](const Pattern* pattern) { return pattern->matches(node); });
      words.push_back(node.op());
      if (!open.empty()) words.push_back(name_for_patterns(node));
    }
  });
  if (open.empty()) return;
  const Pattern& pattern = *open.front();
  const std::string suggestion =
      pattern.op.empty() ? did_you_mean(pattern.text, words) : did_you_mean(pattern.op, words, "op:");
  throw Error::usage("pattern '{}': matches no node of the model{}", pattern.text, suggestion);
}

}  // namespace compressor
