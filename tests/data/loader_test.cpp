// loader_test: the same batches at any number of threads, epochs that differ, and what damaged samples do.
#include "compressor/data/loader.h"

#include <gmock/gmock.h>

#include <atomic>
#include <set>
#include <thread>

#include "compressor/base/error.h"
#include "data/pictures.h"
#include "data/scratch.h"

namespace compressor::data {
namespace {

constexpr std::uint64_t kSeed = 17;

// Noise pictures; some are damaged, and how many are being held is counted.
class Pictures : public Dataset {
 public:
  explicit Pictures(std::int64_t size, std::set<std::int64_t> damaged = {})
      : size_(size), damaged_(std::move(damaged)) {}
  std::int64_t size() const override { return size_; }
  std::string describe() const override { return "noise"; }
  Sample get(std::int64_t i) const override {
    ++read_;
    if (i % 3 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));  // so that threads overtake
    if (damaged_.count(i) != 0) throw Error::io("{}.png: damaged", i);
    Sample sample;
    sample.name = fmt::format("{}.png", i);
    sample.image = noise_image(12, 10, 3, static_cast<std::uint64_t>(i));
    sample.truth.label = i;
    sample.truth.mask = Image(12, 10, 1, static_cast<std::uint8_t>(i % 250));
    sample.truth.boxes = {{1, 2, 5, 6, 0}};
    return sample;
  }
  std::int64_t read() const { return read_; }

 private:
  std::int64_t size_;
  std::set<std::int64_t> damaged_;
  mutable std::atomic<std::int64_t> read_ = 0;
};

std::vector<Batch> all_of(Loader& loader) {
  std::vector<Batch> list;
  while (auto batch = loader.next()) list.push_back(std::move(*batch));
  return list;
}

LoaderOptions training(int threads) {
  LoaderOptions options;
  options.batch = 7;
  options.shuffle = true;
  options.seed = kSeed;
  options.augment = Augment::parse("flip,crop=2,cutout=4");
  options.threads = threads;
  options.input = "x";
  return options;
}

void expect_same(const std::vector<Batch>& a, const std::vector<Batch>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_TRUE(equal(a[i].inputs.at("x"), b[i].inputs.at("x"))) << "batch " << i << ", seed 17";
    EXPECT_EQ(a[i].labels(), b[i].labels());
    for (std::size_t k = 0; k < a[i].items.size(); ++k) {
      EXPECT_EQ(a[i].items[k].truth.mask, b[i].items[k].truth.mask);
      EXPECT_EQ(a[i].items[k].geometry.mirrored, b[i].items[k].geometry.mirrored);
    }
  }
}

TEST(Loader, AnyNumberOfThreadsGivesTheSameBits) {
  const Pictures data(50);
  Loader alone(data, {}, training(0));
  const std::vector<Batch> expected = all_of(alone);
  ASSERT_EQ(expected.size(), 8U);
  EXPECT_EQ(expected.back().size(), 1);
  for (const int threads : {1, 2, 5}) {
    Loader loader(data, {}, training(threads));
    expect_same(all_of(loader), expected);
  }
}

TEST(Loader, EveryEpochIsAnotherOrderOfTheSameSamples) {
  const Pictures data(60);
  LoaderOptions options = training(2);
  options.samples = 20;
  Loader loader(data, {}, options);
  const std::vector<Batch> first = all_of(loader);
  EXPECT_FALSE(loader.next());
  loader.start(1);
  const std::vector<Batch> second = all_of(loader);
  loader.start(0);
  expect_same(all_of(loader), first);
  std::vector<std::int64_t> a, b;
  for (const Batch& batch : second) {
    const auto labels = batch.labels();
    b.insert(b.end(), labels.begin(), labels.end());
  }
  for (const Batch& batch : first) {
    const auto labels = batch.labels();
    a.insert(a.end(), labels.begin(), labels.end());
  }
  EXPECT_NE(a, b);
  EXPECT_THAT(a, testing::UnorderedElementsAreArray(b));
  EXPECT_EQ(std::set<std::int64_t>(a.begin(), a.end()).size(), 20U);
}

TEST(Loader, InOrderWithoutShuffling) {
  const Pictures data(10);
  LoaderOptions options;
  options.batch = 4;
  Loader loader(data, {}, options);
  EXPECT_EQ(loader.batches(), 3);
  const std::vector<Batch> batches = all_of(loader);
  EXPECT_THAT(batches[0].labels(), testing::ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(batches[2].labels(), testing::ElementsAre(8, 9));
  EXPECT_EQ(batches[2].inputs.at("").shape, (Dims{2, 3, 12, 10}));
}

TEST(Loader, LastBatchFilledOrDropped) {
  const Pictures data(10);
  LoaderOptions options;
  options.batch = 4;
  options.fill_last = true;
  Loader filled(data, {}, options);
  const Batch last = all_of(filled).back();
  EXPECT_EQ(last.size(), 2);
  EXPECT_EQ(last.inputs.at("").shape, (Dims{4, 3, 12, 10}));
  options.fill_last = false;
  options.drop_last = true;
  Loader dropped(data, {}, options);
  EXPECT_EQ(all_of(dropped).size(), 2U);
}

TEST(Loader, NothingIsReadFarAhead) {
  const Pictures data(1000);
  LoaderOptions options;
  options.batch = 5;
  options.threads = 3;
  options.ahead = 2;
  Loader loader(data, {}, options);
  for (int i = 1; i <= 4; ++i) {
    ASSERT_TRUE(loader.next());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_LE(data.read(), (i + 1 + options.ahead) * options.batch);
  }
}

TEST(Loader, ADamagedSampleIsAnErrorOrACountedSkip) {
  const Pictures data(20, {3, 8, 9, 10, 11});
  LoaderOptions options;
  options.batch = 4;
  for (const int threads : {0, 3}) {
    options.threads = threads;
    options.on_corrupt = OnCorrupt::kError;
    Loader strict(data, {}, options);
    EXPECT_ERROR(all_of(strict), ErrorKind::kIo, "3.png: damaged");
    EXPECT_FALSE(strict.next());
    options.on_corrupt = OnCorrupt::kSkip;
    Loader lenient(data, {}, options);
    const std::vector<Batch> batches = all_of(lenient);
    EXPECT_EQ(lenient.skipped(), 5);
    ASSERT_EQ(batches.size(), 4U) << "a batch of damaged samples only is passed over";
    EXPECT_THAT(batches[0].labels(), testing::ElementsAre(0, 1, 2));
    EXPECT_THAT(batches[2].labels(), testing::ElementsAre(12, 13, 14, 15));
  }
}

TEST(Loader, MistakesOfTheUserAreNeverSkipped) {
  const Pictures data(20);
  LoaderOptions options;
  options.on_corrupt = OnCorrupt::kSkip;
  Loader loader(data, parse_preprocess("crop=224"), options);
  EXPECT_ERROR(loader.next(), ErrorKind::kUsage, "0.png: the picture is 12x10");
}

TEST(Loader, ArraysConstantsAndRuns) {
  const auto arrays =
      dataset_of_arrays("a.npz", {{"x", Tensor::of({3, 2}, std::vector<float>{1, 2, 3, 4, 5, 6})},
                                  {"rate", Tensor::scalar(std::int64_t{16000})},
                                  {"label", Tensor::of({3}, std::vector<std::int64_t>{7, 8, 9})},
                                  {"target", Tensor::of({3, 1}, std::vector<float>{.1F, .2F, .3F})}});
  LoaderOptions options;
  options.batch = 2;
  Loader loader(*arrays, {}, options);
  const std::vector<Batch> batches = all_of(loader);
  ASSERT_EQ(batches.size(), 2U);
  EXPECT_EQ(to_floats(batches[0].inputs.at("x")), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(batches[0].inputs.at("rate").rank(), 0);
  EXPECT_THAT(batches[1].labels(), testing::ElementsAre(9));
  EXPECT_EQ(to_floats(*batches[1].items[0].truth.target), (std::vector<float>{.3F}));
  EXPECT_ERROR(dataset_of_arrays("b.npz", {{"x", Tensor::of({2}, std::vector<float>{1, 2})},
                                           {"y", Tensor::of({1}, std::vector<float>{1})}}),
               ErrorKind::kIo, "b.npz: array 'x' has 2 samples and 'y' has 1");

  const auto runs = dataset_of_runs({{{"x", Tensor::of({1, 2}, std::vector<float>{1, 2})}},
                                     {{"x", Tensor::of({5}, std::vector<float>{1, 2, 3, 4, 5})}}});
  Loader whole(*runs, {}, options);
  EXPECT_EQ(whole.next()->inputs.at("x").shape, (Dims{1, 2}));
  EXPECT_EQ(whole.next()->inputs.at("x").shape, (Dims{5}));
  EXPECT_FALSE(whole.next());
}

TEST(Loader, BoxesFollowTheAugmentation) {
  // A white square on black: wherever it goes, its box goes.
  class Square : public Dataset {
   public:
    std::int64_t size() const override { return 40; }
    std::string describe() const override { return "squares"; }
    Sample get(std::int64_t) const override {
      Sample sample;
      sample.image = Image(20, 20, 1);
      for (std::int64_t y = 8; y < 12; ++y) {
        for (std::int64_t x = 5; x < 8; ++x) sample.image->row(y)[x] = 255;
      }
      sample.truth.boxes = {{5, 8, 8, 12, 0}};
      return sample;
    }
  };
  const Square data;
  LoaderOptions options;
  options.seed = kSeed;
  options.augment = Augment::parse("flip,crop=3");
  Loader loader(data, parse_preprocess("letterbox=24"), options);
  loader.start(0);
  bool mirrored = false, straight = false;
  for (const Batch& batch : all_of(loader)) {
    const std::vector<float> pixels = to_floats(batch.inputs.at(""));
    const Geometry& geometry = batch.items[0].geometry;
    (geometry.mirrored ? mirrored : straight) = true;
    const Box box = geometry.to_network(batch.items[0].truth.boxes->front());
    double sum_x = 0, sum_y = 0, sum = 0;
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      const std::size_t column = i % 24, row = i / 24;
      sum_x += pixels[i] * (static_cast<double>(column) + 0.5);
      sum_y += pixels[i] * (static_cast<double>(row) + 0.5);
      sum += pixels[i];
    }
    EXPECT_NEAR(sum_x / sum, (box.x1 + box.x2) / 2, 0.05) << "seed 17";
    EXPECT_NEAR(sum_y / sum, (box.y1 + box.y2) / 2, 0.05) << "seed 17";
  }
  EXPECT_TRUE(mirrored && straight);
}

TEST(Loader, AugmentationAsText) {
  EXPECT_EQ(Augment::parse("flip,crop=4,cutout=16").text(), "flip,crop=4,cutout=16");
  EXPECT_FALSE(Augment::parse("").any());
  EXPECT_ERROR(Augment::parse("flop"), ErrorKind::kUsage, "did you mean 'flip'?");
  EXPECT_ERROR(Augment::parse("crop"), ErrorKind::kUsage, "expected pixels");
  EXPECT_ERROR(Augment::parse("crop=-1"), ErrorKind::kUsage, "expected pixels");
  EXPECT_ERROR(Augment::parse("flip=2"), ErrorKind::kUsage, "without a value");
}

// Pictures as wide as their number says.
class Lines : public Dataset {
 public:
  explicit Lines(std::vector<std::int64_t> widths) : widths_(std::move(widths)) {}
  std::int64_t size() const override { return static_cast<std::int64_t>(widths_.size()); }
  std::string describe() const override { return "lines"; }
  Sample get(std::int64_t i) const override {
    Sample sample;
    sample.name = fmt::format("{}.png", i);
    sample.image = Image(4, widths_.at(static_cast<std::size_t>(i)), 1, static_cast<std::uint8_t>(i));
    sample.truth.label = i;
    return sample;
  }

 private:
  std::vector<std::int64_t> widths_;
};

TEST(Loader, SamplesOfOtherShapesAreBatchesOfTheirOwn) {
  const Lines data({8, 8, 8, 9, 8, 8, 7});
  LoaderOptions options;
  options.input = "x";
  options.batch = 3;
  for (const int threads : {0, 2}) {
    options.threads = threads;
    options.fill_last = false;
    Loader loader(data, {}, options);
    for (int epoch = 0; epoch < 2; ++epoch) {
      std::vector<Dims> shapes;
      std::int64_t next = 0;
      for (const Batch& batch : all_of(loader)) {
        shapes.push_back(batch.inputs.at("x").shape);
        for (const std::int64_t label : batch.labels()) EXPECT_EQ(label, next++);
      }
      EXPECT_EQ(shapes, (std::vector<Dims>{{3, 1, 4, 8}, {1, 1, 4, 9}, {2, 1, 4, 8}, {1, 1, 4, 7}}));
      loader.start();
    }
    ASSERT_TRUE(loader.next());  // in the middle of a slot
    loader.start();
    EXPECT_EQ(loader.next()->items.front().index, 0);
    options.fill_last = true;
    Loader filled(data, {}, options);
    for (const Batch& batch : all_of(filled)) EXPECT_EQ(batch.inputs.at("x").shape[0], 3);
  }
}

}  // namespace
}  // namespace compressor::data
