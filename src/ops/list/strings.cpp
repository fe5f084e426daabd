// strings: StringNormalizer, StringConcat, StringSplit, RegexFullMatch.
#include <algorithm>
#include <cctype>
#include <regex>

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

using Strings = std::vector<std::string>;

const Strings& strings_at(const ComputeContext& ctx, std::size_t i) {
  const Tensor& x = ctx.in(i);
  if (x.dtype != DType::kString) ctx.fail("input {} is {}, expected strings", i, name(x.dtype));
  if (!x.strings || x.strings->size() != x.size()) ctx.fail("input {} has no strings", i);
  return *x.strings;
}

Tensor tensor_of(Dims shape, Strings strings) {
  Tensor t;
  t.dtype = DType::kString;
  t.shape = std::move(shape);
  t.strings = std::make_shared<const Strings>(std::move(strings));
  return t;
}

int lower(int c) {
  return std::tolower(c);
}

int upper(int c) {
  return std::toupper(c);
}

/// Letters beyond ASCII would need the tables of a locale.
std::string with_case(const ComputeContext& ctx, std::string text, int (*change)(int)) {
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 127) ctx.fail("'{}' is not ASCII, and its letters are to change", text);
    c = static_cast<char>(change(byte));
  }
  return text;
}

void compute_normalizer(ComputeContext& ctx) {
  const Strings& words = strings_at(ctx, 0);
  const Dims& shape = ctx.in(0).shape;
  if (shape.size() != 1 && (shape.size() != 2 || shape[0] != 1)) {
    ctx.fail("input is {}, expected [C] or [1, C]", to_string(shape));
  }
  const std::string action = ctx.node().string_or("case_change_action", "NONE");
  if (action != "NONE" && action != "LOWER" && action != "UPPER") {
    ctx.fail("case_change_action is '{}', expected NONE, LOWER or UPPER", action);
  }
  const bool sensitive = ctx.node().int_or("is_case_sensitive", 0) != 0;
  Strings stop;
  const Attribute* given = ctx.node().attribute("stopwords");
  if (given && given->get<Attribute::Strings>()) stop = *given->get<Attribute::Strings>();
  const auto comparable = [&](const std::string& s) { return sensitive ? s : with_case(ctx, s, lower); };
  if (!stop.empty()) std::transform(stop.begin(), stop.end(), stop.begin(), comparable);
  Strings out;
  for (const std::string& word : words) {
    if (!stop.empty() && std::find(stop.begin(), stop.end(), comparable(word)) != stop.end()) continue;
    out.push_back(action == "NONE" ? word : with_case(ctx, word, action == "LOWER" ? lower : upper));
  }
  if (out.empty()) out.emplace_back();
  Dims kept = shape;
  kept.back() = static_cast<std::int64_t>(out.size());
  ctx.set(0, tensor_of(std::move(kept), std::move(out)));
}

void compute_concat(ComputeContext& ctx) {
  const Strings& a = strings_at(ctx, 0);
  const Strings& b = strings_at(ctx, 1);
  const Dims shape = broadcast_shape(ctx.in(0).shape, ctx.in(1).shape);
  Strings out(num_elements(shape));
  walk<2>(shape, {broadcast_strides(ctx.in(0).shape, shape), broadcast_strides(ctx.in(1).shape, shape)},
          {0, 0}, [&](const Run<2>& run) {
            for (std::int64_t i = 0; i < run.count; ++i) {
              out[static_cast<std::size_t>(run.out + i)] =
                  a[static_cast<std::size_t>(run.at[0] + i * run.step[0])] +
                  b[static_cast<std::size_t>(run.at[1] + i * run.step[1])];
            }
          });
  ctx.set(0, tensor_of(shape, std::move(out)));
}

/// Between blanks, of which there may be many; the last of `most` splits leaves the rest as it is.
Strings split_at_blanks(const std::string& text, std::int64_t most) {
  constexpr const char* kBlanks = " \t\n\r\f\v";
  Strings parts;
  std::size_t at = text.find_first_not_of(kBlanks);
  while (at != std::string::npos) {
    const bool rest = static_cast<std::int64_t>(parts.size()) == most;
    const std::size_t end = rest ? std::string::npos : text.find_first_of(kBlanks, at);
    parts.push_back(text.substr(at, end == std::string::npos ? end : end - at));
    at = end == std::string::npos ? end : text.find_first_not_of(kBlanks, end);
  }
  return parts;
}

Strings split_at(const std::string& text, const std::string& delimiter, std::int64_t most) {
  Strings parts;
  std::size_t at = 0;
  while (static_cast<std::int64_t>(parts.size()) < most) {
    const std::size_t end = text.find(delimiter, at);
    if (end == std::string::npos) break;
    parts.push_back(text.substr(at, end - at));
    at = end + delimiter.size();
  }
  parts.push_back(text.substr(at));
  return parts;
}

void compute_split(ComputeContext& ctx) {
  const std::string delimiter = ctx.node().string_or("delimiter", "");
  const std::int64_t most = ctx.node().int_or("maxsplit", INT64_MAX);
  std::vector<Strings> rows;
  std::vector<std::int64_t> counts;
  std::size_t widest = 0;
  for (const std::string& text : strings_at(ctx, 0)) {
    rows.push_back(delimiter.empty() ? split_at_blanks(text, most) : split_at(text, delimiter, most));
    counts.push_back(static_cast<std::int64_t>(rows.back().size()));
    widest = std::max(widest, rows.back().size());
  }
  Strings out;
  for (Strings& row : rows) {
    row.resize(widest);
    std::move(row.begin(), row.end(), std::back_inserter(out));
  }
  Dims shape = ctx.in(0).shape;
  ctx.set(1, Tensor::of(shape, std::span<const std::int64_t>(counts)));
  shape.push_back(static_cast<std::int64_t>(widest));
  ctx.set(0, tensor_of(std::move(shape), std::move(out)));
}

void compute_match(ComputeContext& ctx) {
  const std::string pattern = ctx.node().string_or("pattern", "");
  std::vector<double> out;
  try {
    const std::regex regex(pattern);
    for (const std::string& text : strings_at(ctx, 0)) {
      if (text.size() > 10000) ctx.fail("a string of {} bytes is too long to be matched", text.size());
      out.push_back(std::regex_match(text, regex) ? 1 : 0);
    }
  } catch (const std::regex_error& error) {
    ctx.fail("pattern '{}' cannot be matched: {}", pattern, error.what());
  }
  ctx.set(0, Tensor::of(DType::kBool, ctx.in(0).shape, out));
}

}  // namespace

void register_strings(OpTable& table) {
  table.add(
      {.type = "StringNormalizer", .since = 10, .infer = infer_normalizer, .compute = compute_normalizer});
  table.add({.type = "StringConcat",
             .since = 20,
             .infer = [](InferContext& ctx) { infer_broadcast(ctx); },
             .compute = compute_concat});
  table.add({.type = "StringSplit", .since = 20, .infer = infer_split, .compute = compute_split});
  table.add({.type = "RegexFullMatch",
             .since = 20,
             .infer = [](InferContext& ctx) { infer_same(ctx, DType::kBool); },
             .compute = compute_match});
}

}  // namespace compressor::ops
