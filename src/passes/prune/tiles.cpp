// tiles: walks a weight run by run, each run in one tile.
#include "passes/prune/tiles.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "compressor/analysis/weight_stats.h"
#include "compressor/base/error.h"
#include "compressor/base/threads.h"

namespace compressor::prune {
namespace {

/// Calls visit(tile, offset, count) for the runs of [first, first + size), in order; offset counts from
/// first.
template <class Visit>
void each_run(const Tiling& tiling, std::uint64_t first, std::uint64_t size, Visit&& visit) {
  const WeightLayout& w = tiling.layout;
  const std::uint64_t row = w.b * w.inner;             // elements of one index of a
  const std::uint64_t across = tiling.wide * w.inner;  // of one row of a tile
  std::uint64_t at = first;
  while (at < first + size) {
    const std::uint64_t line = at / row;  // batch * a + index of a
    const std::uint64_t strip = line / w.a * tiling.rows() + line % w.a / tiling.tall;
    const std::uint64_t line_end = std::min((line + 1) * row, first + size);
    std::uint64_t within = at - line * row;
    std::uint64_t tile = strip * tiling.columns() + within / across;
    while (at < line_end) {
      const std::uint64_t run = std::min(across - within % across, line_end - at);
      visit(tile++, at - first, run);
      at += run;
      within += run;
    }
  }
}

struct Sums {
  double abs = 0, squares = 0;
  std::uint32_t nonzeros = 0, size = 0;

  void add(std::span<const float> run) {
    for (const float x : run) {
      const auto v = static_cast<double>(x);
      abs += std::fabs(v);
      squares += v * v;
      nonzeros += x != 0.0F ? 1U : 0U;
    }
    size += static_cast<std::uint32_t>(run.size());
  }
};

}  // namespace

TileScores score_tiles(const Tensor& weight, const Tiling& tiling, TileNorm norm) {
  const WeightLayout& w = tiling.layout;
  CHECK(w.batch * w.a * w.b * w.inner == weight.size(), "layout of a weight {}", to_string(weight.shape));
  TileScores scores;
  scores.score.resize(tiling.count());
  scores.nonzeros.resize(tiling.count());
  // A strip of tiles is one stretch of memory, and one thread's work from end to end.
  const std::uint64_t strips = w.batch * tiling.rows();
  parallel_for(static_cast<std::int64_t>(strips), [&](std::int64_t s) {
    const auto strip = static_cast<std::uint64_t>(s);
    const std::uint64_t top = strip % tiling.rows() * tiling.tall;
    const std::uint64_t height = std::min(tiling.tall, w.a - top);
    const std::uint64_t first = (strip / tiling.rows() * w.a + top) * w.b * w.inner;
    const std::uint64_t base = strip * tiling.columns();
    thread_local std::vector<Sums> sums;
    sums.assign(tiling.columns(), {});
    stream_floats(weight, first, height * w.b * w.inner,
                  [&](std::uint64_t at, std::span<const float> values) {
                    each_run(tiling, at, values.size(),
                             [&](std::uint64_t tile, std::uint64_t offset, std::uint64_t count) {
                               sums[tile - base].add(values.subspan(offset, count));
                             });
                  });
    for (std::uint64_t i = 0; i < sums.size(); ++i) {
      const auto n = static_cast<double>(sums[i].size);
      scores.score[base + i] =
          static_cast<float>(norm == TileNorm::kMeanAbs ? sums[i].abs / n : std::sqrt(sums[i].squares / n));
      scores.nonzeros[base + i] = sums[i].nonzeros;
    }
  });
  return scores;
}

Mask tile_mask(const Tensor& weight, const Tiling& tiling, std::shared_ptr<const std::vector<bool>> gone) {
  const auto width = static_cast<std::size_t>(bits(weight.dtype)) / 8;
  Mask mask;
  mask.zero = [=, gone = std::move(gone)](std::uint64_t first, std::span<std::byte> elements) {
    each_run(tiling, first, elements.size() / width,
             [&](std::uint64_t tile, std::uint64_t offset, std::uint64_t count) {
               if ((*gone)[tile]) std::memset(elements.data() + offset * width, 0, count * width);
             });
  };
  return mask;
}

}  // namespace compressor::prune
