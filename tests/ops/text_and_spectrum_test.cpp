// text_and_spectrum_test: strings, spectra and choices that older test data does not cover, against ONNX
// Runtime.
#include <gtest/gtest.h>

#include "compressor/base/error.h"
#include "ops/judged.h"
#include "referee.h"

namespace compressor::ops {
namespace {

Tensor strings(const Dims& dims, std::vector<std::string> values) {
  Tensor t;
  t.dtype = DType::kString;
  t.shape = dims;
  t.strings = std::make_shared<const std::vector<std::string>>(std::move(values));
  return t;
}

Tensor integer(std::int64_t value) {
  return Tensor::scalar(value);
}

TEST(Strings, ConcatBroadcastsReferee) {
  REQUIRE_REFEREE();
  Judged("StringConcat", "", 20).in(strings({2, 1}, {"a", "b"})).in(strings({3}, {"x", "", "z"})).agrees(0);
}

TEST(Strings, SplitReferee) {
  REQUIRE_REFEREE();
  const Tensor text = strings({4}, {"a,b,,c", "one", ",x", "a,b"});
  const auto split = [](const Tensor& x) {
    Judged j("StringSplit", "", 20);
    return j.in(x).outputs({true, true});
  };
  split(text).set("delimiter", std::string(",")).agrees(0);
  split(text).set("delimiter", std::string(",")).set("maxsplit", std::int64_t{1}).agrees(0);
  split(strings({2, 2}, {" a  b ", "", "c d", "f"})).agrees(0);
  split(strings({2}, {"a b c d", "e"})).set("maxsplit", std::int64_t{2}).agrees(0);
}

TEST(Strings, TabsAreBlanksToo) {  // ONNX Runtime knows spaces alone
  Judged j("StringSplit", "", 20);
  j.in(strings({1}, {"c\td  e"})).outputs({true, true});
  EXPECT_EQ(*j.compute()[0]->strings, (std::vector<std::string>{"c", "d", "e"}));
}

TEST(Strings, FullMatchReferee) {
  REQUIRE_REFEREE();
  Judged("RegexFullMatch", "", 20)
      .in(strings({3}, {"www.google.com", "www.facebook.com", "www.bbc.co.uk"}))
      .set("pattern", std::string("www\\.[\\w.-]+\\.com"))
      .agrees(0);
}

TEST(Strings, LettersBeyondAsciiAreRefused) {
  Judged lower("StringNormalizer", "", 10);
  lower.in(strings({1}, {"\xC3\x84pfel"})).set("case_change_action", std::string("LOWER"));
  EXPECT_THROW(lower.compute(), Error);
}

TEST(Spectrum, AnyLengthAndSideReferee) {
  REQUIRE_REFEREE();
  Draw draw(51);
  const auto dft = [](const Tensor& x) {
    Judged j("DFT", "", 20);
    return j.in(x);
  };
  dft(draw.normal({2, 12, 1})).agrees(1e-5, 1e-5);
  dft(draw.normal({2, 11, 2})).agrees(1e-5, 1e-5);
  dft(draw.normal({2, 12, 1})).set("onesided", std::int64_t{1}).agrees(1e-5, 1e-5);
  dft(draw.normal({2, 10, 2})).set("inverse", std::int64_t{1}).agrees(1e-5, 1e-5);
  dft(draw.normal({2, 10, 1})).in(integer(16)).agrees(1e-5, 1e-5);
  dft(draw.normal({2, 10, 1})).in(integer(7)).agrees(1e-5, 1e-5);
  dft(draw.normal({2, 6, 5, 2})).missing().in(integer(1)).agrees(1e-5, 1e-5);
  Judged("STFT", "", 17)
      .in(draw.normal({2, 40, 1}))
      .in(integer(4))
      .in(draw.positive({16}))
      .in(integer(16))
      .agrees(1e-4, 1e-5);
}

TEST(NonMaxSuppression, ManyBoxesReferee) {
  REQUIRE_REFEREE();
  Draw draw(52);
  for (const std::int64_t centre : {0, 1}) {
    for (const float iou : {0.0F, 0.3F, 0.7F}) {
      Judged("NonMaxSuppression", "", 11)
          .in(draw.positive({2, 40, 4}))
          .in(draw.normal({2, 3, 40}))
          .in(integer(10))
          .in(number(iou))
          .in(number(0.1F))
          .set("center_point_box", centre)
          .agrees(0);
    }
  }
}

}  // namespace
}  // namespace compressor::ops
