// papers_test: docs/papers.md holds: what profile counts for nine networks is what their papers say.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>

#include "compressor/analysis/profile.h"
#include "compressor/base/error.h"
#include "compressor/onnx/load.h"

namespace compressor {
namespace {

struct Row {
  std::string file;
  double params, params_explained, params_published;
  double macs, macs_explained, macs_published;
};

/// "61 M [S]" -> 61e6; "-167296" -> -167296.
double number(const std::string& cell) {
  std::smatch match;
  static const std::regex kNumber(R"(\s*([-+]?[0-9.]+)\s*([MG]?)\s*(\[[A-Z]\])?\s*)");
  if (!std::regex_match(cell, match, kNumber)) throw Error::usage("docs/papers.md: found '{}'", cell);
  const std::string unit = match[2];
  return std::stod(match[1]) * (unit == "M" ? 1e6 : unit == "G" ? 1e9 : 1);
}

std::vector<Row> table() {
  std::ifstream in(std::string(COMPRESSOR_SOURCE_DIR) + "/docs/papers.md");
  const std::regex cell(R"(\|([^|]*))");
  std::vector<Row> rows;
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("| light_", 0) != 0) continue;
    std::vector<std::string> cells;
    for (std::sregex_iterator it(line.begin(), line.end(), cell), end; it != end; ++it)
      cells.push_back((*it)[1]);
    const std::string file = std::regex_replace(cells[0], std::regex(" "), "");
    rows.push_back({file, number(cells.at(1)), number(cells.at(2)), number(cells.at(3)), number(cells.at(4)),
                    number(cells.at(5)), number(cells.at(6))});
  }
  return rows;
}

std::string folder() {
  const char* given = std::getenv("COMPRESSOR_MODELS");
  const std::string models = given ? given : std::string(COMPRESSOR_SOURCE_DIR) + "/../shared/models";
  return models + "/onnx_light/";
}

bool missing() {
  return !std::filesystem::is_directory(folder());
}

void expect_close(double ours, double published, const char* what) {
  EXPECT_LE(std::abs(ours - published), 0.01 * published)
      << what << ": found " << ours << ", published " << published;
}

/// ShuffleNet (Zhang 2018, section 3.3) of `groups` groups: stages of so many maps with 4, 8 and 4 units,
/// each pointwise, depthwise 3x3, pointwise; the first of a stage halves the map and concatenates its input.
struct Shuffle {
  double macs = 0, weights = 0, channels = 0;
  void conv(double in, double out, double kernel, double size, double groups) {
    weights += out * in / groups * kernel * kernel;
    macs += out * in / groups * kernel * kernel * size * size;
    channels += out;
  }
};
Shuffle shuffle_net(double groups, const std::vector<double>& stages, bool bottleneck, double first_groups) {
  Shuffle net;
  net.conv(3, 24, 3, 112, 1);
  double in = 24;
  double size = 56;
  for (std::size_t s = 0; s < stages.size(); ++s) {
    const int units = s == 1 ? 8 : 4;
    for (int unit = 0; unit < units; ++unit) {
      const double out = unit == 0 ? stages[s] - in : stages[s];
      const double inside = bottleneck ? stages[s] / 4 : out;
      net.conv(in, inside, 1, size, s == 0 && unit == 0 ? first_groups : groups);
      if (unit == 0) size /= 2;
      net.conv(inside, inside, 3, size, inside);
      net.conv(inside, out, 1, size, groups);
      in = stages[s];
    }
  }
  net.weights += in * 1000;
  net.macs += in * 1000;
  return net;
}

TEST(Papers, CountsMeetWhatWasPublished) {
  const std::vector<Row> rows = table();
  ASSERT_EQ(rows.size(), 10U) << "docs/papers.md was not read";
  for (const Row& row : rows) {
    SCOPED_TRACE(row.file);
    expect_close(row.params + row.params_explained, row.params_published, "parameters");
    expect_close(row.macs + row.macs_explained, row.macs_published, "MACs");
  }
}

TEST(Papers, CountsAreOurs) {
  if (missing()) GTEST_SKIP() << "SKIPPED, NOT TESTED: no models in " << folder();
  for (const Row& row : table()) {
    SCOPED_TRACE(row.file);
    const Profile found = profile(load_model(folder() + row.file));
    EXPECT_EQ(static_cast<double>(found.totals.params), row.params);
    EXPECT_EQ(found.totals.macs, row.macs);
    EXPECT_TRUE(found.symbols.empty());
  }
}

TEST(Papers, AlexNetAtThePapersSize) {
  if (missing()) GTEST_SKIP() << "SKIPPED, NOT TESTED: no models in " << folder();
  InferOptions options;
  options.input_shapes["data_0"] = sym_dims({1, 3, 227, 227});
  EXPECT_EQ(profile(load_model(folder() + "light_bvlc_alexnet.onnx"), options).totals.macs, 724406816);
}

TEST(Papers, ShuffleNetFollowsFromItsConstruction) {
  const Shuffle file = shuffle_net(4, {136, 272, 544}, false, 4);
  const Shuffle paper = shuffle_net(3, {240, 480, 960}, true, 1);
  for (const Row& row : table()) {
    if (row.file != "light_shufflenet.onnx") continue;
    EXPECT_EQ(file.macs, row.macs);
    EXPECT_EQ(file.weights + 4 * file.channels + 24 + 1000, row.params);  // BatchNorm, and two biases
    EXPECT_EQ(paper.macs, row.macs + row.macs_explained);
  }
}

}  // namespace
}  // namespace compressor
