// in_parallel: a loop over independent work on the process's pool, where that is worth waking it.
#pragma once

#include <cstdint>

namespace compressor::kernels {

/// The pool has more than this thread, and does not wait for it already.
bool has_pool();

/// body(i) for i in [0, count), each once, in parallel where it is `worth` it. The body must not throw, and
/// its results must not depend on the order. Short work runs as a plain loop: a parallel region costs a call
/// of the system at its end even when it is told to have one thread, a microsecond that small operators
/// would spend each time.
template <class Body>
inline void in_parallel(bool worth, std::int64_t count, const Body& body) {
  if (!worth || count < 2 || !has_pool()) {
    for (std::int64_t i = 0; i < count; ++i) body(i);
    return;
  }
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < count; ++i) body(i);
}

}  // namespace compressor::kernels
