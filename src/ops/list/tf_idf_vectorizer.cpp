// TfIdfVectorizer: how often the n-grams of a pool occur in each row, with words between skipped.
#include <algorithm>
#include <map>

#include "ops/movement.h"

namespace compressor::ops {
namespace {

/// One count per n-gram.
void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  if (!x.ranked || x.rank() == 0) return ctx.set_unranked(0, DType::kFloat);
  const Ints at = ctx.node().ints_or("ngram_indexes", {});
  SymDims dims(x.dims.begin(), x.dims.end() - 1);
  dims.push_back(at.empty() ? SymDim() : SymDim(*std::max_element(at.begin(), at.end()) + 1));
  ctx.set(0, DType::kFloat, std::move(dims));
}

/// The pool: n-grams one after another, those of length n from counts[n - 1] on.
template <class Word>
std::map<std::vector<Word>, std::size_t> read_pool(const ComputeContext& ctx,
                                                   const std::vector<Word>& words) {
  const Ints starts = ctx.node().ints_or("ngram_counts", {});
  std::map<std::vector<Word>, std::size_t> pool;
  std::size_t number = 0;
  for (std::size_t k = 0; k < starts.size(); ++k) {
    const std::size_t n = k + 1;
    const std::int64_t end = n < starts.size() ? starts[n] : static_cast<std::int64_t>(words.size());
    if (starts[k] < 0 || end < starts[k] || end > static_cast<std::int64_t>(words.size()) ||
        (end - starts[k]) % static_cast<std::int64_t>(n) != 0) {
      ctx.fail("ngram_counts gives {} to {} of {} words to {}-grams", starts[k], end, words.size(), n);
    }
    for (std::int64_t at = starts[k]; at < end; at += static_cast<std::int64_t>(n)) {
      pool[{words.begin() + at, words.begin() + at + static_cast<std::ptrdiff_t>(n)}] = number++;
    }
  }
  return pool;
}

template <class Word>
void count(ComputeContext& ctx, const std::vector<Word>& input, const std::vector<Word>& words) {
  const Node& node = ctx.node();
  const auto pool = read_pool(ctx, words);
  const Ints columns = node.ints_or("ngram_indexes", {});
  if (columns.size() != pool.size() || columns.empty()) {
    ctx.fail("{} n-grams have {} columns", pool.size(), columns.size());
  }
  if (*std::min_element(columns.begin(), columns.end()) < 0) ctx.fail("a column is negative");
  const std::int64_t width = *std::max_element(columns.begin(), columns.end()) + 1;
  const std::int64_t shortest = node.int_or("min_gram_length", 1);
  const std::int64_t longest = node.int_or("max_gram_length", 1);
  const std::int64_t skips = node.int_or("max_skip_count", 0);
  if (shortest < 1 || longest < shortest || skips < 0) {
    ctx.fail("lengths {} to {}, skips up to {}", shortest, longest, skips);
  }
  const std::string mode = node.string_or("mode", "");
  const std::vector<float> weights = node.floats_or("weights", {});
  if (mode != "TF" && mode != "IDF" && mode != "TFIDF")
    ctx.fail("mode is '{}', expected TF, IDF or TFIDF", mode);
  if (!weights.empty() && weights.size() != pool.size()) {
    ctx.fail("{} weights for {} n-grams", weights.size(), pool.size());
  }
  Dims shape = ctx.in(0).shape;
  if (shape.empty()) ctx.fail("input is a scalar");
  const std::int64_t length = shape.back();
  const std::int64_t rows = length == 0 ? 0 : static_cast<std::int64_t>(input.size()) / length;
  shape.back() = width;
  std::vector<float> y(num_elements(shape), 0.0F);
  for (std::int64_t row = 0; row < rows; ++row) {
    std::vector<std::int64_t> seen(pool.size(), 0);
    for (std::int64_t n = shortest; n <= longest; ++n) {
      // A single word has nothing to skip.
      for (std::int64_t step = 1; step <= (n == 1 ? 1 : skips + 1); ++step) {
        for (std::int64_t at = 0; at + (n - 1) * step < length; ++at) {
          std::vector<Word> gram;
          for (std::int64_t i = 0; i < n; ++i) {
            gram.push_back(input[static_cast<std::size_t>(row * length + at + i * step)]);
          }
          const auto it = pool.find(gram);
          if (it != pool.end()) ++seen[it->second];
        }
      }
    }
    for (std::size_t k = 0; k < seen.size(); ++k) {
      const float weight = mode == "TF" || weights.empty() ? 1.0F : weights[k];
      const float times = mode == "IDF" ? static_cast<float>(seen[k] > 0) : static_cast<float>(seen[k]);
      y[static_cast<std::size_t>(row * width + columns[k])] = times * weight;
    }
  }
  ctx.set(0, Tensor::of(shape, std::span<const float>(y)));
}

void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  if (x.dtype != DType::kString) return count(ctx, to_ints(x), ctx.node().ints_or("pool_int64s", {}));
  const Attribute* pool = ctx.node().attribute("pool_strings");
  if (!pool || !pool->get<Attribute::Strings>()) ctx.fail("attribute 'pool_strings' is missing");
  if (!x.strings || x.strings->size() != x.size()) ctx.fail("input has no strings");
  count(ctx, *x.strings, *pool->get<Attribute::Strings>());
}

}  // namespace

void register_tf_idf_vectorizer(OpTable& table) {
  table.add({.type = "TfIdfVectorizer", .since = 9, .infer = infer, .compute = compute});
}

}  // namespace compressor::ops
