// suggest: looking a word up in a table of names, and which of them was meant when it is not there.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <string_view>
#include <vector>

#include "compressor/base/error.h"

namespace compressor {

/// The word of `words` nearest to `word` when it is near enough to be a misspelling; "" otherwise.
std::string nearest(std::string_view word, const std::vector<std::string>& words);

/// "; did you mean 'x'?", `before` standing in front of the x; "" where no word is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& words,
                         std::string_view before = "");

/// The entry of `table` that is called `word`, `name_of` telling what an entry is called. Throws Error::usage
/// "<what> 'word'<behind>; did you mean 'x'?", where "{}" in `behind` becomes all names.
template <class Table, class NameOf>
const auto& entry_named(const Table& table, std::string_view word, std::string_view what,
                        std::string_view behind, const NameOf& name_of) {
  std::vector<std::string> names;
  for (const auto& entry : table) {
    if (name_of(entry) == word) return entry;
    names.emplace_back(name_of(entry));
  }
  throw Error::usage("{} '{}'{}{}", what, word, fmt::format(fmt::runtime(behind), fmt::join(names, ", ")),
                     did_you_mean(word, names));
}

/// The same for entries with a member `name`.
template <class Table>
const auto& entry_named(const Table& table, std::string_view word, std::string_view what,
                        std::string_view behind = ", expected one of {}") {
  return entry_named(table, word, what, behind,
                     [](const auto& entry) -> const std::string& { return entry.name; });
}

}  // namespace compressor
