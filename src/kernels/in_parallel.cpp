// in_parallel: what is asked of the pool before a loop is shared.
#include "compressor/kernels/in_parallel.h"

#include <omp.h>

namespace compressor::kernels {

bool has_pool() {
  return omp_get_max_threads() > 1 && omp_in_parallel() == 0;
}

}  // namespace compressor::kernels
