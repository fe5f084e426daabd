// xml: a small strict parser; recursion is bounded by the permitted depth.
#include "data/xml.h"

#include <algorithm>
#include <cctype>

#include "compressor/base/error.h"

namespace compressor::data {
namespace {

class Parser {
 public:
  Parser(std::string_view text, const std::string& name) : all_(text), rest_(text), name_(name) {}

  XmlElement document() {
    if (rest_.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);
    skip_between();
    if (!rest_.starts_with('<')) fail("expected an element");
    XmlElement root = element(0);
    skip_between();
    if (!rest_.empty()) fail("something follows the outermost element");
    return root;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    const auto done = all_.substr(0, all_.size() - rest_.size());
    throw Error::io("{}:{}: malformed XML: {}", name_, 1 + std::count(done.begin(), done.end(), '\n'), what);
  }
  void skip_space() {
    while (!rest_.empty() && std::isspace(static_cast<unsigned char>(rest_[0])) != 0) rest_.remove_prefix(1);
  }
  void skip_past(std::string_view mark) {
    const std::size_t at = rest_.find(mark);
    if (at == std::string_view::npos) fail("expected '" + std::string(mark) + "'");
    rest_.remove_prefix(at + mark.size());
  }
  // Comments and instructions; true when there was one.
  bool skip_aside() {
    if (rest_.starts_with("<!--")) return skip_past("-->"), true;
    if (rest_.starts_with("<?")) return skip_past("?>"), true;
    if (rest_.starts_with("<!DOCTYPE")) fail("document types are not read");
    return false;
  }
  void skip_between() {
    do skip_space();
    while (skip_aside());
  }
  std::string name_token() {
    std::size_t n = 0;
    while (n < rest_.size() && (std::isalnum(static_cast<unsigned char>(rest_[n])) != 0 ||
                                std::string_view("_:-.").find(rest_[n]) != std::string_view::npos))
      ++n;
    if (n == 0) fail("expected a name");
    std::string token(rest_.substr(0, n));
    rest_.remove_prefix(n);
    return token;
  }
  // Attributes up to the end of the tag; true when it closes itself.
  bool finish_tag() {
    for (;;) {
      skip_space();
      if (rest_.starts_with("/>")) return rest_.remove_prefix(2), true;
      if (rest_.starts_with(">")) return rest_.remove_prefix(1), false;
      name_token();
      skip_space();
      if (!rest_.starts_with('=')) fail("an attribute has no value");
      rest_.remove_prefix(1);
      skip_space();
      if (rest_.empty() || (rest_[0] != '"' && rest_[0] != '\'')) fail("an attribute's value is not quoted");
      const char quote = rest_[0];
      rest_.remove_prefix(1);
      skip_past(std::string_view(&quote, 1));
    }
  }
  void entity(std::string& out) {
    const std::size_t end = rest_.substr(0, 12).find(';');
    if (end == std::string_view::npos) fail("'&' without ';'");
    const std::string_view word = rest_.substr(1, end - 1);
    static constexpr std::pair<std::string_view, char> kKnown[] = {
        {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
    for (const auto& [name, c] : kKnown) {
      if (name != word) continue;
      out += c;
      rest_.remove_prefix(end + 1);
      return;
    }
    if (!word.starts_with('#')) fail("unknown entity '" + std::string(word) + "'");
    out += '?';  // no name or number that is read here holds such a character
    rest_.remove_prefix(end + 1);
  }
  XmlElement element(int depth) {
    constexpr int kDeepest = 64;
    if (depth >= kDeepest) fail("more than 64 levels");
    rest_.remove_prefix(1);
    XmlElement e;
    e.name = name_token();
    if (finish_tag()) return e;
    for (;;) {
      if (rest_.empty()) fail("'" + e.name + "' is not closed");
      if (rest_[0] == '&') {
        entity(e.text);
      } else if (rest_[0] != '<') {
        const std::size_t n = std::min(rest_.find_first_of("<&"), rest_.size());
        e.text += rest_.substr(0, n);
        rest_.remove_prefix(n);
      } else if (rest_.starts_with("<![CDATA[")) {
        rest_.remove_prefix(9);
        const std::size_t end = std::min(rest_.find("]]>"), rest_.size());
        e.text += rest_.substr(0, end);
        skip_past("]]>");
      } else if (rest_.starts_with("</")) {
        rest_.remove_prefix(2);
        const std::string closed = name_token();
        if (closed != e.name) fail("'" + e.name + "' is closed as '" + closed + "'");
        skip_space();
        skip_past(">");
        trim(e.text);
        return e;
      } else if (!skip_aside()) {
        e.children.push_back(element(depth + 1));
      }
    }
  }
  static void trim(std::string& text) {
    const char* space = " \t\r\n";
    text.erase(text.find_last_not_of(space) + 1);
    text.erase(0, std::min(text.find_first_not_of(space), text.size()));
  }

  std::string_view all_, rest_;
  const std::string& name_;
};

}  // namespace

const XmlElement* XmlElement::child(std::string_view child_name) const {
  for (const XmlElement& c : children) {
    if (c.name == child_name) return &c;
  }
  return nullptr;
}

XmlElement parse_xml(std::string_view text, const std::string& name) {
  return Parser(text, name).document();
}

}  // namespace compressor::data
