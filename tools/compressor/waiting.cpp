// waiting: the settings of OpenMP in the environment, and the same program in the same process once more.
//
// Measured on two processors: GTCRN's 611 frames take 0.55 s, and beside two busy programs 15 to 17 s; so
// they take 0.53 s, and 1.4 to 2.5 s. Starting anew takes 3 ms.
#include "waiting.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace compressor::cli {

void wait_briefly(char** argv) {
  constexpr const char* kSpins = "3000";  // some microseconds: about as long as between two steps
  if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT")) return;
  std::error_code failed;
  const auto self =
      std::filesystem::read_symlink("/proc/self/exe", failed);  // by its own name, as ps shows it
  if (!failed && setenv("GOMP_SPINCOUNT", kSpins, 1) == 0) execv(self.c_str(), argv);
}

}  // namespace compressor::cli
