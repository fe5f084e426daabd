// slices: a large batch goes through the first steps of a program a few samples at a time.
//
// What one step writes for a few samples the next one still finds in the cache; what it writes for all of
// them comes back from memory (bench/forward.sh mobilenet_32). It ends where a step reads more weights than
// numbers, because those would be read again for every slice.
#pragma once

#include "engine/program.h"

namespace compressor::engine {

struct Slices {
  std::size_t end = 0;       ///< steps [0, end); 0: not worth it
  std::int64_t samples = 1;  ///< of a slice, at most
  std::vector<int> inputs;   ///< slots of the graph inputs that are cut
  std::vector<int> borders;  ///< slots filled before `end` that somebody reads later
};

/// By declared shapes, of which the first axis may be open. The steps in it treat every sample, a position of
/// axis 0, apart.
Slices find_slices(const Program& program, const FactsMap& facts);

/// How many samples of `batch` go together; `batch` itself where it is not worth cutting.
std::int64_t samples_of(const Slices& slices, std::int64_t batch);

/// Samples [first, first + count) of a value.
ops::RunValue slice_of(const ops::RunValue& whole, std::int64_t first, std::int64_t count);

/// A value that is put together from slices, in the order of the first one's elements.
class Joined {
 public:
  void add(Held& slice, std::int64_t first, std::int64_t batch);
  HeldPtr finish() const;

 private:
  ops::RunValue whole_;
  kernels::Buffer buffer_;
};

}  // namespace compressor::engine
