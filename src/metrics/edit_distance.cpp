// edit_distance: texts as sequences of characters and of words.
#include "metrics/edit_distance.h"

namespace compressor::metrics {
namespace {

/// Bytes of the UTF-8 character that begins with this byte; 1 for one that cannot begin any.
std::size_t length_of(unsigned char first) {
  if (first >= 0xF0 && first < 0xF8) return 4;
  if (first >= 0xE0 && first < 0xF0) return 3;
  return first >= 0xC0 && first < 0xE0 ? 2 : 1;
}

bool continues(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

}  // namespace

std::vector<std::string> characters_of(std::string_view text) {
  std::vector<std::string> characters;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = length_of(static_cast<unsigned char>(text[i]));
    std::size_t end = i + 1;
    while (end < text.size() && end < i + length && continues(text[end])) ++end;
    if (end < i + length) end = i + 1;
    characters.emplace_back(text.substr(i, end - i));
    i = end;
  }
  return characters;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    const bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!space) words.back() += c;
    if (space && !words.back().empty()) words.emplace_back();
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

}  // namespace compressor::metrics
