// report_test: numbers for people, tables, and reports that come back from JSON as they were.
#include "compressor/report/report.h"

#include <gmock/gmock.h>

#include "compressor/base/error.h"
#include "compressor/report/table.h"

namespace compressor {
namespace {

using ::testing::HasSubstr;

TEST(Numbers, AreShort) {
  EXPECT_EQ(count_text(0), "0");
  EXPECT_EQ(count_text(9999), "9999");
  EXPECT_EQ(count_text(78426), "78.4 k");
  EXPECT_EQ(count_text(999600), "1.00 M");
  EXPECT_EQ(count_text(143667240), "144 M");
  EXPECT_EQ(bytes_text(999), "999 B");
  EXPECT_EQ(bytes_text(574674352), "575 MB");
  EXPECT_EQ(ratio_text(4, 2), "2.00x");
  EXPECT_EQ(ratio_text(0, 0), "-");
  EXPECT_EQ(ratio_text(1, 0), "inf");
}

TEST(Tables, AlignEscapeAndKeepExactNumbers) {
  Table t({{"name"}, {"size", true}});
  t.add({std::string("a,\"b\"|c"), Table::Cell::bytes(12345)});
  t.set_total({std::string("total"), Table::Cell::bytes(12345)});
  EXPECT_EQ(t.text(),
            "name        size\n"
            "-------  -------\n"
            "a,\"b\"|c  12.3 kB\n"
            "-------  -------\n"
            "total    12.3 kB\n");
  EXPECT_EQ(t.csv(), "name,size\n\"a,\"\"b\"\"|c\",12345\n");
  EXPECT_THAT(t.markdown(), HasSubstr("| a,\"b\"\\|c | 12.3 kB |"));
}

Report sample() {
  PassResult pass;
  pass.pass = "prune";
  pass.unit = "channels";
  pass.eligible = 10;
  pass.done = 4;
  pass.skipped = 3;
  pass.changed = true;
  pass.layers = {{.node = "a", .op = "Conv", .action = "pruned", .detail = "4 of 8"},
                 {.node = "b", .op = "Foo", .action = "skipped", .detail = "rare"},
                 {.node = "c", .op = "Bar", .action = "skipped", .detail = "often"},
                 {.node = "d", .op = "Bar", .action = "skipped", .detail = "often"}};
  pass.removed = {{.tensor = "w", .axis = 1, .of = 8, .index = {0, 2, 5, 7}}};
  pass.notes = {"a note"};
  pass.options = {{"ratio", "0.5"}};
  Report r;
  r.version = "9.9.9";
  r.command = "prune";
  r.options = {{"ratio", "0.5"}};
  r.seed = 7;
  r.input = {.path = "in.onnx", .bytes = 100, .hash = "00ff"};
  r.output = ReportFile{.path = "out.onnx", .bytes = 50, .hash = "ff00"};
  r.add(pass);
  ProfileTotals before, after;
  before.params = 20;
  after.params = 10;
  r.set_totals(before, after, 100, 50);
  r.not_measured = {"accuracy was not measured"};
  r.timing = {{"load", 0.25}};
  r.warnings = {"careful"};
  return r;
}

TEST(Report, GroupsReasonsMostFrequentFirst) {
  const Report r = sample();
  ASSERT_EQ(r.reasons.size(), 2U);
  EXPECT_EQ(r.reasons[0].why, "often");
  EXPECT_EQ(r.reasons[0].count, 2);
  EXPECT_EQ(r.skipped(), 3);
}

TEST(Report, ComesBackFromJson) {
  const std::string json = report_json(sample());
  EXPECT_EQ(report_json(parse_report(json, "x")), json);
  Report dry = sample();
  dry.output.reset();
  EXPECT_EQ(report_json(parse_report(report_json(dry), "x")), report_json(dry));
}

TEST(Report, GridsAndSharesAreSaid) {
  PassResult pass;
  pass.pass = "quantize";
  pass.unit = "nodes";
  GridRecord input{.role = "input", .tensor = "x", .type = "uint8", .zero = {}, .snr_db = {}};
  input.low = -0.5;
  input.high = 2;
  input.scale_min = input.scale_max = 0.01;
  input.zero = 51;
  GridRecord weight{.role = "weight", .tensor = "w", .type = "int8", .zero = {}, .snr_db = {}};
  weight.scales = 16;
  weight.scale_min = 0.001;
  weight.scale_max = 0.002;
  weight.snr_db = std::numeric_limits<double>::infinity();
  pass.layers = {{.node = "a", .op = "Conv", .action = "quantized", .detail = "", .grids = {input, weight}}};
  pass.shares = {{"integer_macs", 0.875}};
  Report r = sample();
  r.add(pass);
  const std::string json = report_json(r);
  EXPECT_EQ(report_json(parse_report(json, "x")), json);
  const Report back = parse_report(json, "x");
  ASSERT_EQ(back.layers.back().grids.size(), 2U);
  EXPECT_EQ(back.layers.back().grids[0].zero, 51);
  EXPECT_FALSE(back.layers.back().grids[0].snr_db);
  EXPECT_TRUE(std::isinf(*back.layers.back().grids[1].snr_db));
  EXPECT_TRUE(back.layers.front().grids.empty());
  EXPECT_THAT(report_text(r), HasSubstr("87.50 % of MACs in integers"));
  EXPECT_THAT(report_markdown(r),
              HasSubstr("| a | weight | w | int8 | 16 | 0 | 0 | 0.001 .. 0.002 | various | exact |"));
}

TEST(Report, WhatIsNoReportIsRefused) {
  for (const char* text : {"", "[]", "{}", "nonsense", "{\"schema_version\": 2}", "{\"schema_version\": 1}",
                           "{\"schema_version\": 1, \"tool\": 3}"}) {
    try {
      parse_report(text, "x.json");
      ADD_FAILURE() << text;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kIo) << text;
      EXPECT_THAT(e.what(), ::testing::StartsWith("x.json: ")) << text;
    }
  }
}

TEST(Report, SaysWhenItIsNotSmaller) {
  Report r = sample();
  EXPECT_THAT(report_text(r), ::testing::Not(HasSubstr("not smaller")));
  r.totals[0].after = 103;
  EXPECT_THAT(report_text(r), HasSubstr("the output is not smaller: 3 bytes more than the input"));
  r.totals[0].after = 100;
  EXPECT_THAT(report_markdown(r), HasSubstr("the output is not smaller: it has as many bytes as the input"));
}

TEST(Report, DiffNamesWhatDiffers) {
  Report other = sample();
  other.totals[1].after = 5;
  other.input.hash = "else";
  const std::string text = report_diff(sample(), other);
  EXPECT_THAT(text, HasSubstr("the inputs differ"));
  EXPECT_THAT(text, HasSubstr("2.00x"));
}

}  // namespace
}  // namespace compressor
