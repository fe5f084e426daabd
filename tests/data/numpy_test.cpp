// numpy_test: arrays survive the way to a file and back; damaged files are errors and cost nothing.
#include "compressor/data/numpy.h"

#include <cstring>

#include "compressor/base/error.h"
#include "compressor/base/random.h"
#include "data/scratch.h"

namespace compressor::data {
namespace {

constexpr std::uint64_t kSeed = 11;

Tensor noise(DType dtype, const Dims& shape) {
  Random random(kSeed);
  std::vector<double> values(num_elements(shape));
  for (double& v : values) v = dtype == DType::kBool ? double(random.below(2)) : double(random.below(7));
  return Tensor::of(dtype, shape, values);
}

std::string npy(const std::string& dict, const std::string& data, char version = 1) {
  std::string text("\x93NUMPY", 6);
  text += version;
  text += '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) text += static_cast<char>(dict.size() >> (8 * i) & 0xFFU);
  return text + dict + data;
}

TEST(Numpy, ArraysComeBack) {
  const Scratch scratch;
  for (const DType dtype :
       {DType::kBool, DType::kInt8, DType::kUint8, DType::kInt16, DType::kUint16, DType::kInt32,
        DType::kUint32, DType::kInt64, DType::kUint64, DType::kFloat16, DType::kFloat, DType::kDouble}) {
    for (const Dims& shape : {Dims{}, Dims{0, 3}, Dims{5}, Dims{2, 3, 4}}) {
      const Tensor tensor = noise(dtype, shape);
      write_npy(scratch.path("a.npy"), tensor);
      EXPECT_TRUE(equal(read_npy(scratch.path("a.npy")), tensor)) << name(dtype) << " " << to_string(shape);
    }
  }
}

TEST(Numpy, ArchivesComeBackStoredAndDeflated) {
  const Scratch scratch;
  const std::vector<std::pair<std::string, Tensor>> arrays = {{"x", noise(DType::kFloat, {3, 1000, 200})},
                                                              {"a/b:0", noise(DType::kInt64, {7})},
                                                              {"", noise(DType::kUint8, {})}};
  for (const bool deflate : {false, true}) {
    const std::string path = scratch.path("a.npz");
    write_npz(path, arrays, deflate);
    const auto back = read_npz(path);
    ASSERT_EQ(back.size(), arrays.size());
    for (const auto& [name, tensor] : arrays) EXPECT_TRUE(equal(back.at(name), tensor)) << name << deflate;
    const std::string first = content_of(path);
    write_npz(path, arrays, deflate);
    EXPECT_EQ(content_of(path), first) << "the same content gives the same bytes";
  }
}

TEST(Numpy, LargeDeflatedArraysGoThroughAFile) {
  const Scratch scratch;
  std::vector<float> values((std::size_t{80} << 20U) / sizeof(float));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 1000);
  const Tensor tensor = Tensor::of({static_cast<std::int64_t>(values.size())}, values);
  write_npz(scratch.path("a.npz"), {{"x", tensor}}, true);
  const Tensor back = read_npz(scratch.path("a.npz")).at("x");
  EXPECT_TRUE(back.bytes.is_mapped());
  EXPECT_TRUE(equal(back, tensor));
}

TEST(Numpy, OtherOrdersOfBytesAndAxes) {
  const Scratch scratch;
  const std::string big("\0\1\0\2\0\3\0\4\0\5\0\6", 12);
  const std::string path =
      scratch.write("b.npy", npy("{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3)}", big, 2));
  EXPECT_EQ(to_ints(read_npy(path)), (std::vector<std::int64_t>{1, 3, 5, 2, 4, 6}));
}

TEST(Numpy, Text) {
  const Scratch scratch;
  Tensor tensor;
  tensor.dtype = DType::kString;
  tensor.shape = {3};
  tensor.strings = std::make_shared<std::vector<std::string>>(
      std::vector<std::string>{"a", "", "h\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"});
  write_npy(scratch.path("s.npy"), tensor);
  EXPECT_EQ(*read_npy(scratch.path("s.npy")).strings, *tensor.strings);
  tensor.strings = std::make_shared<std::vector<std::string>>(std::vector<std::string>{"\xFF\xFE", "b", "c"});
  write_npy(scratch.path("s.npy"), tensor);
  EXPECT_EQ(*read_npy(scratch.path("s.npy")).strings, *tensor.strings);
}

TEST(Numpy, NarrowTypesAreWidened) {
  const Scratch scratch;
  write_npy(scratch.path("a.npy"), noise(DType::kBFloat16, {4}));
  EXPECT_EQ(read_npy(scratch.path("a.npy")).dtype, DType::kFloat);
  write_npy(scratch.path("a.npy"), noise(DType::kUint4, {4}));
  EXPECT_EQ(read_npy(scratch.path("a.npy")).dtype, DType::kUint8);
  EXPECT_EQ(to_ints(read_npy(scratch.path("a.npy"))), to_ints(noise(DType::kUint4, {4})));
}

TEST(Numpy, DamagedArraysAreErrorsThatNameTheFile) {
  const Scratch scratch;
  const auto refused = [&](const std::string& content, const std::string& part) {
    const std::string path = scratch.write("bad.npy", content);
    EXPECT_ERROR(read_npy(path), ErrorKind::kIo, path);
    EXPECT_ERROR(read_npy(path), ErrorKind::kIo, part);
  };
  refused("", "not a numpy array");
  refused("PK\3\4", "not a numpy array");
  refused(std::string("\x93NUMPY\1\0", 8), "cut short");
  refused(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", "1234"),
          "holds 4 bytes of data, expected 12");
  refused(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", "12345"),
          "holds 5 bytes of data, expected 4");
  refused(npy("{'descr': '|O', 'fortran_order': False, 'shape': (3,)}", ""), "pickled");
  refused(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,)}", ""), "structured");
  refused(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 9223372036854775807)}",
              ""),
          "too large");
  refused(npy("{'descr': '<U0', 'fortran_order': False, 'shape': (9223372036854775807,)}", ""), "too large");
  refused(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}", ""), "negative");
  refused(npy("{'descr': '<f3', 'fortran_order': False, 'shape': (3,)}", ""), "'<f3'");
  refused(npy("{'descr': '<f4', 'shape': (3,)}", ""), "expected the keys");
  refused(npy("{'descr': '<f4", ""), "not closed");
  refused(npy("__import__('os')", ""), "expected '{'");
  std::string huge = npy("{}", "", 2);
  huge[10] = '\xFF', huge[11] = '\x7F';
  refused(huge, "array header of");
}

TEST(Numpy, EveryCutOfAnArchiveIsAnError) {
  const Scratch scratch;
  write_npz(scratch.path("a.npz"), {{"x", noise(DType::kFloat, {3, 4})}, {"y", noise(DType::kInt64, {2})}},
            true);
  const std::string whole = content_of(scratch.path("a.npz"));
  for (std::size_t n = 0; n < whole.size(); ++n) {
    const std::string path = scratch.write("cut.npz", whole.substr(0, n));
    EXPECT_ERROR(read_npz(path), ErrorKind::kIo, path);
  }
}

TEST(Numpy, AnyChangedByteIsAnErrorOrTheSameNumbers) {
  const Scratch scratch;
  const Tensor x = noise(DType::kFloat, {3, 4});
  for (const bool deflate : {false, true}) {
    write_npz(scratch.path("a.npz"), {{"x", x}}, deflate);
    const std::string whole = content_of(scratch.path("a.npz"));
    Random random(kSeed);
    for (std::size_t at = 0; at < whole.size(); ++at) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ (1 + random.below(255)));
      const std::string path = scratch.write("changed.npz", changed);
      try {
        for (const auto& [name, tensor] : read_npz(path))
          EXPECT_TRUE(equal(tensor, x)) << "byte " << at << ", seed 11";
      } catch (const Error& e) {
        EXPECT_EQ(e.kind(), ErrorKind::kIo) << e.what();
      }
    }
  }
}

TEST(Numpy, BombsAreRefusedBeforeTheyAreUnpacked) {
  const Scratch scratch;
  write_npz(scratch.path("a.npz"), {{"x", noise(DType::kUint8, {100})}}, true);
  std::string whole = content_of(scratch.path("a.npz"));
  // The directory claims 2 GiB for what are 228 bytes.
  const std::size_t directory = whole.find("PK\1\2");
  ASSERT_NE(directory, std::string::npos);
  whole[directory + 27] = '\x70';
  EXPECT_ERROR(read_npz(scratch.write("bomb.npz", whole)), ErrorKind::kIo, "bomb.npz[x]: holds");
  // An entry whose own header agrees with such a claim: deflate cannot do it.
  const std::string dict = "{'descr': '|u1', 'fortran_order': False, 'shape': (1099511627776,)}";
  const Scratch other;
  const std::string header = npy(dict, "");
  EXPECT_ERROR(read_npy(other.write("h.npy", header)), ErrorKind::kIo, "expected 1099511627776");
}

TEST(Numpy, NamesTwiceAreRefused) {
  const Scratch scratch;
  const Tensor x = noise(DType::kFloat, {1});
  EXPECT_ERROR(write_npz(scratch.path("a.npz"), {{"x", x}, {"x", x}}), ErrorKind::kUsage,
               "'x' is given twice");
  EXPECT_FALSE(std::filesystem::exists(scratch.path("a.npz")));
}

}  // namespace
}  // namespace compressor::data
