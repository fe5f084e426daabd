// layout: reorders are transposes of [C, places] planes, in tiles that fit the first cache.
#include "compressor/kernels/layout.h"

#include <algorithm>
#include <cstring>

#include "compressor/base/error.h"
#include "compressor/kernels/in_parallel.h"

namespace compressor::kernels {
namespace {

constexpr std::int64_t kTile = 32;

/// out[j * rows + i] = in[i * columns + j] for every one of `count` matrices.
template <class T>
void transpose(const T* in, T* out, std::int64_t count, std::int64_t rows, std::int64_t columns) {
  const std::int64_t tiles = (columns + kTile - 1) / kTile;
  in_parallel(count * rows * columns > (1 << 15), count * tiles, [&](std::int64_t task) {
    const std::int64_t k = task / tiles;
    const std::int64_t t = task % tiles;
    const T* from = in + k * rows * columns;
    T* to = out + k * rows * columns;
    const std::int64_t end = std::min(columns, (t + 1) * kTile);
    for (std::int64_t r = 0; r < rows; r += kTile) {
      const std::int64_t last = std::min(rows, r + kTile);
      for (std::int64_t j = t * kTile; j < end; ++j) {
        for (std::int64_t i = r; i < last; ++i) to[j * rows + i] = from[i * columns + j];
      }
    }
  });
}

}  // namespace

bool same_order(const Dims& shape) {
  if (shape.size() < 3 || shape[1] == 1) return true;
  return std::all_of(shape.begin() + 2, shape.end(), [](std::int64_t d) { return d == 1; });
}

void reorder(const Dims& shape, std::size_t width, Layout from, const std::byte* in, Layout to,
             std::byte* out) {
  const std::uint64_t size = num_elements(shape);
  if (size == 0) return;
  if (from == to || same_order(shape)) {
    std::memcpy(out, in, size * width);
    return;
  }
  const std::int64_t c = shape[1];
  const std::int64_t places = static_cast<std::int64_t>(size) / shape[0] / c;
  const std::int64_t rows = from == Layout::kPlain ? c : places;
  const std::int64_t columns = from == Layout::kPlain ? places : c;
  const auto run = [&]<class T>(T) {
    transpose(reinterpret_cast<const T*>(in), reinterpret_cast<T*>(out), shape[0], rows, columns);
  };
  switch (width) {
    case 1:
      return run(std::uint8_t{});
    case 2:
      return run(std::uint16_t{});
    case 4:
      return run(std::uint32_t{});
    case 8:
      return run(std::uint64_t{});
    default:
      CHECK(false, "no reorder of elements of {} bytes", width);
  }
}

}  // namespace compressor::kernels
