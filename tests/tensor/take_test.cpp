// take_test: cut tensors against a plain loop.
#include "compressor/tensor/take.h"

#include <gtest/gtest.h>

#include <numeric>

#include "compressor/base/random.h"

namespace compressor {
namespace {

Tensor counting(DType dtype, const Dims& shape) {
  std::vector<double> values(num_elements(shape));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i % 13);
  return Tensor::of(dtype, shape, values);
}

double at(const std::vector<double>& values, const Dims& shape, const Dims& index) {
  std::int64_t flat = 0;
  for (std::size_t i = 0; i < shape.size(); ++i) flat = flat * shape[i] + index[i];
  return values[static_cast<std::size_t>(flat)];
}

void expect_taken(DType dtype, const Dims& shape,
                  const std::map<std::int64_t, std::vector<std::int64_t>>& kept) {
  const Tensor source = counting(dtype, shape);
  const Tensor result = take(source, kept);
  const std::vector<double> in = to_doubles(source);
  const std::vector<double> out = to_doubles(result);
  Dims index(shape.size(), 0);
  for (std::uint64_t i = 0; i < result.size(); ++i) {
    Dims from = index;
    for (const auto& [axis, indices] : kept) {
      from[static_cast<std::size_t>(axis)] =
          indices[static_cast<std::size_t>(index[static_cast<std::size_t>(axis)])];
    }
    ASSERT_EQ(out[i], at(in, shape, from)) << "element " << i;
    for (std::size_t a = shape.size(); a-- > 0;) {
      if (++index[a] < result.shape[a]) break;
      index[a] = 0;
    }
  }
}

TEST(Take, EveryAxisAndType) {
  for (const DType dtype : {DType::kFloat, DType::kFloat16, DType::kInt8, DType::kInt64, DType::kUint4}) {
    expect_taken(dtype, {6, 5, 3, 3}, {{0, {0, 2, 5}}});
    expect_taken(dtype, {6, 5, 3, 3}, {{1, {4}}});
    expect_taken(dtype, {6, 5, 3, 3}, {{0, {1, 3}}, {1, {0, 4}}});
    expect_taken(dtype, {7, 4}, {{1, {0, 3}}});
    expect_taken(dtype, {7}, {{0, {6, 0, 3}}});
  }
}

TEST(Take, AnyRangeOfTheResultCanBeRead) {
  const Tensor source = counting(DType::kFloat, {40, 30, 7});
  std::vector<std::int64_t> odd;
  for (std::int64_t i = 1; i < 40; i += 2) odd.push_back(i);
  const Tensor result = take(source, {{0, odd}, {2, {0, 2, 3}}});
  ASSERT_TRUE(result.bytes.is_derived());
  const BytesView all = result.bytes.view();
  Random random(7);
  for (int i = 0; i < 200; ++i) {
    const std::uint64_t offset = random.below(all.size());
    std::vector<std::byte> part(random.below(all.size() - offset) + 1);
    result.bytes.read(offset, part);
    ASSERT_TRUE(
        std::equal(part.begin(), part.end(), all.bytes().begin() + static_cast<std::ptrdiff_t>(offset)))
        << "seed 7, try " << i;
  }
}

TEST(Take, NothingLeft) {
  const Tensor result = take(counting(DType::kFloat, {4, 3}), {{0, {}}});
  EXPECT_EQ(result.shape, (Dims{0, 3}));
  EXPECT_EQ(result.bytes.size(), 0U);
}

}  // namespace
}  // namespace compressor
