// threads: a parallel loop over threads that sleep when they have nothing to do.
//
// The loops of this program are long (megabytes of weights an item) and stand between stretches of writing
// files. A pool of OpenMP's would spin between them: measured on 574 MB of weights, that is a second of
// processor time that the kernel's own writing lacks. Threads that are started for a loop cost some tens of
// microseconds.
#include "compressor/base/threads.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "compressor/base/error.h"

namespace compressor {
namespace {

/// Set in a worker: a loop inside a loop runs on the thread that asks for it.
thread_local bool in_loop = false;

}  // namespace

void set_threads(int count) {
  if (count < 0) throw Error::usage("threads: found {}, expected 0 (all processors) or more", count);
  omp_set_num_threads(count == 0 ? omp_get_num_procs() : count);
}

int threads() {
  return omp_get_max_threads();
}

void parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& body) {
  std::exception_ptr error;
  std::int64_t error_at = count;
  std::mutex guard;
  std::atomic<std::int64_t> next{0};
  const auto work = [&] {
    const bool outer = std::exchange(in_loop, true);
    for (std::int64_t i = next++; i < count; i = next++) {
      try {
        body(i);
      } catch (...) {
        const std::lock_guard lock(guard);
        if (i < error_at) {
          error_at = i;
          error = std::current_exception();
        }
      }
    }
    in_loop = outer;
  };
  const std::int64_t workers = in_loop ? 0 : std::min<std::int64_t>(threads(), count) - 1;
  {
    std::vector<std::jthread> pool;
    for (std::int64_t t = 0; t < workers; ++t) pool.emplace_back(work);
    work();
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace compressor
