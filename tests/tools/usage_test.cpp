// usage: what the program answers to words that it cannot use (exit 2), and its help.
#include <gmock/gmock.h>

#include "program.h"

namespace compressor::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class Usage : public ProgramTest {
 protected:
  // Exit 2, nothing on standard output, one error that names what was found; and no new file.
  void refuses(const Words& words, const std::string& message) const {
    const Words before = files();
    const Outcome o = run(words);
    EXPECT_EQ(o.code, 2) << o.err;
    EXPECT_THAT(o.out, IsEmpty());
    EXPECT_THAT(o.err, StartsWith("error: "));
    EXPECT_THAT(o.err, HasSubstr(message));
    EXPECT_EQ(files(), before);
  }
};

TEST_F(Usage, HelpIsAnAnswerAndNotAnError) {
  const Outcome all = run({"--help"});
  EXPECT_EQ(all.code, 0);
  EXPECT_THAT(all.err, IsEmpty());
  EXPECT_EQ(run({"-h"}).out, all.out);
  EXPECT_EQ(run({"help"}).out, all.out);
  for (const std::string command :
       {"info", "profile", "list", "convert", "prune", "simplify", "report", "completion"}) {
    EXPECT_THAT(all.out, HasSubstr("\n  " + command + " ")) << command;
    const Outcome one = run({command, "--help"});
    EXPECT_EQ(one.code, 0) << command;
    EXPECT_THAT(one.out, HasSubstr("Usage: compressor " + command)) << command;
    EXPECT_EQ(run({"help", command}).out, one.out) << command;
  }
}

TEST_F(Usage, VersionIsOneLine) {
  const Outcome o = run({"--version"});
  EXPECT_EQ(o.code, 0);
  EXPECT_THAT(o.out, ::testing::MatchesRegex("compressor [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST_F(Usage, MisspeltCommandsGetASuggestion) {
  refuses({}, "expected a command");
  refuses({"prun"}, "unknown command 'prun'; did you mean 'prune'?");
  refuses({"inof", "x.onnx"}, "did you mean 'info'?");
  const Outcome o = run({"xyzzy"});
  EXPECT_EQ(o.code, 2);
  EXPECT_THAT(o.err, Not(HasSubstr("did you mean")));
  refuses({"--json", "info"}, "expected a command before it");
}

TEST_F(Usage, MisspeltFlagsGetASuggestion) {
  bring("lenet5_fashion.onnx");
  refuses({"prune", "--rato", "0.5", "lenet5_fashion.onnx"},
          "prune: unknown flag '--rato'; did you mean '--ratio'?");
  refuses({"prune", "--rato=0.5", "lenet5_fashion.onnx"},
          "prune: unknown flag '--rato'; did you mean '--ratio'?");
  refuses({"prune", "lenet5_fashion.onnx", "--ratio", "0.5", "-z"}, "unknown flag '-z'");
  refuses({"info", "lenet5_fashion.onnx", "--jsn"}, "did you mean '--json'?");
  refuses({"info", "lenet5_fashion.onnx", "another.onnx"},
          "found 'another.onnx', which is one argument too many");
  refuses({"info"}, "expected <model>");
}

TEST_F(Usage, ValuesOutOfRange) {
  bring("lenet5_fashion.onnx");
  const std::string m = "lenet5_fashion.onnx";
  refuses({"prune", "--ratio", "1.5", m}, "--ratio: found '1.5', expected a number in (0, 1)");
  refuses({"prune", "--ratio", "0", m}, "--ratio: found '0', expected a number in (0, 1)");
  refuses({"prune", "--ratio", "nan", m}, "--ratio: found 'nan'");
  refuses({"prune", "--ratio", "half", m}, "--ratio: found 'half', expected a number in (0, 1)");
  refuses({"prune", "--ratio", "0.5x", m}, "--ratio: found '0.5x'");
  refuses({"prune", "--ratio", "", m}, "--ratio: found ''");
  refuses({"prune", "--ratio", "0.5", "--ratio", "0.6", m}, "--ratio: is given 2 times, expected once");
  refuses({"prune", "--ratio", "0.5", "--seed", "-1", m},
          "--seed: found '-1', expected an integer at least 0");
  refuses({"prune", "--ratio", "0.5", "-j", "many", m}, "--threads: found 'many', expected an integer");
  refuses({"prune", "--ratio", "0.5", "--criterion", "l3", m}, "--criterion: found 'l3', expected l1|l2");
  refuses({"prune", m, "--ratio"}, "ratio");
  refuses({"prune", m}, "--ratio");
  refuses({"profile", "--top", "1.5", m}, "--top: found '1.5', expected an integer at least 0");
  refuses({"profile", "--json", "--csv", m}, "expected one of them");
  refuses({"profile", "-o", "table.pdf", m},
          "--output: found 'table.pdf', expected a name that ends in .json");
  refuses({"list", "opps"}, "expected ops|passes|methods|targets|metrics|data|presets; did you mean 'ops'?");
  refuses({"prune", "--ratio", "0.5", "-q", "-v", m}, "--quiet and --verbose");
  refuses({"prune", "--ratio", "0.5", "--report", "r.pdf", m}, "--report: found 'r.pdf'");
  refuses({"convert", "--external-data", "--single-file", m}, "expected one of them");
}

TEST_F(Usage, GatesSayWhatTheyNeed) {
  bring("lenet5_fashion.onnx");
  const std::string m = "lenet5_fashion.onnx";
  refuses({"prune", "--ratio", "0.5", "--max-drop", "1", m}, "--max-drop needs data to measure on");
  refuses({"prune", "--ratio", "0.5", "--metric", "top1", m}, "--metric needs data to measure on");
  refuses({"prune", "--ratio", "0.5", "--min-snr", "20", m}, "--min-snr needs --verify");
  refuses({"prune", "--ratio", "0.5", "--data", "x", m}, "--data: prune measures nothing on data");
}

TEST_F(Usage, PatternsThatMatchNothingOrAreNone) {
  bring("lenet5_fashion.onnx");
  const std::string m = "lenet5_fashion.onnx";
  refuses({"prune", "--ratio", "0.5", "--include", "nosuch", m}, "pattern 'nosuch': matches no node");
  refuses({"prune", "--ratio", "0.5", "--exclude", "op:Covn", m},
          "pattern 'op:Covn': matches no node of the model; did you mean 'op:Conv'?");
  refuses({"prune", "--ratio", "0.5", "--include", "conv[", m},
          "pattern 'conv[': is not a regular expression");
  refuses({"prune", "--ratio", "0.5", "--include", "", m}, "pattern ''");
  write("patterns", "# comment\nconv1\nnosuch\n");
  refuses({"prune", "--ratio", "0.5", "--include", "@patterns", m}, "pattern 'nosuch': matches no node");
  const Outcome o = run({"prune", "--ratio", "0.5", "--include", "@missing", m});
  EXPECT_EQ(o.code, 6);
  EXPECT_THAT(o.err, HasSubstr("missing: cannot read"));
}

TEST_F(Usage, ShapesThatDoNotFit) {
  bring("lenet5_fashion.onnx");
  const std::string m = "lenet5_fashion.onnx";
  refuses({"profile", "--input-shape", "1x1x28y28", m}, "--input-shape: found '1x1x28y28'");
  refuses({"profile", "--input-shape", "1x1x28x0", m}, "--input-shape: found");
  refuses({"profile", "--input-shape", "imgae:1x1x28x28", m}, "no input 'imgae'; did you mean 'image'?");
  refuses({"profile", "--input-shape", "1x1x28x28", "--input-shape", "image:1x1x28x28", m},
          "'image' is given twice");
  refuses({"profile", "--input-shape", "1x28x28", m}, "image");
}

}  // namespace
}  // namespace compressor::test
