// option_test: values are read exactly or refused with what was expected; misspellings find their word.
#include "compressor/base/option.h"

#include <gmock/gmock.h>

#include "compressor/base/progress.h"
#include "compressor/base/suggest.h"

namespace compressor {
namespace {

struct Sample : Options {
  Option<bool> flag{*this, "flag", false, "a flag"};
  Option<std::int64_t> count{*this, "count", 3, "a count", Range{.low = 1, .high = 9}};
  Option<double> share{*this, "share", 0.5, "a share", Range{.low = 0, .high = 1, .open_low = true}};
  Option<std::optional<double>> drop{*this, "drop", std::nullopt, "a drop", Range::at_least(0)};
  Option<std::string> word{*this, "word", "red", "a word", Choices{{"red", "green"}}};
  Option<std::vector<std::string>> list{*this, "list", {"default"}, "a list"};
};

std::string refusal(OptionBase& option, const std::string& value) {
  try {
    option.parse(value);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kUsage);
    return e.what();
  }
  return "accepted";
}

TEST(Option, ReadsWhatIsInRange) {
  Sample s;
  s.count.parse("9");
  s.share.parse("1e-3");
  s.drop.parse("0");
  s.word.parse("green");
  s.flag.parse("true");
  EXPECT_EQ(*s.count, 9);
  EXPECT_DOUBLE_EQ(*s.share, 1e-3);
  EXPECT_EQ(*s.drop, std::optional(0.0));
  EXPECT_EQ(*s.word, "green");
  EXPECT_TRUE(*s.flag);
  EXPECT_TRUE(s.flag.is_set());
  EXPECT_FALSE(s.list.is_set());
  EXPECT_EQ(s.share.text(), "0.001");
}

TEST(Option, RefusesTheRestAndKeepsItsValue) {
  Sample s;
  EXPECT_EQ(refusal(s.count, "10"), "--count: found '10', expected an integer in [1, 9]");
  EXPECT_EQ(refusal(s.count, "2.5"), "--count: found '2.5', expected an integer in [1, 9]");
  EXPECT_EQ(refusal(s.count, "99999999999999999999"),
            "--count: found '99999999999999999999', expected an integer in [1, 9]");
  EXPECT_EQ(refusal(s.share, "0"), "--share: found '0', expected a number in (0, 1]");
  for (const char* bad : {"", " 1", "1 ", "nan", "inf", "0x1", "--1", "+-1", "1,0"}) {
    EXPECT_THAT(refusal(s.share, bad), ::testing::StartsWith("--share: found '")) << bad;
  }
  EXPECT_EQ(refusal(s.drop, "-0.1"), "--drop: found '-0.1', expected a number at least 0");
  EXPECT_EQ(refusal(s.word, "gren"), "--word: found 'gren', expected red|green; did you mean 'green'?");
  EXPECT_EQ(*s.count, 3);
  EXPECT_FALSE(s.share.is_set());
}

TEST(Option, AListReplacesItsDefaultAndThenGrows) {
  Sample s;
  s.list.parse("a");
  s.list.parse("b");
  EXPECT_EQ(*s.list, (std::vector<std::string>{"a", "b"}));
}

TEST(Option, NamesAreUnique) {
  Sample s;
  check_names(s.options());
  const Option<bool> again(s, "count", false, "the same name");
  EXPECT_THROW(check_names(s.options()), Error);
}

TEST(Nearest, FindsMisspellingsAndNothingElse) {
  const std::vector<std::string> words{"prune", "profile", "info", "report", "input-shape"};
  EXPECT_EQ(nearest("prun", words), "prune");
  EXPECT_EQ(nearest("pruen", words), "prune");
  EXPECT_EQ(nearest("inof", words), "info");
  EXPECT_EQ(nearest("input", words), "input-shape");
  EXPECT_EQ(nearest("xyzzy", words), "");
  EXPECT_EQ(nearest("", words), "");
  EXPECT_EQ(nearest(std::string(100000, 'p'), words), "");
}

TEST(Progress, ShortWorkAndSilenceDrawNothing) {
  std::string text;
  {
    Progress line(Progress::Style::kLine, [&](const std::string& s) { text += s; });
    Progress none(Progress::Style::kNone, [&](const std::string& s) { text += s; });
    for (int i = 0; i < 100; ++i) {
      line.update("work", i / 100.0);
      none.update("work", i / 100.0);
    }
  }
  EXPECT_EQ(text, "");
}

}  // namespace
}  // namespace compressor
