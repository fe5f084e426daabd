// Every element type, in raw_data and in the field of its own, with the numbers that ONNX says it has.
#include <gtest/gtest.h>

#include <random>

#include "compressor/onnx/load.h"
#include "compressor/onnx/save.h"
#include "onnx/proto.h"

namespace compressor::test {
namespace {

constexpr int kTypes = 26;

Tensor load_initializer(const TempDir& dir, const ::onnx::TensorProto& tensor) {
  auto model = tiny_model();
  *model.mutable_graph()->add_initializer() = tensor;
  const RoundTrip r = round_trip(model, dir);
  EXPECT_EQ(difference(r.before, r.after), "") << tensor.ShortDebugString().substr(0, 200);
  return *load_model(dir / "round_trip_in.onnx").graph->initializers()[0]->initializer();
}

std::string bytes_of(const Tensor& tensor) {
  const BytesView view = tensor.bytes.view();
  return {reinterpret_cast<const char*>(view.data()), view.size()};
}

::onnx::TensorProto tensor_of(int type, const std::vector<std::int64_t>& dims) {
  ::onnx::TensorProto t;
  t.set_name("w");
  t.set_data_type(type);
  for (const std::int64_t d : dims) t.add_dims(d);
  return t;
}

TEST(DTypes, RawData) {
  const TempDir dir;
  for (int type = 1; type <= kTypes; ++type) {
    const auto dtype = static_cast<DType>(type);
    if (dtype == DType::kString) continue;
    for (const std::int64_t count : {0, 1, 5, 4099}) {
      SCOPED_TRACE(std::string(name(dtype)) + " x " + std::to_string(count));
      auto t = tensor_of(type, {count});
      std::string raw(packed_bytes(dtype, static_cast<std::uint64_t>(count)), '\0');
      for (std::size_t i = 0; i < raw.size(); ++i) raw[i] = static_cast<char>(i * 37 + 1);
      t.set_raw_data(raw);
      const Tensor loaded = load_initializer(dir, t);
      EXPECT_EQ(loaded.dtype, dtype);
      EXPECT_EQ(bytes_of(loaded), raw);
      EXPECT_FALSE(loaded.bytes.is_derived());
    }
  }
}

TEST(DTypes, TypedFields) {
  const TempDir dir;
  std::mt19937_64 random(7);
  for (int type = 1; type <= kTypes; ++type) {
    const auto dtype = static_cast<DType>(type);
    if (dtype == DType::kString) continue;
    for (const std::int64_t count : {0, 1, 5, 70001}) {
      SCOPED_TRACE(std::string(name(dtype)) + " x " + std::to_string(count));
      auto t = tensor_of(type, {count});
      const std::uint64_t bytes = packed_bytes(dtype, static_cast<std::uint64_t>(count));
      std::string expected;
      const auto put = [&](const auto& value) {
        expected.append(reinterpret_cast<const char*>(&value), sizeof value);
      };
      while (expected.size() < bytes) {
        const std::uint64_t r = random() >> (random() % 64);
        switch (dtype) {
          case DType::kFloat:
          case DType::kComplex64:
            t.add_float_data(static_cast<float>(r)), put(static_cast<float>(r));
            break;
          case DType::kDouble:
          case DType::kComplex128:
            t.add_double_data(static_cast<double>(r)), put(static_cast<double>(r));
            break;
          case DType::kInt64:
            t.add_int64_data(static_cast<std::int64_t>(r)), put(r);
            break;
          case DType::kUint64:
            t.add_uint64_data(r), put(r);
            break;
          case DType::kUint32:
            t.add_uint64_data(r & UINT32_MAX), put(static_cast<std::uint32_t>(r));
            break;
          case DType::kInt32:
            t.add_int32_data(static_cast<std::int32_t>(r)), put(static_cast<std::int32_t>(r));
            break;
          case DType::kInt16:
            t.add_int32_data(static_cast<std::int16_t>(r)), put(static_cast<std::int16_t>(r));
            break;
          case DType::kInt8:
            t.add_int32_data(static_cast<std::int8_t>(r)), put(static_cast<std::int8_t>(r));
            break;
          case DType::kUint16:
          case DType::kFloat16:
          case DType::kBFloat16:
            t.add_int32_data(static_cast<std::uint16_t>(r)), put(static_cast<std::uint16_t>(r));
            break;
          default:
            t.add_int32_data(static_cast<std::uint8_t>(r)), put(static_cast<std::uint8_t>(r));
        }
      }
      const Tensor loaded = load_initializer(dir, t);
      EXPECT_EQ(loaded.field, Tensor::Field::kTyped);
      ASSERT_EQ(bytes_of(loaded).size(), expected.size());
      EXPECT_TRUE(bytes_of(loaded) == expected);
      std::string part(std::min<std::size_t>(expected.size(), 9), '\0');
      const std::size_t at = (expected.size() - part.size()) / 3 * 2;  // anywhere, elements cut through
      loaded.bytes.read(at, std::as_writable_bytes(std::span(part)));
      EXPECT_EQ(part, expected.substr(at, part.size()));
    }
  }
}

TEST(DTypes, ChangedTensorsKeepTheirField) {
  const TempDir dir;
  for (int type = 1; type <= kTypes; ++type) {
    const auto dtype = static_cast<DType>(type);
    if (dtype == DType::kString) continue;
    SCOPED_TRACE(name(dtype));
    auto model = tiny_model();
    auto t = tensor_of(type, {5});
    t.set_raw_data(std::string(packed_bytes(dtype, 5), '\x85'));
    *model.mutable_graph()->add_initializer() = t;
    write_proto(dir / "m.onnx", model);
    Model loaded = load_model(dir / "m.onnx");
    Tensor changed = *loaded.graph->initializers()[0]->initializer();
    changed.field = Tensor::Field::kTyped;
    loaded.graph->set_initializer(*loaded.graph->initializers()[0], changed);
    save_model(loaded, dir / "typed.onnx");
    EXPECT_FALSE(parse(dir / "typed.onnx").graph().initializer(0).has_raw_data());
    const Model again = load_model(dir / "typed.onnx");
    EXPECT_TRUE(equal(changed, *again.graph->initializers()[0]->initializer()));
  }
}

TEST(DTypes, NegativeAndOutOfRangeNumbersAreSavedAsTheyWere) {
  const TempDir dir;
  auto t = tensor_of(::onnx::TensorProto::INT8, {4});
  for (const int v : {-1, 255, 300, -128}) t.add_int32_data(v);
  EXPECT_EQ(bytes_of(load_initializer(dir, t)), "\xFF\xFF\x2C\x80");
}

TEST(DTypes, Strings) {
  const TempDir dir;
  auto t = tensor_of(::onnx::TensorProto::STRING, {2, 2});
  for (const char* s : {"a", "", "\xFF\xFE", "long enough for the heap to be asked for it"})
    t.add_string_data(s);
  const Tensor loaded = load_initializer(dir, t);
  ASSERT_TRUE(loaded.strings);
  EXPECT_EQ(loaded.strings->at(3), t.string_data(3));
}

TEST(DTypes, ScatteredFieldsAreJoined) {
  // Written without packing, as proto3 readers and hand-made files do: each number with its own tag.
  const TempDir dir;
  std::string tensor;
  for (const char* field : {"\x08\x03", "\x10\x07", "\x42\x01w", "\x38\x05", "\x38\x06", "\x3A\x01\x07"})
    tensor += field;
  std::string graph = std::string("\x2A") + static_cast<char>(tensor.size()) + tensor;
  auto around = tiny_model();
  around.clear_graph();
  write_file(dir / "m.onnx", around.SerializeAsString() + "\x3A" + static_cast<char>(graph.size()) + graph);
  const Model model = load_model(dir / "m.onnx");
  EXPECT_EQ(to_ints(*model.graph->initializers()[0]->initializer()), (std::vector<std::int64_t>{5, 6, 7}));
  save_model(model, dir / "out.onnx");
  EXPECT_EQ(difference(parse(dir / "m.onnx"), parse(dir / "out.onnx")), "");
}

TEST(DTypes, TypesOfLaterVersions) {
  const TempDir dir;
  for (const int type : {0, 27, 28, 999}) {
    auto t = tensor_of(type, {3});
    t.set_raw_data("abcdefg");
    load_initializer(dir, t);
    t.clear_raw_data();
    t.add_int32_data(-5);
    load_initializer(dir, t);
  }
}

TEST(DTypes, TensorFiles) {
  const TempDir dir;
  auto t = tensor_of(::onnx::TensorProto::INT64, {2});
  t.add_int64_data(3);
  t.add_int64_data(-4);
  write_proto(dir / "input_0.pb", t);
  EXPECT_EQ(to_ints(load_tensor_pb(dir / "input_0.pb")), (std::vector<std::int64_t>{3, -4}));
  write_file(dir / "sequence.pb", std::string("\x0A\x01s\x10\x01\x1A\x00", 7));
  EXPECT_NE(error_of(ErrorKind::kModel, [&] { load_tensor_pb(dir / "sequence.pb"); }).find("sequence"),
            std::string::npos);
  write_file(dir / "empty.pb", "");
  EXPECT_NE(error_of(ErrorKind::kModel, [&] { load_tensor_pb(dir / "empty.pb"); }).find("is empty"),
            std::string::npos);
}

TEST(DTypes, EveryTensorOfOnnxTestDataLoads) {
  std::size_t tensors = 0;
  std::size_t refused = 0;
  for (const std::string& model : testdata_models()) {
    for (const auto& e : fs::recursive_directory_iterator(fs::path(model).parent_path())) {
      if (e.path().extension() != ".pb") continue;
      ::onnx::TensorProto t;
      const bool is_tensor =
          t.ParseFromString(read_file(e.path().string())) && !t.has_segment() && t.data_type() != 0;
      try {
        const Tensor loaded = load_tensor_pb(e.path().string());
        ++tensors;
        EXPECT_EQ(static_cast<int>(loaded.dtype), t.data_type());
        EXPECT_TRUE(!t.has_raw_data() || bytes_of(loaded) == t.raw_data());
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::kModel);
        EXPECT_FALSE(is_tensor && t.unknown_fields().empty() && (t.has_raw_data() || t.float_data_size() > 0))
            << e.path();
        ++refused;
      }
    }
  }
  std::printf("%zu tensors, %zu sequences and optional values refused\n", tensors, refused);
}

}  // namespace
}  // namespace compressor::test
