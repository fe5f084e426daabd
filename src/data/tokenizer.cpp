// tokenizer: neighbours joined in the order of their score, by a queue of candidates over a linked list.
#include "data/tokenizer.h"

#include <cmath>
#include <cstring>
#include <queue>

#include "compressor/base/error.h"
#include "compressor/base/memory_map.h"

namespace compressor::data {
namespace {

struct Candidate {
  float score = 0;
  std::int32_t left = 0, right = 0;              ///< places in the list
  std::int32_t left_token = 0, right_token = 0;  ///< as they were: a stale candidate differs
  std::int32_t joined = 0;
  bool operator<(const Candidate& other) const {
    return score != other.score ? score < other.score : left > other.left;
  }
};

struct Link {
  std::int32_t token = 0, before = -1, after = -1;
};

std::size_t character_length(std::string_view text) {
  std::size_t n = 1;
  while (n < text.size() && n < 4 && (static_cast<unsigned char>(text[n]) & 0xC0U) == 0x80) ++n;
  return n;
}

}  // namespace

Tokenizer Tokenizer::read(const std::string& path) {
  const auto file = MappedFile::open(path);
  std::span<const std::byte> rest = file->bytes();
  const auto take = [&](void* out, std::size_t size) {
    if (rest.size() < size) throw Error::io("{}: not a tokenizer file: cut short", path);
    std::memcpy(out, rest.data(), size);
    rest = rest.subspan(size);
  };
  std::int32_t longest = 0;
  take(&longest, 4);
  constexpr std::int32_t kLongest = 4096;
  if (longest < 1 || longest > kLongest)
    throw Error::io("{}: not a tokenizer file: longest token of {} bytes, expected 1 to {}", path, longest,
                    kLongest);
  Tokenizer tokenizer;
  while (!rest.empty()) {
    float score = 0;
    std::int32_t length = 0;
    take(&score, 4);
    take(&length, 4);
    if (length < 0 || length > kLongest || std::isnan(score))
      throw Error::io("{}: not a tokenizer file: token {} has {} bytes and score {}", path, tokenizer.size(),
                      length, score);
    std::string piece(static_cast<std::size_t>(length), '\0');
    take(piece.data(), piece.size());
    tokenizer.index_.emplace(piece, static_cast<std::int32_t>(tokenizer.size()));
    tokenizer.pieces_.push_back(std::move(piece));
    tokenizer.scores_.push_back(score);
  }
  constexpr std::size_t kLeast = 3 + 256;
  if (tokenizer.size() < kLeast)
    throw Error::io("{}: not a tokenizer file: {} tokens, expected at least {}", path, tokenizer.size(),
                    kLeast);
  return tokenizer;
}

std::int32_t Tokenizer::find(const std::string& piece) const {
  const auto found = index_.find(piece);
  return found == index_.end() ? -1 : found->second;
}

void Tokenizer::encode_line(std::string_view line, bool first, std::vector<std::int32_t>& out) const {
  std::vector<Link> list;
  const auto append = [&list](std::int32_t token) {
    const auto at = static_cast<std::int32_t>(list.size());
    if (at > 0) list.back().after = at;
    list.push_back({token, at - 1, -1});
  };
  if (first && find(" ") >= 0) append(find(" "));
  while (!line.empty()) {
    const std::size_t n = character_length(line);
    const std::int32_t token = find(std::string(line.substr(0, n)));
    if (token >= 0) append(token);
    for (std::size_t i = 0; i < n && token < 0; ++i) append(3 + static_cast<unsigned char>(line[i]));
    line.remove_prefix(n);
  }

  std::priority_queue<Candidate> queue;
  const auto consider = [&](std::int32_t left) {
    if (left < 0) return;
    const Link& a = list[static_cast<std::size_t>(left)];
    if (a.after < 0) return;
    const std::int32_t next = list[static_cast<std::size_t>(a.after)].token;
    const std::int32_t joined = find(piece(a.token) + piece(next));
    if (joined >= 0)
      queue.push({scores_[static_cast<std::size_t>(joined)], left, a.after, a.token, next, joined});
  };
  for (std::size_t i = 0; i < list.size(); ++i) consider(static_cast<std::int32_t>(i));
  while (!queue.empty()) {
    const Candidate c = queue.top();
    queue.pop();
    Link& left = list[static_cast<std::size_t>(c.left)];
    Link& right = list[static_cast<std::size_t>(c.right)];
    if (left.token != c.left_token || left.after != c.right || right.token != c.right_token) continue;
    left.token = c.joined;
    left.after = right.after;
    right.token = -1;
    if (right.after >= 0) list[static_cast<std::size_t>(right.after)].before = c.left;
    consider(left.before);
    consider(c.left);
  }
  for (const Link& link : list) {
    if (link.token >= 0) out.push_back(link.token);
  }
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text, bool first) const {
  std::vector<std::int32_t> tokens;
  // No token goes on past the end of a line, so that lines can be done one by one.
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::size_t n = end == std::string_view::npos ? text.size() : end + 1;
    encode_line(text.substr(0, n), first, tokens);
    first = false;
    text.remove_prefix(n);
  }
  return tokens;
}

}  // namespace compressor::data
