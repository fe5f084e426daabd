// tiles: a weight cut into equal tiles of outputs x inputs, scored as wholes and zeroed as wholes.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "passes/prune/mask.h"
#include "passes/prune/prunable.h"

namespace compressor::prune {

/// Tiles of `tall` x `wide` along the axes a and b of a layout, everything of `inner` inside; those at the
/// end of an axis may be smaller. Numbered in the order of memory. Tiles never reach over the batch axis
/// (groups, gates, directions, stacked matrices).
struct Tiling {
  WeightLayout layout;
  std::uint64_t tall = 1, wide = 1;
  std::uint64_t columns() const { return (layout.b + wide - 1) / wide; }
  std::uint64_t rows() const { return (layout.a + tall - 1) / tall; }
  std::uint64_t count() const { return layout.batch * rows() * columns(); }
};

enum class TileNorm : std::uint8_t { kMeanAbs, kRootMeanSquare };

struct TileScores {
  std::vector<float> score;  ///< one for each tile
  std::vector<std::uint32_t> nonzeros;
};

/// One pass over the weight, in parallel; the same bits at any number of threads.
TileScores score_tiles(const Tensor& weight, const Tiling& tiling, TileNorm norm);

/// Zeroes the tiles that are set in `gone`, which has one entry for each tile.
Mask tile_mask(const Tensor& weight, const Tiling& tiling, std::shared_ptr<const std::vector<bool>> gone);

}  // namespace compressor::prune
