// strings: StringNormalizer, StringConcat, StringSplit, RegexFullMatch, TfIdfVectorizer: types and shapes
// only.
#include <algorithm>

#include "ops/movement.h"

namespace compressor::ops {
namespace {

void infer_normalizer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  if (!x.ranked) return ctx.set_unranked(0, DType::kString);
  if (ctx.node().attribute("stopwords") == nullptr) return ctx.set(0, DType::kString, x.dims);
  // Stop words leave, so the last axis is not known; something always stays.
  SymDims dims = x.dims;
  if (!dims.empty()) dims.back() = SymDim();
  ctx.set(0, DType::kString, std::move(dims));
}

void infer_split(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  if (!x.ranked) {
    ctx.set_unranked(0, DType::kString);
    return ctx.set_unranked(1, DType::kInt64);
  }
  SymDims dims = x.dims;
  dims.emplace_back();
  ctx.set(0, DType::kString, std::move(dims));
  ctx.set(1, DType::kInt64, x.dims);
}

/// One count per n-gram.
void infer_tf_idf(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  if (!x.ranked || x.rank() == 0) return ctx.set_unranked(0, DType::kFloat);
  const Ints at = ctx.node().ints_or("ngram_indexes", {});
  SymDims dims(x.dims.begin(), x.dims.end() - 1);
  dims.push_back(at.empty() ? SymDim() : SymDim(*std::max_element(at.begin(), at.end()) + 1));
  ctx.set(0, DType::kFloat, std::move(dims));
}

}  // namespace

void register_strings(OpTable& table) {
  table.add({.type = "StringNormalizer", .since = 10, .infer = infer_normalizer});
  table.add({.type = "StringConcat", .since = 20, .infer = [](InferContext& ctx) { infer_broadcast(ctx); }});
  table.add({.type = "StringSplit", .since = 20, .infer = infer_split});
  table.add({.type = "RegexFullMatch", .since = 20, .infer = [](InferContext& ctx) {
               infer_same(ctx, DType::kBool);
             }});
  table.add({.type = "TfIdfVectorizer", .since = 9, .infer = infer_tf_idf});
}

}  // namespace compressor::ops
