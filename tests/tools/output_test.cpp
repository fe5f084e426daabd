// output: streams, reports, metadata, and the same bytes for the same question.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "compressor/onnx/load.h"
#include "compressor/report/report.h"
#include "program.h"

namespace compressor::test {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class Output : public ProgramTest {
 protected:
  static constexpr const char* kModel = "resnet8_fashion.onnx";
  static constexpr const char* kPruned = "resnet8_fashion.prune.onnx";
  Output() { bring(kModel); }
  Outcome prune(const Words& more = {}, const Call& call = {}) const {
    Words words{"prune", "--ratio", "0.5", kModel};
    words.insert(words.end(), more.begin(), more.end());
    return run(words, call);
  }
};

TEST_F(Output, JsonIsTheReportAndNothingElse) {
  const Outcome o = prune({"--json"});
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_THAT(o.err, IsEmpty());
  const Json json = Json::parse(o.out);
  Words keys;
  for (const auto& [key, value] : json.items()) keys.push_back(key);
  EXPECT_THAT(keys,
              ::testing::UnorderedElementsAre("schema_version", "tool", "command", "options", "seed", "input",
                                              "output", "totals", "layers", "passes", "coverage", "removed",
                                              "metrics", "timing", "peak_rss", "warnings"));
  EXPECT_EQ(json["schema_version"], 1);
  for (const char* total : {"bytes", "params", "macs", "flops", "activation_bytes"}) {
    const Json& t = json["totals"][total];
    EXPECT_GT(t["before"].get<double>(), t["after"].get<double>()) << total;
    EXPECT_DOUBLE_EQ(t["ratio"].get<double>(), t["before"].get<double>() / t["after"].get<double>()) << total;
  }
  EXPECT_EQ(json["input"]["bytes"], read(kModel).size());
  EXPECT_EQ(json["output"]["bytes"], read(kPruned).size());
  EXPECT_GT(json["removed"].size(), 0U);
  EXPECT_GT(json["coverage"]["done"], 0);
}

TEST_F(Output, RemovedNamesTensorsOfTheInput) {
  const Json json = Json::parse(prune({"--json"}).out);
  const Model before = load_model(path(kModel)), after = load_model(path(kPruned));
  std::map<std::string, Dims> shapes;
  for (const Json& cut : json["removed"]) {
    const std::string name = cut["tensor"];
    const Value* v = before.graph->find(name);
    ASSERT_NE(v, nullptr) << name;
    ASSERT_NE(v->initializer(), nullptr) << name;
    Dims& shape = shapes.try_emplace(name, v->initializer()->shape).first->second;
    const auto axis = cut["axis"].get<std::size_t>();
    EXPECT_EQ(v->initializer()->shape.at(axis), cut["of"]) << name;
    shape[axis] -= static_cast<std::int64_t>(cut["index"].size());
  }
  for (const auto& [name, shape] : shapes) {
    const Value* v = after.graph->find(name);
    ASSERT_NE(v, nullptr) << name;
    EXPECT_EQ(v->initializer()->shape, shape) << name;
  }
}

TEST_F(Output, ThePeopleGetATable) {
  const Outcome o = prune();
  EXPECT_EQ(o.code, 0);
  for (const char* part :
       {"size", "parameters", "MACs", "FLOPs", "activation memory", "accuracy was not measured",
        "eligible channels", "output: resnet8_fashion.prune.onnx"}) {
    EXPECT_THAT(o.out, HasSubstr(part));
  }
  EXPECT_THAT(o.out, Not(HasSubstr("\x1b")));
}

TEST_F(Output, MetadataSaysWhatWasDoneAndNoPath) {
  write("patterns", "conv1\n");
  ASSERT_EQ(prune({"--include", "@" + path("patterns"), "--seed", "7", "-j", "1"}).code, 0);
  const Model model = load_model(path(kPruned));
  const std::map<std::string, std::string> metadata(model.metadata.begin(), model.metadata.end());
  EXPECT_EQ(metadata.at("compressor.command"), "prune");
  EXPECT_THAT(metadata.at("compressor.options"), HasSubstr("ratio=0.5"));
  EXPECT_THAT(metadata.at("compressor.options"), HasSubstr("seed=7"));
  EXPECT_THAT(metadata.at("compressor.options"), Not(HasSubstr("threads")));
  LoadInfo info;
  load_model(path(kModel), {.info = &info});
  EXPECT_EQ(metadata.at("compressor.input_hash"), info.hash());
  EXPECT_EQ(metadata.at("compressor.input_hash").size(), 32U);
  EXPECT_EQ(metadata.count("compressor.version"), 1U);
  EXPECT_THAT(read(kPruned), Not(HasSubstr("compressor_tools_"))) << "the path of this test's folder";
}

TEST_F(Output, SameQuestionSameBytes) {
  ASSERT_EQ(prune({"-o", "a.onnx", "-j", "1"}).code, 0);
  ASSERT_EQ(prune({"-o", "b.onnx", "-j", "4", "-v", "--report", "r.json"}).code, 0);
  EXPECT_EQ(read("a.onnx"), read("b.onnx"));
  ASSERT_EQ(prune({"-o", "c.onnx", "--criterion", "random"}).code, 0);
  ASSERT_EQ(prune({"-o", "d.onnx", "--criterion", "random"}).code, 0);
  ASSERT_EQ(prune({"-o", "e.onnx", "--criterion", "random", "--seed", "1"}).code, 0);
  EXPECT_EQ(read("c.onnx"), read("d.onnx"));
  EXPECT_NE(read("c.onnx"), read("e.onnx"));
}

TEST_F(Output, NothingToCutIsExitFive) {
  make_wide("single.onnx", 4, 3);  // one layer between the graph's input and output
  const Outcome o = run({"prune", "--ratio", "0.5", "single.onnx"});
  EXPECT_EQ(o.code, 5) << o.err;
  EXPECT_THAT(o.out, IsEmpty());
  EXPECT_EQ(files(), (Words{kModel, "single.onnx"}));
}

TEST_F(Output, StrictTurnsASkipIntoFailure) {
  EXPECT_EQ(prune({"--strict", "--dry-run"}).code, 0) << "what the model's interface fixes is no skip";
  const Json json = Json::parse(prune({"--json", "--dry-run", "--exclude", "conv1"}).out);
  ASSERT_GT(json["coverage"]["skipped"], 0) << "what the user excludes is skipped";
  const Outcome o = prune({"--strict", "--exclude", "conv1"});
  EXPECT_EQ(o.code, 5);
  EXPECT_THAT(o.err, HasSubstr("--strict: "));
  EXPECT_EQ(files(), Words{kModel});
}

TEST_F(Output, ExplainWritesNothing) {
  const Outcome o = run({"prune", "--explain", kModel});
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_THAT(o.out, HasSubstr("group 0"));
  EXPECT_EQ(files(), Words{kModel});
}

TEST_F(Output, ReportsByExtension) {
  ASSERT_EQ(prune({"--report", "r.json", "--report", "r.md", "-q"}).code, 0);
  const Report report = parse_report(read("r.json"), "r.json");
  EXPECT_EQ(report_json(report), read("r.json"));
  EXPECT_THAT(read("r.md"), HasSubstr("| parameters | "));
  const Outcome shown = run({"report", "r.json"});
  EXPECT_EQ(shown.code, 0);
  EXPECT_EQ(shown.out, report_text(report));
  ASSERT_EQ(run({"prune", "--ratio", "0.25", kModel, "--report", "s.json", "-o", "s.onnx"}).code, 0);
  const Outcome diff = run({"report", "r.json", "s.json"});
  EXPECT_EQ(diff.code, 0) << diff.err;
  EXPECT_THAT(diff.out, HasSubstr("first/second"));
  write("bad.json", "{\"schema_version\": 2}");
  EXPECT_EQ(run({"report", "bad.json"}).code, 6);
  write("worse.json", "no json");
  EXPECT_EQ(run({"report", "worse.json"}).code, 6);
  EXPECT_EQ(run({"report", "missing.json"}).code, 6);
}

TEST_F(Output, QuietSaysNothing) {
  const Outcome o = prune({"-q"});
  EXPECT_EQ(o.code, 0);
  EXPECT_THAT(o.err, IsEmpty());
  const Outcome loud = prune({"-v"});
  EXPECT_THAT(loud.err, HasSubstr("prune: running"));
  EXPECT_EQ(o.out, loud.out) << "standard output holds results and nothing else";
}

TEST_F(Output, ColoursOnlyOnATerminalThatWantsThem) {
  const std::string escape = "\x1b[";
  EXPECT_THAT(run({"prun"}).err, Not(HasSubstr(escape)));
  EXPECT_THAT(run({"prun"}, {.terminal = true}).out, HasSubstr(escape));
  EXPECT_THAT(run({"prun"}, {.environment = {"NO_COLOR=1"}, .terminal = true}).out, Not(HasSubstr(escape)));
  EXPECT_THAT(run({"prun"}, {.environment = {"CI=true"}, .terminal = true}).out, Not(HasSubstr(escape)));
}

TEST_F(Output, ConvertChangesTheStorageOnly) {
  ASSERT_EQ(run({"convert", "--external-data", kModel, "-o", "x.onnx"}).code, 0);
  ASSERT_EQ(files().size(), 3U) << "model, converted, side file";
  ASSERT_EQ(run({"convert", "x.onnx", "-o", "back.onnx"}).code, 0);
  EXPECT_EQ(load_model(path("back.onnx")).metadata, load_model(path(kModel)).metadata);
  EXPECT_EQ(run({"convert", "x.onnx", "-o", "back.onnx"}).code, 6)
      << "an output without our metadata is not ours";
  const Json a = Json::parse(run({"info", "--json", kModel}).out),
             b = Json::parse(run({"info", "--json", "back.onnx"}).out);
  for (const char* key : {"inputs", "outputs", "params", "weights", "nodes", "ops", "opsets", "metadata"})
    EXPECT_EQ(a[key], b[key]);
}

TEST_F(Output, LookingCommands) {
  const Json info = Json::parse(run({"info", "--json", kModel}).out);
  EXPECT_EQ(info["inputs"][0]["name"], "image");
  EXPECT_EQ(info["ops"]["Conv"], 9);
  EXPECT_EQ(info["bytes"], read(kModel).size());
  const Json profile = Json::parse(run({"profile", "--json", kModel, "--input-shape", "2x1x28x28"}).out);
  const Json one = Json::parse(run({"profile", "--json", kModel}).out);
  EXPECT_EQ(profile["totals"]["macs"].get<double>(), 2 * one["totals"]["macs"].get<double>());
  EXPECT_EQ(profile["totals"]["params"], one["totals"]["params"]);
  EXPECT_THAT(one["symbols_taken_as_one"], Json::array({"N"}));
  EXPECT_THAT(run({"profile", kModel}).out, HasSubstr("--input-shape image:1x1x28x28"));
  EXPECT_THAT(run({"profile", "--csv", kModel}).out, HasSubstr("layer,op,input,output,params"));
  for (const char* file : {"t.json", "t.md", "t.csv", "t.txt"}) {
    ASSERT_EQ(run({"profile", kModel, "-o", file}).code, 0) << file;
    EXPECT_GT(read(file).size(), 100U) << file;
  }
  for (const char* what : {"ops", "passes", "methods", "targets"}) {
    EXPECT_EQ(run({"list", what}).code, 0) << what;
    EXPECT_TRUE(Json::parse(run({"list", what, "--json"}).out).is_array()) << what;
  }
}

TEST_F(Output, CompletionKnowsEveryFlag) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Outcome o = run({"completion", shell});
    EXPECT_EQ(o.code, 0) << shell;
    for (const char* word : {"prune", "profile", "granularity", "input-shape", "bn-scale"}) {
      EXPECT_THAT(o.out, HasSubstr(word)) << shell;
    }
  }
}

}  // namespace
}  // namespace compressor::test
