// Weights beside the model: reading them safely, and writing them so that others can map them.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "compressor/base/hash.h"
#include "compressor/onnx/load.h"
#include "compressor/onnx/save.h"
#include "onnx/proto.h"

namespace compressor::test {
namespace {

void set_entry(::onnx::TensorProto& t, const std::string& key, const std::string& value) {
  for (auto& e : *t.mutable_external_data()) {
    if (e.key() == key) return e.set_value(value);
  }
  auto* e = t.add_external_data();
  e->set_key(key);
  e->set_value(value);
}

std::string entry(const ::onnx::TensorProto& t, const std::string& key) {
  for (const auto& e : t.external_data()) {
    if (e.key() == key) return e.value();
  }
  return "none";
}

/// A model whose weight of `count` floats is in `location`.
::onnx::ModelProto external_model(const std::string& location, std::int64_t count = 4) {
  auto model = tiny_model();
  auto* t = model.mutable_graph()->add_initializer();
  t->set_name("w");
  t->set_data_type(1);
  t->add_dims(count);
  t->set_data_location(::onnx::TensorProto::EXTERNAL);
  set_entry(*t, "location", location);
  return model;
}

TEST(External, ReadsWhatIsThere) {
  const TempDir dir;
  fs::create_directory(dir / "sub");
  std::string data(200, '\0');
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i);
  write_file(dir / "sub/w.bin", data);
  auto model = external_model("sub/w.bin");
  auto& t = *model.mutable_graph()->mutable_initializer(0);
  set_entry(t, "checksum", "abc");
  for (const std::string offset : {"none", "0", "7"}) {
    for (const std::string length : {"none", "16"}) {
      if (offset != "none") set_entry(t, "offset", offset);
      if (length != "none") set_entry(t, "length", length);
      write_proto(dir / "m.onnx", model);
      LoadInfo info;
      const Model loaded = load_model(dir / "m.onnx", {.info = &info});
      const Tensor& w = *loaded.graph->initializers()[0]->initializer();
      EXPECT_TRUE(w.bytes.is_mapped());
      const std::string expected = data.substr(offset == "7" ? 7 : 0, 16);
      EXPECT_EQ(std::string(reinterpret_cast<const char*>(w.bytes.view().data()), 16), expected);
      ASSERT_EQ(info.external.size(), 1U);
      EXPECT_EQ(info.external[0].location, "sub/w.bin");
      EXPECT_EQ(info.total_bytes(), fs::file_size(dir / "m.onnx") + data.size());
      EXPECT_EQ(w.notes->external_extra.size(), 1U);
    }
  }
}

TEST(External, RefusedLocations) {
  const TempDir dir;
  fs::create_directory(dir / "sub");
  fs::create_directory(dir / "models");
  write_file(dir / "secret", std::string(100, 's'));
  write_file(dir / "models/w.bin", std::string(100, 'w'));
  fs::create_symlink(dir / "secret", dir / "models/link");
  fs::create_symlink("w.bin", dir / "models/inner_link");
  fs::create_directory_symlink(dir / "sub", dir / "models/folder_link");
  write_file(dir / "sub/w.bin", std::string(100, 'w'));
  ASSERT_EQ(::mkfifo((dir / "models/fifo").c_str(), 0600), 0);
  const std::vector<std::pair<std::string, std::string>> kCases = {
      {dir / "secret", "is absolute"},
      {"../secret", "contains '..'"},
      {"sub/../../secret", "cannot be read"},
      {"./../secret", "contains '..'"},
      {"..", "contains '..'"},
      {"link", "passes through a link"},
      {"inner_link", "passes through a link"},
      {"folder_link/w.bin", "passes through a link"},
      {"", "is empty"},
      {".", "not a regular file"},
      {"w.bin/", "not a regular file"},
      {"w.bin/x", "cannot be read"},
      {"missing.bin", "cannot be read"},
      {"fifo", "not a regular file"},
      {std::string("w.bin\0x", 7), "zero byte"},
      {std::string(5000, 'a'), "cannot be read"},
  };
  for (const auto& [location, expected] : kCases) {
    SCOPED_TRACE(location);
    write_proto(dir / "models/m.onnx", external_model(location));
    const std::string message = error_of(ErrorKind::kModel, [&] { load_model(dir / "models/m.onnx"); });
    EXPECT_NE(message.find(expected), std::string::npos) << message;
    EXPECT_NE(message.find("tensor 'w'"), std::string::npos) << message;
  }
}

TEST(External, RefusedRanges) {
  const TempDir dir;
  write_file(dir / "w.bin", std::string(20, 'w'));
  const std::vector<std::tuple<std::string, std::string, std::string>> kCases = {
      {"5", "16", "bytes 5 to 21"},
      {"21", "16", "bytes 21"},
      {"9223372036854775807", "16", "which has 20 bytes"},
      {"99999999999999999999", "16", "expected a number"},
      {"-1", "16", "expected a number"},
      {"0x4", "16", "expected a number"},
      {" 4", "16", "expected a number"},
      {"", "16", "expected a number"},
      {"0", "20", "has length 20, expected 16"},
      {"0", "0", "has length 0, expected 16"},
  };
  for (const auto& [offset, length, expected] : kCases) {
    SCOPED_TRACE(offset + " " + length);
    auto model = external_model("w.bin");
    set_entry(*model.mutable_graph()->mutable_initializer(0), "offset", offset);
    set_entry(*model.mutable_graph()->mutable_initializer(0), "length", length);
    write_proto(dir / "m.onnx", model);
    const std::string message = error_of(ErrorKind::kModel, [&] { load_model(dir / "m.onnx"); });
    EXPECT_NE(message.find(expected), std::string::npos) << message;
  }
  auto strings = external_model("w.bin");
  strings.mutable_graph()->mutable_initializer(0)->set_data_type(8);
  write_proto(dir / "m.onnx", strings);
  EXPECT_NE(error_of(ErrorKind::kModel, [&] { load_model(dir / "m.onnx"); }).find("strings"),
            std::string::npos);
  write_proto(dir / "m.onnx", external_model("w.bin", 6));
  EXPECT_NE(error_of(ErrorKind::kModel, [&] { load_model(dir / "m.onnx"); }).find("bytes 0 to 24"),
            std::string::npos);
}

TEST(External, LayoutOfTheSideFile) {
  const TempDir dir;
  auto model = tiny_model();
  auto& graph = *model.mutable_graph();
  *graph.add_initializer() = float_tensor("small", {10});
  *graph.add_initializer() = float_tensor("medium", {300});
  *graph.add_initializer() = float_tensor("large", {5000});
  *graph.add_initializer() = float_tensor("last", {5001});
  auto* typed = graph.add_initializer();
  typed->set_name("typed");
  typed->set_data_type(7);
  typed->add_dims(1000);
  for (int i = 0; i < 1000; ++i) typed->add_int64_data(-i);
  write_proto(dir / "m.onnx", model);
  const SaveResult saved =
      save_model(load_model(dir / "m.onnx"), dir / "out.onnx", {.external = true, .hash = true});
  EXPECT_EQ(saved.file_bytes, fs::file_size(dir / "out.onnx"));
  EXPECT_EQ(saved.side_bytes, fs::file_size(saved.side_path));
  EXPECT_EQ(saved.side_path, dir / ("out." + hash_file(saved.side_path) + ".data"));
  EXPECT_EQ(dir.names().size(), 3U);

  const auto out = parse(dir / "out.onnx");
  const std::string side = read_file(saved.side_path);
  std::vector<bool> used(side.size());
  for (int i = 0; i < out.graph().initializer_size(); ++i) {
    const auto& t = out.graph().initializer(i);
    SCOPED_TRACE(t.name());
    EXPECT_EQ(t.data_location() == ::onnx::TensorProto::EXTERNAL, t.name() != "small");
    if (t.name() == "small") continue;
    EXPECT_FALSE(t.has_raw_data());
    EXPECT_EQ(t.int64_data_size(), 0);
    const std::size_t offset = std::stoul(entry(t, "offset"));
    const std::size_t length = std::stoul(entry(t, "length"));
    EXPECT_EQ(entry(t, "location"), fs::path(saved.side_path).filename().string());
    EXPECT_EQ(offset % (length >= 16384 ? 4096 : 64), 0U);
    const bool same = side.substr(offset, length) == model.graph().initializer(i).raw_data();
    EXPECT_TRUE(same || t.name() == "typed");
    std::fill(used.begin() + static_cast<std::ptrdiff_t>(offset),
              used.begin() + static_cast<std::ptrdiff_t>(offset + length), true);
  }
  for (std::size_t i = 0; i < side.size(); ++i) ASSERT_TRUE(used[i] || side[i] == 0);

  LoadInfo info;
  const Model again = load_model(dir / "out.onnx", {.info = &info});
  EXPECT_EQ(saved.hash, info.hash());
  save_model(again, dir / "single.onnx");
  auto single = parse(dir / "single.onnx");
  auto* t = single.mutable_graph()->mutable_initializer(4);  // only the field of the integers is another
  ASSERT_EQ(t->raw_data().size(), 8000U);
  *t = *typed;
  EXPECT_EQ(difference(model, single), "");
}

TEST(External, TensorsOfNodesGoToTheSideFileOnlyWhenTheyMust) {
  const TempDir dir;
  auto model = tiny_model();
  auto* node = add_node(*model.mutable_graph(), "Constant", {}, {"c"});
  auto* a = node->add_attribute();
  a->set_name("value");
  a->set_type(::onnx::AttributeProto::TENSOR);
  *a->mutable_t() = float_tensor("", {5000});
  write_proto(dir / "m.onnx", model);
  const Model loaded = load_model(dir / "m.onnx");
  EXPECT_EQ(save_model(loaded, dir / "inline.onnx", {.external = true}).side_path, "");
  const SaveResult forced = save_model(loaded, dir / "forced.onnx", {.single_file_limit = 10000});
  EXPECT_EQ(forced.side_bytes, 20000U);
  save_model(load_model(dir / "forced.onnx"), dir / "back.onnx");
  EXPECT_EQ(difference(model, parse(dir / "back.onnx")), "");
}

TEST(External, SideFilesOfEarlierResultsAreNamed) {
  const TempDir dir;
  auto model = tiny_model();
  *model.mutable_graph()->add_initializer() = float_tensor("w", {5000});
  write_proto(dir / "m.onnx", model);
  const SaveResult first = save_model(load_model(dir / "m.onnx"), dir / "out.onnx", {.external = true});
  (*model.mutable_graph()->mutable_initializer(0)->mutable_raw_data())[0] = 'z';
  write_proto(dir / "m.onnx", model);
  const SaveResult second = save_model(load_model(dir / "m.onnx"), dir / "out.onnx", {.external = true});
  EXPECT_NE(first.side_path, second.side_path);
  EXPECT_EQ(second.stale_side_files, std::vector<std::string>{first.side_path});
  const SaveResult third = save_model(load_model(dir / "m.onnx"), dir / "out.onnx", {.external = true});
  EXPECT_EQ(third.side_path, second.side_path);  // same content, same name
}

}  // namespace
}  // namespace compressor::test
