// waiting: how long threads that have nothing to do spin before they sleep.
#pragma once

namespace compressor::cli {

/// GNU OpenMP spins for milliseconds by default: where other work has the other processors, every parallel
/// loop then waits for a thread that waits. It reads its settings before main() begins, so that this starts
/// the program anew with a shorter time. Does nothing where the user has said how to wait (OMP_WAIT_POLICY,
/// GOMP_SPINCOUNT), or the program cannot be started again.
void wait_briefly(char** argv);

}  // namespace compressor::cli
