// array_formats_test: text, sound, bytes and arrays give back what was put in, and refuse what is damaged.
#include <gmock/gmock.h>

#include "compressor/base/error.h"
#include "compressor/data/dataset.h"
#include "compressor/data/numpy.h"
#include "data/made_files.h"
#include "data/scratch.h"

namespace compressor::data {
namespace {

std::string tokenizer_file() {
  std::string file("\5\0\0\0", 4);
  const auto add = [&](const std::string& piece, float score) {
    file.append(reinterpret_cast<const char*>(&score), 4);
    const auto length = static_cast<std::int32_t>(piece.size());
    file.append(reinterpret_cast<const char*>(&length), 4);
    file += piece;
  };
  for (const char* piece : {"<unk>", "<s>", "</s>"}) add(piece, 0);
  for (int i = 0; i < 256; ++i) add(fmt::format("<0x{:02X}>", i), 0);
  for (const auto& [piece, score] : std::vector<std::pair<std::string, float>>{
           {"ab", -1}, {"bc", -2}, {"abc", -3}, {" ", -4}, {"a", -5}, {"b", -6}, {"c", -7}, {" a", -8}})
    add(piece, score);
  return file;
}

TEST(ArrayFormats, TextInTokens) {
  const Scratch scratch;
  OpenOptions options;
  options.tokenizer = scratch.write("tok.bin", tokenizer_file());
  options.window = 4;
  // " abc\n\xC3\xA9 bc": ab before bc, then abc; a new line and what is no token become bytes.
  const auto data = open_dataset(scratch.write("t.txt", "abc\n\xC3\xA9 bc"), options);
  ASSERT_EQ(data->size(), 2);
  const std::int64_t space = 259 + 3, abc = 259 + 2, bc = 259 + 1;
  EXPECT_EQ(to_ints(data->get(0).tensors.at("")), (std::vector<std::int64_t>{1, space, abc, 3 + '\n'}));
  EXPECT_EQ(to_ints(*data->get(0).truth.target), (std::vector<std::int64_t>{space, abc, 3 + '\n', 3 + 0xC3}));
  EXPECT_EQ(to_ints(data->get(1).tensors.at("")), (std::vector<std::int64_t>{1, 3 + 0xA9, space, 0}));
  EXPECT_EQ(to_ints(*data->get(1).truth.target), (std::vector<std::int64_t>{3 + 0xA9, space, bc, -1}));
  options.tokenizer = scratch.write("bad.bin", tokenizer_file().substr(0, 1001));
  EXPECT_ERROR(open_dataset(scratch.path("t.txt"), options), ErrorKind::kIo, "bad.bin: not a tokenizer file");
}

TEST(ArrayFormats, TextInBytes) {
  const Scratch scratch;
  OpenOptions options;
  options.window = 3;
  const auto data = open_dataset(scratch.write("t.txt", "abcde"), options);
  ASSERT_EQ(data->size(), 2);
  EXPECT_EQ(to_ints(data->get(1).tensors.at("")), (std::vector<std::int64_t>{'d', 0, 0}));
  EXPECT_EQ(to_ints(*data->get(1).truth.target), (std::vector<std::int64_t>{'e', -1, -1}));
  EXPECT_ERROR(open_dataset(scratch.write("empty.txt", "")), ErrorKind::kIo, "holds no samples");
}

TEST(ArrayFormats, Sound) {
  const Scratch scratch;
  const auto values = [&](const std::string& file, Dims* shape = nullptr) {
    const auto data = open_dataset(scratch.write("a.wav", file));
    const Tensor tensor = data->get(0).tensors.at("");
    if (shape != nullptr) *shape = tensor.shape;
    return to_floats(tensor);
  };
  Dims shape;
  EXPECT_THAT(values(wav(1, 2, 16, std::string("\0\x40\0\xC0\0\x20\0\x80", 8)), &shape),
              testing::ElementsAre(0.5F, 0.25F, -0.5F, -1.0F));
  EXPECT_EQ(shape, (Dims{2, 2}));
  EXPECT_THAT(values(wav(1, 1, 24, std::string("\0\0\x40\0\0\xC0", 6)), &shape),
              testing::ElementsAre(0.5F, -0.5F));
  EXPECT_EQ(shape, (Dims{2}));
  EXPECT_THAT(values(wav(1, 1, 8, "\x80\xC0")), testing::ElementsAre(0.0F, 0.5F));
  const float third = 1.0F / 3;
  EXPECT_THAT(values(wav(3, 1, 32, std::string(reinterpret_cast<const char*>(&third), 4))),
              testing::ElementsAre(third));

  OpenOptions options;
  options.window = 3;
  const auto windows = open_dataset(
      scratch.write("b.wav", wav(1, 1, 16, std::string("\0\x10\0\x20\0\x30\0\x40", 8))), options);
  ASSERT_EQ(windows->size(), 2);
  EXPECT_THAT(to_floats(windows->get(1).tensors.at("")), testing::ElementsAre(0.5F, 0, 0));

  const std::string whole = wav(1, 1, 16, "12345678");
  for (std::size_t n = 12; n < whole.size(); ++n)
    EXPECT_ERROR(open_dataset(scratch.write("c.wav", whole.substr(0, n)))->get(0), ErrorKind::kIo, "c.wav: ");
  EXPECT_ERROR(open_dataset(scratch.write("d.wav", wav(2, 1, 4, "1234")))->get(0), ErrorKind::kIo,
               "format 2 with 4 bits");
}

TEST(ArrayFormats, ExamplesOfMagika) {
  const Scratch scratch;
  scratch.write(
      "config.min.json",
      R"({"beg_size": 4, "end_size": 3, "block_size": 8, "padding_token": 256, "target_labels_space": ["txt", "c"]})");
  // "  abc " and one that was too small to ask about.
  const std::string json = R"([{"content_base64": "", "prediction": {"dl": "undefined"}},
                               {"content_base64": "ICBhYmMg", "prediction": {"dl": "c"}}])";
  scratch.write("examples.json.gz", gzip(json));
  const auto data = open_dataset(scratch.path());
  ASSERT_EQ(data->size(), 1);
  EXPECT_EQ(data->get(0).truth.label, 1);
  EXPECT_EQ(to_ints(data->get(0).tensors.at("")),
            (std::vector<std::int64_t>{'a', 'b', 'c', ' ', 'a', 'b', 'c'}));
  for (const char* bad : {R"([{"content_base64": "!!!!", "prediction": {"dl": "c"}}])",
                          R"([{"content_base64": "ICBhYmMg"}])", R"([{"content_base64": )"}) {
    scratch.write("examples.json.gz", gzip(bad));
    EXPECT_ERROR(open_dataset(scratch.path()), ErrorKind::kIo, "examples.json.gz");
  }
}

TEST(ArrayFormats, Arrays) {
  const Scratch scratch;
  const std::string path = scratch.path("a.npz");
  write_npz(path, {{"x", Tensor::of({2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6})},
                   {"label", Tensor::of({2}, std::vector<std::int64_t>{0, 1})}});
  const auto data = open_dataset(path);
  EXPECT_EQ(data->get(1).name, path + "[1]");
  EXPECT_EQ(to_floats(data->get(1).tensors.at("x")), (std::vector<float>{4, 5, 6}));
  write_npy(scratch.path("a.npy"), Tensor::of({2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(open_dataset(scratch.path("a.npy"))->get(0).tensors.at("").shape, (Dims{3}));
}

TEST(ArrayFormats, SequencesAreNumbered) {
  const Scratch scratch;
  const std::string path = scratch.path("a.npz");
  write_npz(path, {{"x", Tensor::of({3, 1}, std::vector<float>{1, 2, 3})},
                   {"sequence", Tensor::of({3}, std::vector<std::int64_t>{4, 4, 7})}});
  const auto data = open_dataset(path);
  EXPECT_EQ(data->get(0).tensors.size(), 1U);
  EXPECT_EQ(data->get(1).sequence, 4);
  EXPECT_EQ(data->get(2).sequence, 7);

  const Scratch sounds;
  const std::string four = wav(1, 1, 16, std::string("\0\x10\0\x20\0\x30\0\x40", 8));
  sounds.write("a.wav", four);
  sounds.write("b.wav", four);
  OpenOptions options;
  options.window = 2;
  const auto windows = open_dataset(sounds.path(), options);
  ASSERT_EQ(windows->size(), 4);
  EXPECT_EQ(windows->get(1).sequence, 0);
  EXPECT_EQ(windows->get(2).sequence, 1) << "a file is a sequence";
}

}  // namespace
}  // namespace compressor::data
