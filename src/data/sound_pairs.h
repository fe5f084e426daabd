// sound_pairs: which sound is what another one should become.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/listing.h"

namespace compressor::data {

/// The sound that `path` should become: beside it under the name with `_clean`, `_enh` or `_target` in place
/// of `_noisy` or `_mix` at its end, or of the same name in a folder `clean` beside its folder `noisy`.
std::optional<std::string> wanted_sound(const std::string& path);

/// Where some files have such a sound, leaves these alone in the list and their sounds, in the same order, in
/// the result; else changes nothing and gives none.
std::vector<std::string> pair_up(Listing& listing);

}  // namespace compressor::data
