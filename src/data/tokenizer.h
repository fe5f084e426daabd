// tokenizer: from text to tokens and back, with the vocabulary files of llama2.c.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace compressor::data {

/// Byte-pair encoding by score: of all neighbours whose union is a token the one with the highest score is
/// joined, the leftmost of equals, until none is left. What is no token becomes bytes (token 3 + byte). File:
/// int32 longest token, then for each token float32 score, int32 length, bytes; little-endian.
class Tokenizer {
 public:
  /// Throws Error::io that begins with the path for what is no such file.
  static Tokenizer read(const std::string& path);
  /// With the space that the vocabulary expects before the first word when `first`; without BOS.
  std::vector<std::int32_t> encode(std::string_view text, bool first) const;
  const std::string& piece(std::int32_t token) const { return pieces_[static_cast<std::size_t>(token)]; }
  std::size_t size() const { return pieces_.size(); }
  static constexpr std::int32_t kBos = 1;

 private:
  std::int32_t find(const std::string& piece) const;
  void encode_line(std::string_view line, bool first, std::vector<std::int32_t>& out) const;
  std::vector<std::string> pieces_;
  std::vector<float> scores_;
  std::unordered_map<std::string, std::int32_t> index_;
};

}  // namespace compressor::data
