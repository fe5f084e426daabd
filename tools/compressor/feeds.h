// feeds: what a model is given when it is run: arrays of files, or seeded random numbers.
#pragma once

#include <string>
#include <vector>

#include "compressor/analysis/state.h"
#include "compressor/data/frames.h"

namespace compressor::cli {

struct GivenFeeds {
  Executor::Feeds feeds;
  std::vector<std::string> said;  ///< "x: x.npy", "y: random, seed 0": where each came from
};

/// `inputs`: "name=x.npy" (or "x.npy" for the only input), an .npz by names, a folder of input_0.pb, ... in
/// the order of the graph's inputs; "name=x.wav", or "x.wav" for the only input that is no state: the whole
/// sound, or its `frames` one after the other, each with a batch axis of one where there are `states`. What
/// none of them gives is random, with `shapes` for open axes, where `random` is set; else it is an error.
/// Inputs that are `states` may stay without. Throws Error::usage and Error::io.
GivenFeeds read_feeds(const Model& model, const std::vector<std::string>& inputs, bool random,
                      const std::map<std::string, std::vector<std::int64_t>>& shapes, std::uint64_t seed,
                      const std::vector<State>& states = {}, const Frames& frames = {});

/// Random numbers for an input: normal floats, integers 0..7, false and true. Open axes are 1 where first,
/// 8 elsewhere, unless `shape` is given.
Tensor random_input(const Value& input, const std::vector<std::int64_t>* shape, std::uint64_t seed);

}  // namespace compressor::cli
