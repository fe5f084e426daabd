// stream: writes a rope: pieces are read or computed in parallel while those before them are written.
#pragma once

#include "compressor/base/atomic_file.h"
#include "compressor/base/hash.h"
#include "onnx/rope.h"

namespace compressor::wire {

/// Appends the rope to `file`; feeds `hasher` when given.
void stream(const Rope& rope, AtomicFile& file, Hasher* hasher);

}  // namespace compressor::wire
