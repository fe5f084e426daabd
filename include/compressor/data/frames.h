// frames: sound cut into overlapping frames, as they are or as spectra, and frames laid back into sound.
#pragma once

#include <complex>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "compressor/tensor/tensor.h"

namespace compressor {

/// How a sound becomes the steps that a network is fed with, and what the network answers to each.
struct Frames {
  /// Periodic windows that frames are multiplied by before their spectrum is taken and once more when they
  /// are laid back.
  enum class Window : std::uint8_t { kNone, kHann, kSqrtHann };
  /// What of frame/2 + 1 frequencies a network sees: the frame itself, both parts of each, their sizes.
  enum class Spectrum : std::uint8_t { kNone, kComplex, kMagnitude };
  /// Where frames lie.
  enum class Edges : std::uint8_t {
    kInside,  ///< the first begins with the sound, the last is filled up with zeros
    kMirror,  ///< centred at 0, hop, 2 hop, ...; the sound is mirrored at both ends (torch.stft, librosa)
    kPast,    ///< the first ends with the first hop, after zeros: each has `hop` new values (streaming)
  };
  /// What the network gives for a frame: the same kind of numbers, or a factor for each of them.
  enum class Answer : std::uint8_t { kSame, kMask };

  std::int64_t frame = 0;  ///< values of a frame; 0: sounds are not cut
  std::int64_t hop = 0;    ///< from one frame to the next
  std::int64_t rate = 0;   ///< values a second that sounds must have; 0: any
  Window window = Window::kNone;
  Spectrum spectrum = Spectrum::kNone;
  Edges edges = Edges::kInside;
  Answer answer = Answer::kSame;
  Dims shape;  ///< of a frame's numbers; empty: [frame], [frame/2 + 1, 2] or [frame/2 + 1]

  bool any() const { return frame > 0; }
  /// Of a sound of `length` values.
  std::int64_t count(std::int64_t length) const;
  /// Place of the first value of frame `i` in the sound; may lie before it.
  std::int64_t begin(std::int64_t i) const;
  /// Shape of a frame's numbers.
  Dims dims() const;
  /// Numbers of an answer.
  std::uint64_t answers() const;
  bool operator==(const Frames&) const = default;
};

/// A frame's place in its sound, and what it takes to lay the answer to it back.
struct FrameTruth {
  std::shared_ptr<const Frames> frames;
  std::int64_t begin = 0;  ///< place of its first value; below 0 where zeros or a mirrored part come first
  /// Its own, where the answer does not say all: to a mask, or without angles. Else empty.
  std::vector<std::complex<double>> spectrum;
  /// The sound as it should become, from max(0, begin) to begin + hop or its end.
  std::optional<std::vector<float>> wanted;
};

/// The frame of `values` as a network sees it; `truth` is given its spectrum where that is needed later.
Tensor frame_numbers(const Frames& frames, std::span<const float> values, FrameTruth& truth);

/// Lays answers back into the sound: windowed frames added up where they overlap, over the sum of the
/// windows' squares (Griffin, Lim 1984). Frames come one after the other; one that does not follow the last
/// one begins another sound.
class OverlapAdd {
 public:
  /// `answer` [Frames::answers()]. Returns what is complete now: the sound from max(0, begin) to begin + hop.
  std::vector<double> add(const FrameTruth& frame, std::span<const double> answer);

 private:
  std::int64_t next_ = 0;
  std::vector<double> sum_, weight_;  ///< [frame], from the frame's begin on
};

}  // namespace compressor
