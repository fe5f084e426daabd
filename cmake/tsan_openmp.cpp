// tsan_openmp: tells the thread sanitizer where OpenMP's threads meet, so that a race inside a parallel loop
// is seen.
//
// libgomp forks, joins and locks with futexes of its own, which the sanitizer does not understand: it would
// report every parallel loop, and a suppression of those reports would also cover the real ones. The entry
// points that GCC calls are therefore wrapped here, in the sanitizer's build of the tests alone, and each
// says what it orders:
//
//   fork      before GOMP_parallel in the thread that asks  ->  the start of the body in every thread
//   join      the end of the body in every thread           ->  after GOMP_parallel
//   barrier   before it in every thread                     ->  after it in every thread
//   critical  the end of a section                          ->  the start of the next one of its name
#include <dlfcn.h>

extern "C" {
void __tsan_acquire(void* at);  // NOLINT
void __tsan_release(void* at);  // NOLINT

using Body = void (*)(void*);
void GOMP_parallel(Body body, void* data, unsigned threads, unsigned flags);
void GOMP_parallel_loop_nonmonotonic_dynamic(Body body, void* data, unsigned threads, long start, long end,
                                             long step, long chunk, unsigned flags);
void GOMP_parallel_loop_dynamic(Body body, void* data, unsigned threads, long start, long end, long step,
                                long chunk, unsigned flags);
void GOMP_barrier();
void GOMP_loop_end();
void GOMP_critical_start();
void GOMP_critical_end();
void GOMP_critical_name_start(void** name);
void GOMP_critical_name_end(void** name);
}

#define UNSEEN __attribute__((no_sanitize("thread"), noinline))

namespace {

// libgomp's own function of that name.
template <typename F>
UNSEEN F* own(F* /*signature*/, const char* name) {
  return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}

struct Region {
  Body body;
  void* data;
  char fork, join;
};

UNSEEN void run(void* at) {
  auto* region = static_cast<Region*>(at);
  __tsan_acquire(&region->fork);
  region->body(region->data);
  __tsan_release(&region->join);
}

// Tokens: only their addresses are used.
char barrier, unnamed;

UNSEEN void meet(void (*wait)()) {
  __tsan_release(&barrier);
  wait();
  __tsan_acquire(&barrier);
}

template <typename Start>
UNSEEN void fork_and_join(Body body, void* data, const Start& start) {
  Region region{body, data, 0, 0};
  __tsan_release(&region.fork);
  start(&region);
  __tsan_acquire(&region.join);
}

}  // namespace

UNSEEN void GOMP_parallel(Body body, void* data, unsigned threads, unsigned flags) {
  static auto* const next = own(GOMP_parallel, "GOMP_parallel");
  fork_and_join(body, data, [&](Region* region) { next(run, region, threads, flags); });
}

UNSEEN void GOMP_parallel_loop_nonmonotonic_dynamic(Body body, void* data, unsigned threads, long start,
                                                    long end, long step, long chunk, unsigned flags) {
  static auto* const next =
      own(GOMP_parallel_loop_nonmonotonic_dynamic, "GOMP_parallel_loop_nonmonotonic_dynamic");
  fork_and_join(body, data,
                [&](Region* region) { next(run, region, threads, start, end, step, chunk, flags); });
}

UNSEEN void GOMP_parallel_loop_dynamic(Body body, void* data, unsigned threads, long start, long end,
                                       long step, long chunk, unsigned flags) {
  static auto* const next = own(GOMP_parallel_loop_dynamic, "GOMP_parallel_loop_dynamic");
  fork_and_join(body, data,
                [&](Region* region) { next(run, region, threads, start, end, step, chunk, flags); });
}

UNSEEN void GOMP_barrier() {
  static auto* const next = own(GOMP_barrier, "GOMP_barrier");
  meet(next);
}

UNSEEN void GOMP_loop_end() {
  static auto* const next = own(GOMP_loop_end, "GOMP_loop_end");
  meet(next);
}

UNSEEN void GOMP_critical_start() {
  static auto* const next = own(GOMP_critical_start, "GOMP_critical_start");
  next();
  __tsan_acquire(&unnamed);
}

UNSEEN void GOMP_critical_end() {
  static auto* const next = own(GOMP_critical_end, "GOMP_critical_end");
  __tsan_release(&unnamed);
  next();
}

UNSEEN void GOMP_critical_name_start(void** name) {
  static auto* const next = own(GOMP_critical_name_start, "GOMP_critical_name_start");
  next(name);
  __tsan_acquire(name);
}

UNSEEN void GOMP_critical_name_end(void** name) {
  static auto* const next = own(GOMP_critical_name_end, "GOMP_critical_name_end");
  __tsan_release(name);
  next(name);
}
