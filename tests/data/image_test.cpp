// image_test: pictures come out as they went in; damaged ones are errors.
#include "compressor/data/image.h"

#include <gmock/gmock.h>

#include "compressor/base/error.h"
#include "data/pictures.h"
#include "data/scratch.h"

namespace compressor::data {
namespace {

constexpr std::uint64_t kSeed = 3;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

TEST(Image, PngIsExact) {
  for (const std::int64_t channels : {1, 3}) {
    const Image image = noise_image(13, 9, channels, kSeed);
    EXPECT_EQ(decode_image(bytes_of(png_of(image)), "x.png"), image);
  }
}

TEST(Image, JpegIsClose) {
  for (const std::int64_t channels : {1, 3}) {
    Image image(16, 24, channels);
    for (std::int64_t y = 0; y < 16; ++y) {
      for (std::int64_t x = 0; x < 24 * channels; ++x)
        image.row(y)[x] = static_cast<std::uint8_t>(40 + 8 * y);
    }
    const Image back = decode_image(bytes_of(jpeg_of(image)), "x.jpg");
    ASSERT_EQ(back.channels, channels);
    ASSERT_EQ(back.height, 16);
    ASSERT_EQ(back.width, 24);
    for (std::size_t i = 0; i < image.pixels.size(); ++i) ASSERT_NEAR(back.pixels[i], image.pixels[i], 4);
  }
}

TEST(Image, CutFilesAreErrors) {
  const Image image = noise_image(32, 32, 3, kSeed);
  for (const std::string& whole : {png_of(image), jpeg_of(image)}) {
    for (const double part : {0.0, 0.01, 0.3, 0.6, 0.9, 0.98}) {
      const std::string cut =
          whole.substr(0, static_cast<std::size_t>(part * static_cast<double>(whole.size())));
      EXPECT_ERROR(decode_image(bytes_of(cut), "half.img"), ErrorKind::kIo, "half.img: ");
    }
  }
}

TEST(Image, ChangedBytesNeverCrash) {
  const Image image = noise_image(16, 16, 3, kSeed);
  Random random(kSeed);
  for (const std::string& whole : {png_of(image), jpeg_of(image)}) {
    for (int i = 0; i < 300; ++i) {
      std::string changed = whole;
      for (int k = 0; k < 3; ++k)
        changed[random.below(changed.size())] = static_cast<char>(random.below(256));
      try {
        const Image back = decode_image(bytes_of(changed), "x");
        EXPECT_EQ(back.pixels.size(), static_cast<std::size_t>(back.height * back.width * back.channels));
      } catch (const Error& e) {
        EXPECT_EQ(e.kind(), ErrorKind::kIo) << "seed 3, try " << i;
      }
    }
  }
}

TEST(Image, HugeClaimsAreRefused) {
  std::string png = png_of(noise_image(2, 2, 1, kSeed));
  png[16] = '\x00', png[17] = '\x0F', png[18] = '\x42',
  png[19] = '\x40';  // width 1000000; its checksum is now wrong
  EXPECT_ERROR(decode_image(bytes_of(png), "x.png"), ErrorKind::kIo, "x.png: ");
  std::string jpeg = jpeg_of(noise_image(8, 8, 1, kSeed));
  const std::size_t frame = jpeg.find("\xFF\xC0");
  ASSERT_NE(frame, std::string::npos);
  for (std::size_t i = 5; i < 9; ++i) jpeg[frame + i] = '\xFE';
  EXPECT_ERROR(decode_image(bytes_of(jpeg), "x.jpg"), ErrorKind::kIo, "expected at most");
}

TEST(Image, OtherThingsAreNotPictures) {
  const Scratch scratch;
  EXPECT_ERROR(read_image(scratch.write("a.jpg", "GIF89a....")), ErrorKind::kIo, "neither JPEG nor PNG");
  EXPECT_ERROR(read_image(scratch.path("missing.jpg")), ErrorKind::kIo, "cannot open");
  EXPECT_ERROR(read_mask(scratch.write("m.png", png_of(noise_image(2, 2, 3, kSeed)))), ErrorKind::kIo,
               "colours");
}

TEST(Image, MasksKeepTheirIndices) {
  const Scratch scratch;
  Image mask(3, 5, 1, 11);
  mask.pixels[4] = 255;
  EXPECT_EQ(read_mask(scratch.write("m.png", png_of(mask))), mask);
}

// Two colours and the pixels' indices, or any other layout that libpng writes by itself.
std::string png_as(png_uint_32 format, std::int64_t height, std::int64_t width,
                   const std::vector<std::uint8_t>& pixels, const std::vector<std::uint8_t>& palette = {}) {
  png_image png = {};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(width);
  png.height = static_cast<png_uint_32>(height);
  png.format = format;
  png.colormap_entries = static_cast<png_uint_32>(palette.size() / 3);
  std::string bytes(10000, '\0');
  png_alloc_size_t size = bytes.size();
  png_image_write_to_memory(&png, bytes.data(), &size, 0, pixels.data(), 0, palette.data());
  bytes.resize(size);
  return bytes;
}

TEST(Image, PalettesAreColoursOfPicturesAndIndicesOfMasks) {
  const Scratch scratch;
  const std::string path = scratch.write(
      "p.png", png_as(PNG_FORMAT_RGB_COLORMAP, 2, 3, {0, 1, 2, 2, 1, 0}, {10, 20, 30, 1, 2, 3, 250, 0, 9}));
  EXPECT_THAT(read_image(path).pixels,
              testing::ElementsAre(10, 20, 30, 1, 2, 3, 250, 0, 9, 250, 0, 9, 1, 2, 3, 10, 20, 30));
  EXPECT_THAT(read_mask(path).pixels, testing::ElementsAre(0, 1, 2, 2, 1, 0));
}

TEST(Image, AlphaIsDropped) {
  const std::string rgba = png_as(PNG_FORMAT_RGBA, 1, 2, {1, 2, 3, 0, 4, 5, 6, 128});
  EXPECT_THAT(decode_image(bytes_of(rgba), "x").pixels, testing::ElementsAre(1, 2, 3, 4, 5, 6));
  const std::string grey = png_as(PNG_FORMAT_GA, 1, 2, {7, 0, 8, 128});
  EXPECT_THAT(decode_image(bytes_of(grey), "x").pixels, testing::ElementsAre(7, 8));
}

TEST(Image, NamesOfPictures) {
  EXPECT_TRUE(is_image_name("a/b.JPG"));
  EXPECT_TRUE(is_image_name("b.jpeg"));
  EXPECT_FALSE(is_image_name("jpg"));
  EXPECT_FALSE(is_image_name("a.gif"));
}

}  // namespace
}  // namespace compressor::data
