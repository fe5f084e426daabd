// preprocess_test: sizes, places and numbers by hand, and text that comes back.
#include "compressor/data/preprocess.h"

#include <gmock/gmock.h>

#include "compressor/base/error.h"
#include "data/pictures.h"
#include "data/scratch.h"

namespace compressor::data {
namespace {

constexpr std::uint64_t kSeed = 5;

std::vector<float> applied(const std::string& settings, const Image& image, Geometry& geometry,
                           Dims* shape = nullptr) {
  const Tensor tensor = parse_preprocess(settings).apply(image, "x.png", geometry);
  if (shape != nullptr) *shape = tensor.shape;
  return to_floats(tensor);
}
std::vector<float> applied(const std::string& settings, const Image& image, Dims* shape = nullptr) {
  Geometry geometry;
  return applied(settings, image, geometry, shape);
}

TEST(Preprocess, NumbersPerChannel) {
  Image image(1, 2, 3);
  image.pixels = {255, 0, 51, 0, 255, 102};
  EXPECT_THAT(applied("scale=1/255,mean=0.5,0.25,0.2,std=0.5,1,0.1", image),
              testing::Pointwise(testing::FloatNear(1e-6F), {1.0F, -1.0F, -0.25F, 0.75F, 0.0F, 2.0F}));
  EXPECT_THAT(applied("layout=nhwc", image), testing::ElementsAre(255, 0, 51, 0, 255, 102));
  EXPECT_THAT(applied("order=bgr,mean=1:2:3", image), testing::ElementsAre(50, 101, -2, 253, 252, -3));
  EXPECT_THAT(applied("order=grey", image), testing::ElementsAre(82, 161));
}

TEST(Preprocess, GreyBecomesRgbAndTypes) {
  Image image(1, 1, 1, 200);
  Dims shape;
  EXPECT_THAT(applied("order=rgb", image, &shape), testing::ElementsAre(200, 200, 200));
  EXPECT_EQ(shape, (Dims{3, 1, 1}));
  Geometry geometry;
  const Tensor tensor = parse_preprocess("mean=128,dtype=int8").apply(image, "x", geometry);
  EXPECT_EQ(tensor.dtype, DType::kInt8);
  EXPECT_EQ(to_ints(tensor), (std::vector<std::int64_t>{72}));
}

TEST(Preprocess, BilinearByHand) {
  Image image(1, 4, 1);
  image.pixels = {0, 100, 200, 40};
  // Centres at 0.5 and 2.5 of four pixels: between the first two and the last two.
  EXPECT_THAT(applied("resize=1x2", image), testing::ElementsAre(50, 120));
  // Twice as large: 1/4 and 3/4 between neighbours, edges repeated.
  EXPECT_THAT(applied("resize=1x8", image), testing::ElementsAre(0, 25, 75, 125, 175, 160, 80, 40));
  EXPECT_THAT(applied("resize=1x2,filter=nearest", image), testing::ElementsAre(100, 40));
  // A triangle of half-width 2 around 1 and 3: (3 0 + 3 100 + 1 200) / 7 and (1 100 + 3 200 + 3 40) / 7.
  EXPECT_THAT(applied("resize=1x2,filter=antialias", image), testing::ElementsAre(71, 117));
}

TEST(Preprocess, BilinearDropsBitsAsOpenCvDoes) {
  // What cv2.resize (INTER_LINEAR) gives; exact sums would round some of these up.
  Image image(3, 5, 1);
  image.pixels = {10, 200, 30, 77, 5, 90, 14, 250, 66, 1, 31, 7, 128, 255, 99};
  EXPECT_THAT(applied("resize=2x3", image), testing::ElementsAre(71, 85, 27, 33, 159, 119));
}

TEST(Preprocess, ResizingKeepsAFlatPictureFlat) {
  for (const char* filter : {"bilinear", "antialias", "nearest"}) {
    for (const auto& [h, w] : {std::pair(7, 90), std::pair(200, 3), std::pair(33, 31)}) {
      Dims shape;
      const auto values =
          applied(fmt::format("resize={}x{},filter={}", h, w, filter), Image(31, 47, 1, 93), &shape);
      EXPECT_EQ(shape, (Dims{1, h, w}));
      EXPECT_THAT(values, testing::Each(93)) << filter;
    }
  }
}

TEST(Preprocess, ShortSideAndMiddle) {
  Geometry geometry;
  Dims shape;
  applied("resize=64,crop=56", noise_image(100, 150, 3, kSeed), geometry, &shape);
  EXPECT_EQ(shape, (Dims{3, 56, 56}));
  EXPECT_DOUBLE_EQ(geometry.scale_y, 0.64);
  EXPECT_DOUBLE_EQ(geometry.scale_x, 0.64);
  EXPECT_DOUBLE_EQ(geometry.offset_y, -4);
  EXPECT_DOUBLE_EQ(geometry.offset_x, -20);
  applied("height=48", noise_image(24, 100, 1, kSeed), geometry, &shape);
  EXPECT_EQ(shape, (Dims{1, 48, 200}));
}

TEST(Preprocess, LinesOfTextKeepTheirHeight) {
  Geometry geometry;
  Dims shape;
  applied("height=48", noise_image(30, 101, 1, kSeed), geometry, &shape);
  EXPECT_EQ(shape, (Dims{1, 48, 162}));  // 161.6, as PaddleOCR rounds it
  const auto narrow = applied("ppocr", Image(24, 100, 3, 255), geometry, &shape);
  EXPECT_EQ(shape, (Dims{3, 48, 320}));
  EXPECT_EQ(narrow[199], 1);
  EXPECT_NEAR(narrow[200], 0, 0.004);  // grey
  EXPECT_DOUBLE_EQ(geometry.scale_x, 2);
  EXPECT_EQ(geometry.width, 320);
  applied("ppocr", Image(24, 300, 3), geometry, &shape);
  EXPECT_EQ(shape, (Dims{3, 48, 640}));
  applied("ppocr,width_step=1", Image(24, 300, 3), geometry, &shape);
  EXPECT_EQ(shape, (Dims{3, 48, 600}));
  applied("ppocr,width=320", Image(24, 300, 3), geometry, &shape);
  EXPECT_EQ(shape, (Dims{3, 48, 320}));
  EXPECT_DOUBLE_EQ(geometry.scale_x, 320.0 / 300);
  applied("ppocr,width=none", Image(24, 100, 3), geometry, &shape);
  EXPECT_EQ(shape, (Dims{3, 48, 200}));

  const Preprocess fixed = parse_preprocess("ppocr,width=320");
  EXPECT_EQ(fixed.fixed_size(), std::pair(std::int64_t{48}, std::int64_t{320}));
  EXPECT_EQ(parse_preprocess(fixed.text()), fixed);
  EXPECT_EQ(parse_preprocess(parse_preprocess("ppocr").text()), parse_preprocess("ppocr"));
  EXPECT_FALSE(parse_preprocess("ppocr").fixed_size());
  EXPECT_ERROR(parse_preprocess("resize=48,width=320"), ErrorKind::kUsage, "go with height=S");
  EXPECT_ERROR(parse_preprocess("height=48,width=0"), ErrorKind::kUsage, "width: found '0'");
  EXPECT_ERROR(parse_preprocess("height=48,width=320,width_step=2"), ErrorKind::kUsage, "is one width");
}

TEST(Preprocess, LetterboxMapsBoxesBack) {
  Geometry geometry;
  Dims shape;
  const auto values = applied("yolox", Image(375, 500, 3, 9), geometry, &shape);
  EXPECT_EQ(shape, (Dims{3, 416, 416}));
  EXPECT_EQ(values.front(), 9);
  EXPECT_EQ(values.back(), 114);
  EXPECT_EQ(std::count(values.begin(), values.end(), 9.0F), 3 * 416 * 312);
  for (const char* place : {"corner", "centre"}) {
    applied(std::string("yolox,place=") + place, Image(375, 500, 3, 9), geometry);
    const Box box = {10, 20, 300, 375, 7};
    const Box back = geometry.to_source(geometry.to_network(box));
    EXPECT_NEAR(back.x1, box.x1, 1e-9);
    EXPECT_NEAR(back.y1, box.y1, 1e-9);
    EXPECT_NEAR(back.x2, box.x2, 1e-9);
    EXPECT_NEAR(back.y2, box.y2, 1e-9);
    EXPECT_EQ(back.label, 7);
  }
  const Box outside = geometry.to_source({-50, -50, 1000, 1000});
  EXPECT_EQ(outside.x1, 0);
  EXPECT_EQ(outside.y2, 375);
  EXPECT_EQ(outside.x2, 500);
}

TEST(Preprocess, MasksFollowThePicture) {
  Image image(20, 30, 1), mask(20, 30, 1);
  for (std::int64_t y = 0; y < 20; ++y) {
    for (std::int64_t x = 0; x < 30; ++x)
      image.row(y)[x] = mask.row(y)[x] = static_cast<std::uint8_t>(y / 10 * 3 + x / 10);
  }
  for (const char* settings : {"resize=40x60,filter=nearest", "crop=10x12",
                               "letterbox=40,fill=255,filter=nearest", "pad=3,fill=255"}) {
    Geometry geometry;
    const auto values = applied(settings, image, geometry);
    const Image fitted = Preprocess::fit_mask(mask, geometry);
    EXPECT_EQ(std::vector<float>(fitted.pixels.begin(), fitted.pixels.end()), values) << settings;
  }
}

TEST(Preprocess, TextComesBack) {
  for (const PreprocessPreset& preset : preprocess_presets()) {
    const Preprocess p = parse_preprocess(preset.name);
    EXPECT_EQ(parse_preprocess(p.text()), p) << preset.name << ": " << p.text();
  }
  EXPECT_EQ(parse_preprocess("imagenet,crop=227").crop_width, 227);
  EXPECT_EQ(parse_preprocess("imagenet,resize=none,crop=none"), [] {
    auto p = parse_preprocess("imagenet_values");
    p.filter = Preprocess::Filter::kAntialias;
    return p;
  }());
  EXPECT_EQ(parse_preprocess("mean=104, 117, 123 , std=2"), parse_preprocess("mean=104:117:123,std=2"));
  EXPECT_EQ(parse_preprocess(""), Preprocess{});
  EXPECT_EQ(parse_preprocess("imagenet").fixed_size(), std::pair(std::int64_t{224}, std::int64_t{224}));
  EXPECT_EQ(parse_preprocess("resize=256").fixed_size(), std::nullopt);
}

TEST(Preprocess, MistakesAreErrorsWithASuggestion) {
  const auto refused = [](const std::string& text, const std::string& part) {
    EXPECT_ERROR(parse_preprocess(text), ErrorKind::kUsage, part);
    EXPECT_ERROR(parse_preprocess(text), ErrorKind::kUsage, "--preprocess: ");
  };
  refused("imagnet", "did you mean 'imagenet'?");
  refused("resise=3", "did you mean 'resize'?");
  refused("order=brg", "expected one of keep, rgb, bgr, grey");
  refused("layout=nchv", "did you mean 'nchw'?");
  refused("resize=0", "found '0', expected a size");
  refused("resize=10x", "found '10x'");
  refused("crop=99999999", "16384");
  refused("scale=1/0", "found '1/0'");
  refused("std=1,0,1", "other than 0");
  refused("resize=3,imagenet", "a preset's name comes first");
  refused("fill=300", "0 to 255");
  refused("order=grey,mean=1:2:3", "order=grey makes 1 channel");
  refused("mean=1:2:3,std=1:2", "3 and 2 values");
  refused("dtype=string", "a type of numbers");
}

TEST(Preprocess, PicturesThatDoNotFitAreNamed) {
  Geometry geometry;
  EXPECT_ERROR(parse_preprocess("crop=224").apply(Image(100, 300, 3), "small.jpg", geometry),
               ErrorKind::kUsage, "small.jpg: the picture is 100x300");
  EXPECT_ERROR(parse_preprocess("mean=1:2:3").apply(Image(10, 10, 1), "grey.png", geometry),
               ErrorKind::kUsage, "grey.png: the picture has 1 channel,");
}

}  // namespace
}  // namespace compressor::data
