// An interrupted process leaves nothing behind, and a shrinking input is an input error.
#include "compressor/base/interrupt.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "compressor/base/atomic_file.h"
#include "compressor/base/error.h"
#include "compressor/base/memory_map.h"

namespace compressor {
namespace {

namespace fs = std::filesystem;

TEST(InterruptDeathTest, InterruptRemovesTheTemporary) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    EXPECT_EXIT(
        {
          handle_signals();
          AtomicFile file("/tmp/compressor_interrupt_test");
          file.write(std::string(1U << 20U, 'x'));
          ::raise(signal);
        },
        testing::ExitedWithCode(130), "interrupted");
  }
  for (const auto& e : fs::directory_iterator("/tmp")) {
    EXPECT_FALSE(e.path().filename().string().starts_with("compressor_interrupt_test")) << e.path();
  }
}

TEST(InterruptDeathTest, SideFileGoesOnlyWithItsModel) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        handle_signals();
        std::ofstream("/tmp/compressor_guard_side") << "x";
        std::ofstream("/tmp/compressor_guard_side2") << "x";
        std::ofstream("/tmp/compressor_guard_main") << "x";
        const InterruptGuard committed("/tmp/compressor_guard_side2", "/tmp/compressor_guard_gone");
        const InterruptGuard main("/tmp/compressor_guard_main");
        const InterruptGuard side("/tmp/compressor_guard_side", "/tmp/compressor_guard_main");
        ::raise(SIGINT);
      },
      testing::ExitedWithCode(130), "");
  EXPECT_FALSE(fs::exists("/tmp/compressor_guard_side"));
  EXPECT_FALSE(fs::exists("/tmp/compressor_guard_main"));
  EXPECT_TRUE(fs::exists("/tmp/compressor_guard_side2"));
  fs::remove("/tmp/compressor_guard_side2");
}

TEST(InterruptDeathTest, ShrunkenMappedFileIsAnInputError) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        handle_signals();
        const std::string name = "/tmp/compressor_shrink_test";
        std::ofstream(name) << std::string(100000, 'x');
        const auto file = MappedFile::open(name);
        fs::resize_file(name, 10);
        volatile auto byte = file->bytes()[90000];
        (void)byte;
      },
      testing::ExitedWithCode(6), "compressor_shrink_test: the file became shorter");
  fs::remove("/tmp/compressor_shrink_test");
}

TEST(InterruptDeathTest, FileSizeLimitIsAnErrorOfWriting) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        handle_signals();
        struct rlimit limit = {};
        limit.rlim_cur = limit.rlim_max = 1U << 20U;
        ::setrlimit(RLIMIT_FSIZE, &limit);
        try {
          AtomicFile file("/tmp/compressor_limit_test");
          file.write(std::string(2U << 20U, 'x'));
          file.commit();
        } catch (const Error& e) {
          std::fprintf(stderr, "%s\n", e.what());
          std::exit(e.exit_code());
        }
      },
      testing::ExitedWithCode(6), "compressor_limit_test: cannot write");
  for (const auto& e : fs::directory_iterator("/tmp")) {
    EXPECT_EQ(e.path().filename().string().find("compressor_limit_test"), std::string::npos) << e.path();
  }
}

}  // namespace
}  // namespace compressor
