// augment: changes to a training picture that leave its class as it is.
#pragma once

#include "compressor/base/random.h"
#include "compressor/data/loader.h"

namespace compressor::data {

/// Draws from `random` and changes `image` (fitted, in the output's channel order) and `geometry` alike.
/// `mean_colour` has a value per channel.
void augment(Image& image, Geometry& geometry, const Augment& what,
             const std::vector<std::uint8_t>& mean_colour, Random& random);

/// The colour that `preprocess` makes nearest to zero.
std::vector<std::uint8_t> mean_colour(const Preprocess& preprocess, std::int64_t channels);

}  // namespace compressor::data
