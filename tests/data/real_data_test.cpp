// real_data_test: well-known data sets, where this machine has them: how many, which class first, what
// numbers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "compressor/base/error.h"
#include "compressor/data/dataset.h"
#include "compressor/data/loader.h"
#include "data/scratch.h"

namespace compressor::data {
namespace {

const char* const kFashion = "/usr/share/datasets/fashion-mnist";

#define NEEDS(path) \
  if ((path).empty() || !std::filesystem::exists(path)) GTEST_SKIP() << "this machine has no " #path

struct Moments {
  double mean = 0, deviation = 0;
};

// Of all numbers of the first `samples`.
Moments moments(const Dataset& data, const std::string& settings, std::int64_t samples) {
  LoaderOptions options;
  options.batch = 500;
  options.samples = samples;
  Loader loader(data, parse_preprocess(settings), options);
  double sum = 0, squares = 0, count = 0;
  while (const auto batch = loader.next()) {
    for (const float v : to_floats(batch->inputs.at(""))) {
      sum += v;
      squares += double{v} * v;
      ++count;
    }
  }
  return {sum / count, std::sqrt(squares / count - sum / count * sum / count)};
}

OpenOptions split(const std::string& name) {
  OpenOptions options;
  options.split = name;
  return options;
}

TEST(RealData, FashionMnist) {
  const std::string path = kFashion;
  NEEDS(path);
  const auto data = open_dataset(path, split("train"));
  EXPECT_EQ(data->size(), 60000);
  EXPECT_EQ(data->get(0).truth.label, 9);
  EXPECT_EQ(open_dataset(path)->size(), 10000);
  const Moments m = moments(*data, "fashion_mnist", 0);
  EXPECT_NEAR(m.mean, 0, 0.001);
  EXPECT_NEAR(m.deviation, 1, 0.001);
}

TEST(RealData, Mnist) {
  const std::string path = real_data("mnist");
  NEEDS(path);
  const auto data = open_dataset(path, split("train"));
  EXPECT_EQ(data->size(), 60000);
  EXPECT_EQ(data->get(0).truth.label, 5);
  const Moments m = moments(*data, "mnist", 0);
  EXPECT_NEAR(m.mean, 0, 0.001);
  EXPECT_NEAR(m.deviation, 1, 0.001);
}

TEST(RealData, Cifar) {
  const std::string path = real_data("cifar10");
  NEEDS(path);
  const auto data = open_dataset(path);
  EXPECT_EQ(data->size(), 5000);
  EXPECT_EQ(data->classes()[static_cast<std::size_t>(*data->get(0).truth.label)], "cat");
  const auto train = open_dataset(path, split("train"));
  const Moments m = moments(*train, "cifar10", 0);
  EXPECT_NEAR(m.mean, 0, 0.02);
  EXPECT_NEAR(m.deviation, 1, 0.02);
}

TEST(RealData, PicturesOfImagenet) {
  const std::string path = real_data("imagenet1000_crop256");
  NEEDS(path);
  const auto data = open_dataset(path);
  ASSERT_EQ(data->size(), 250);
  EXPECT_EQ(data->get(0).truth.label, 3);
  LoaderOptions options;
  options.batch = 50;
  options.samples = 50;
  Loader loader(*data, parse_preprocess("imagenet"), options);
  EXPECT_EQ(loader.next()->inputs.at("").shape, (Dims{50, 3, 224, 224}));
}

TEST(RealData, BoxesLieInTheirPictures) {
  const std::string path = real_data("voc2012_subset");
  NEEDS(path);
  const auto data = open_dataset(path);
  ASSERT_EQ(data->size(), 60);
  std::size_t boxes = 0;
  for (std::int64_t i = 0; i < data->size(); ++i) {
    const Sample sample = data->get(i);
    for (const Box& box : *sample.truth.boxes) {
      ++boxes;
      EXPECT_GE(box.x1, 0) << sample.name;
      EXPECT_GE(box.y1, 0) << sample.name;
      EXPECT_LE(box.x2, sample.image->width) << sample.name;
      EXPECT_LE(box.y2, sample.image->height) << sample.name;
    }
  }
  EXPECT_EQ(boxes, 167U);
}

TEST(RealData, Masks) {
  const std::string path = real_data("camvid");
  NEEDS(path);
  const auto data = open_dataset(path);
  EXPECT_EQ(data->split(), "val");
  ASSERT_EQ(data->size(), 30);
  const Sample sample = data->get(7);
  EXPECT_LE(*std::max_element(sample.truth.mask->pixels.begin(), sample.truth.mask->pixels.end()), 11);
  EXPECT_EQ(open_dataset(path, split("train"))->size(), 30);
}

TEST(RealData, TokensOfStories) {
  const std::string path = real_data("text/tinystories_val_a.txt");
  NEEDS(path);
  OpenOptions options;
  options.tokenizer = real_data("text/tok512.bin");
  options.window = 512;
  const auto data = open_dataset(path, options);
  EXPECT_EQ(data->size(), 379);
  EXPECT_EQ(to_ints(data->get(0).tensors.at(""))[0], 1);
}

TEST(RealData, Speech) {
  const std::string path = real_data("audio/silero_test_60s.wav");
  NEEDS(path);
  OpenOptions options;
  options.window = 512;
  EXPECT_EQ(open_dataset(path, options)->size(), 1875);
  EXPECT_EQ(open_dataset(path)->get(0).tensors.at("").shape, (Dims{960000}));
}

TEST(RealData, Magika) {
  const std::string path = real_data("magika");
  NEEDS(path);
  const auto data = open_dataset(path);
  EXPECT_EQ(data->size(), 129);
  EXPECT_EQ(data->classes().size(), 214U);
  EXPECT_EQ(data->get(0).tensors.at("").shape, (Dims{2048}));
}

}  // namespace
}  // namespace compressor::data
