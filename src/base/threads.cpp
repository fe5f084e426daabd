// threads: OpenMP behind set_threads and parallel_for.
#include "compressor/base/threads.h"

#include <omp.h>

#include <exception>
#include <mutex>

#include "compressor/base/error.h"

namespace compressor {

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
#pragma omp parallel for schedule(dynamic, 1) if (count > 1)
  for (std::int64_t i = 0; i < count; ++i) {
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
  if (error) std::rethrow_exception(error);
}

}  // namespace compressor
