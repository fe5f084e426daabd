// Files appear whole or not at all, and an interrupted process leaves nothing behind.
#include "compressor/base/atomic_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "compressor/base/error.h"
#include "compressor/base/hash.h"
#include "compressor/base/memory_map.h"

namespace compressor {
namespace {

namespace fs = std::filesystem;

class AtomicFileTest : public testing::Test {
 protected:
  AtomicFileTest() {
    std::string name = (fs::temp_directory_path() / "compressor_test.XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    dir_ = name;
  }
  ~AtomicFileTest() override { fs::remove_all(dir_); }
  std::string path(const std::string& name) const { return (dir_ / name).string(); }
  static std::string content(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return std::move(text).str();
  }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(dir_), fs::directory_iterator()));
  }
  static std::string error(const std::function<void()>& action) {
    try {
      action();
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kIo);
      return e.what();
    }
    return "no error";
  }
  fs::path dir_;
};

TEST_F(AtomicFileTest, AppearsOnCommitOnly) {
  std::ofstream(path("a")) << "old";
  {
    AtomicFile file(path("a"));
    file.write("new");
    EXPECT_EQ(content(path("a")), "old");
    EXPECT_EQ(files(), 2U);
    const auto temporary = [&] {
      for (const auto& e : fs::directory_iterator(dir_)) {
        if (e.path().filename() != "a") return e.path().filename().string();
      }
      return std::string();
    }();
    EXPECT_NE(temporary.find(".tmp"), std::string::npos);
    EXPECT_NE(temporary.find(std::to_string(::getpid())), std::string::npos);
  }
  EXPECT_EQ(content(path("a")), "old");
  EXPECT_EQ(files(), 1U);
  AtomicFile file(path("a"));
  file.write("ne");
  file.write("w");
  file.commit();
  EXPECT_EQ(content(path("a")), "new");
  EXPECT_EQ(file.size(), 3U);
  EXPECT_EQ(files(), 1U);
}

TEST_F(AtomicFileTest, SmallAndLargePiecesKeepTheirOrder) {
  std::string expected;
  std::string large(3U << 20U, 'x');
  {
    AtomicFile file(path("a"));
    std::ofstream(path("source")) << std::string(9U << 20U, 's') << "tail";
    const auto source = MappedFile::open(path("source"));
    for (const char* small : {"a", "bc", "def"}) {
      file.write(small);
      file.write(large);
      file.copy(*source, 1, source->bytes().size() - 1);
      expected += small + large + std::string((9U << 20U) - 1, 's') + "tail";
    }
    file.commit();
  }
  EXPECT_TRUE(content(path("a")) == expected);
}

TEST_F(AtomicFileTest, ModeFollowsTheUmask) {
  const mode_t old = ::umask(027);
  AtomicFile file(path("a"));
  file.write("x");
  file.commit();
  ::umask(old);
  struct stat st = {};
  ASSERT_EQ(::stat(path("a").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777U, 0640U);
}

TEST_F(AtomicFileTest, Refusals) {
  EXPECT_NE(error([&] { AtomicFile f(dir_.string()); }).find("is a directory"), std::string::npos);
  EXPECT_NE(error([&] { AtomicFile f(path("x/")); }).find("not the name of a file"), std::string::npos);
  EXPECT_NE(error([&] { AtomicFile f(""); }).find("not the name of a file"), std::string::npos);
  EXPECT_NE(error([&] { AtomicFile f("/dev/null"); }).find("not a regular file"), std::string::npos);
  const std::string missing = path("no/such/folder/a");
  EXPECT_NE(error([&] { AtomicFile f(missing); }).find(missing), std::string::npos);
  EXPECT_NE(error([&] { check_writable(missing); }).find(missing), std::string::npos);
  std::ofstream(path("file")) << "x";
  EXPECT_NE(error([&] { AtomicFile f(path("file/a")); }).find("file/a"), std::string::npos);
  fs::create_symlink(path("file"), path("link"));
  fs::create_hard_link(path("file"), path("hard"));
  for (const char* name : {"file", "link", "hard", "./file"}) {
    EXPECT_NE(error([&] { check_not_same_file(path(name), path("file")); }).find("same file"),
              std::string::npos);
  }
  check_not_same_file(path("other"), path("file"));
  EXPECT_EQ(files(), 3U);
}

TEST_F(AtomicFileTest, LinkIsReplacedNotFollowed) {
  std::ofstream(path("target")) << "old";
  fs::create_symlink("target", path("link"));
  AtomicFile file(path("link"));
  file.write("new");
  file.commit();
  EXPECT_EQ(content(path("target")), "old");
  EXPECT_EQ(content(path("link")), "new");
}

TEST_F(AtomicFileTest, NamesNearTheLimit) {
  const std::string name(250, 'n');
  AtomicFile file(path(name));
  file.write("x");
  file.commit();
  EXPECT_EQ(content(path(name)), "x");
}

TEST_F(AtomicFileTest, TwoFilesOrNone) {
  {
    AtomicFile side(path("placeholder"));
    AtomicFile main(path("main"));
    side.write("side");
    main.write("main");
    side.set_path(path("side"));
    AtomicFile::commit(side, main);
    EXPECT_EQ(content(path("side")) + content(path("main")), "sidemain");
    EXPECT_EQ(files(), 2U);
  }
  fs::create_directory(path("blocked"));
  AtomicFile side(path("side2"));
  AtomicFile main(path("blocked2"));
  fs::create_directory(path("blocked2"));  // after the check: the rename fails
  side.write("x");
  main.write("y");
  EXPECT_NE(error([&] { AtomicFile::commit(side, main); }).find("cannot replace"), std::string::npos);
  EXPECT_FALSE(fs::exists(path("side2")));
}

TEST_F(AtomicFileTest, HashIsThatOfXxh3) {
  EXPECT_EQ(hash_hex({}), "99aa06d3014798d86001c324468d497f");  // published for the empty input
  const std::string text(3U << 20U, 'h');
  std::ofstream(path("a")) << text;
  const auto bytes = std::as_bytes(std::span(text));
  Hasher hasher;
  hasher.update(bytes.first(1000));
  hasher.update(bytes.subspan(1000));
  EXPECT_EQ(hasher.hex(), hash_hex(bytes));
  EXPECT_EQ(hash_file(path("a")), hash_hex(bytes));
  EXPECT_EQ(hash_hex(bytes).size(), 32U);
}

}  // namespace
}  // namespace compressor
