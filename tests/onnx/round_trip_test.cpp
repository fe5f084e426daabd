// Real models load and save to files that ONNX's own protobuf finds equal.
#include <gtest/gtest.h>

#include "compressor/onnx/load.h"
#include "compressor/onnx/save.h"
#include "onnx/proto.h"

namespace compressor::test {
namespace {

void expect_equal_round_trips(const std::vector<std::string>& files) {
  const TempDir dir;
  std::size_t same_bytes = 0;
  for (const std::string& file : files) {
    SCOPED_TRACE(file);
    try {
      const RoundTrip r = round_trip(file, dir);
      EXPECT_EQ(difference(r.before, r.after), "");
      same_bytes += r.same_bytes ? 1U : 0U;
      load_model(file).verify();
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
  std::printf("%zu models equal as protobuf sees them, %zu of them byte for byte\n", files.size(),
              same_bytes);
}

TEST(RoundTrip, AllOfOnnxTestData) {
  const auto files = testdata_models();
  if (files.empty()) GTEST_SKIP() << "SKIPPED, NOT TESTED: package libonnx-testdata is not installed";
  EXPECT_EQ(files.size(), 1072U);
  expect_equal_round_trips(files);
}

TEST(RoundTrip, AllSharedModels) {
  const auto files = shared_models();
  if (files.empty())
    GTEST_SKIP() << "SKIPPED, NOT TESTED: no models in $COMPRESSOR_MODELS or ../shared/models";
  expect_equal_round_trips(files);
}

TEST(RoundTrip, ClonesSaveTheSame) {
  const TempDir dir;
  for (const std::string& file : shared_models()) {
    SCOPED_TRACE(file);
    const Model model = load_model(file);
    save_model(model, dir / "a.onnx");
    save_model(model.clone(), dir / "b.onnx");
    EXPECT_EQ(read_file(dir / "a.onnx"), read_file(dir / "b.onnx"));
  }
}

}  // namespace
}  // namespace compressor::test
