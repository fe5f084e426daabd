// threads: how many threads this process uses, and a parallel loop over independent work.
#pragma once

#include <cstdint>
#include <functional>

namespace compressor {

/// Sets the size of the process's one OpenMP pool; 0 means one per available processor. Throws Error::usage
/// below 0.
void set_threads(int count);
int threads();

/// Calls body(i) for i in [0, count), in parallel, each i once; work is handed out one i at a time.
/// The first exception (lowest i) is rethrown after the loop. Results must not depend on the order.
void parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& body);

}  // namespace compressor
