// edit_distance: how many insertions, deletions and changes lie between two sequences.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

namespace compressor::metrics {

/// Levenshtein 1966; one row of memory.
template <class T>
std::int64_t edit_distance(const std::vector<T>& a, const std::vector<T>& b) {
  std::vector<std::int64_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::int64_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::int64_t diagonal = row[0];
    row[0] = static_cast<std::int64_t>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::int64_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

/// The characters of a UTF-8 text, one string each; a byte that belongs to none is one by itself.
std::vector<std::string> characters_of(std::string_view text);
/// What stands between white space.
std::vector<std::string> words_of(std::string_view text);

}  // namespace compressor::metrics
