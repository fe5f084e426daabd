// frames: windows, spectra, and overlap-add.
#include "compressor/data/frames.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "compressor/base/error.h"
#include "compressor/base/fourier.h"

namespace compressor {
namespace {

using Complex = std::complex<double>;

std::vector<double> window_of(const Frames& frames) {
  std::vector<double> window(static_cast<std::size_t>(frames.frame), 1);
  if (frames.window == Frames::Window::kNone) return window;
  for (std::size_t i = 0; i < window.size(); ++i) {
    const double root =
        std::sin(std::numbers::pi * static_cast<double>(i) / static_cast<double>(frames.frame));
    window[i] = frames.window == Frames::Window::kHann ? root * root : root;
  }
  return window;
}

std::size_t bins(const Frames& frames) {
  return static_cast<std::size_t>(frames.frame / 2 + 1);
}

/// frame/2 + 1 frequencies, from 0 on.
std::vector<Complex> spectrum_of(const Frames& frames, std::span<const double> values) {
  std::vector<Complex> spectrum = fourier({values.begin(), values.end()}, false);
  spectrum.resize(bins(frames));
  return spectrum;
}

std::vector<double> values_of(const Frames& frames, const std::vector<Complex>& spectrum) {
  const auto n = static_cast<std::size_t>(frames.frame);
  std::vector<Complex> both = spectrum;
  for (std::size_t k = both.size(); k < n; ++k) both.push_back(std::conj(spectrum[n - k]));
  std::vector<double> values;
  for (const Complex& v : fourier(both, true)) values.push_back(v.real());
  return values;
}

/// The spectrum that an answer stands for.
std::vector<Complex> answered(const FrameTruth& frame, std::span<const double> answer) {
  const Frames& frames = *frame.frames;
  const bool mask = frames.answer == Frames::Answer::kMask;
  std::vector<Complex> spectrum(bins(frames));
  for (std::size_t k = 0; k < spectrum.size(); ++k) {
    if (mask) {
      spectrum[k] = frame.spectrum[k] * answer[k];
    } else if (frames.spectrum == Frames::Spectrum::kComplex) {
      spectrum[k] = {answer[2 * k], answer[2 * k + 1]};
    } else {
      spectrum[k] = std::polar(1.0, std::arg(frame.spectrum[k])) * answer[k];
    }
  }
  return spectrum;
}

}  // namespace

std::int64_t Frames::count(std::int64_t length) const {
  if (length <= 0) return 0;
  switch (edges) {
    case Edges::kInside:
      return length <= frame ? 1 : 1 + (length - frame + hop - 1) / hop;
    case Edges::kMirror:
      return length / hop + 1;
    case Edges::kPast:
      return (length + hop - 1) / hop;
  }
  return 0;
}

std::int64_t Frames::begin(std::int64_t i) const {
  switch (edges) {
    case Edges::kInside:
      return i * hop;
    case Edges::kMirror:
      return i * hop - frame / 2;
    case Edges::kPast:
      return (i + 1) * hop - frame;
  }
  return 0;
}

Dims Frames::dims() const {
  if (!shape.empty()) return shape;
  if (spectrum == Spectrum::kNone) return {frame};
  if (spectrum == Spectrum::kMagnitude) return {frame / 2 + 1};
  return {frame / 2 + 1, 2};
}

std::uint64_t Frames::answers() const {
  if (answer == Answer::kMask && spectrum == Spectrum::kComplex) return bins(*this);
  return num_elements(dims());
}

Tensor frame_numbers(const Frames& frames, std::span<const float> values, FrameTruth& truth) {
  CHECK(static_cast<std::int64_t>(values.size()) == frames.frame);
  std::vector<double> numbers(values.begin(), values.end());
  const std::vector<double> window = window_of(frames);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] *= window[i];
  if (frames.spectrum != Frames::Spectrum::kNone) {
    std::vector<Complex> spectrum = spectrum_of(frames, numbers);
    numbers.clear();
    for (const Complex& v : spectrum) {
      if (frames.spectrum == Frames::Spectrum::kMagnitude) {
        numbers.push_back(std::abs(v));
      } else {
        numbers.insert(numbers.end(), {v.real(), v.imag()});
      }
    }
    const bool says_all =
        frames.answer == Frames::Answer::kSame && frames.spectrum == Frames::Spectrum::kComplex;
    if (!says_all) truth.spectrum = std::move(spectrum);
  }
  return Tensor::of(DType::kFloat, frames.dims(), numbers);
}

std::vector<double> OverlapAdd::add(const FrameTruth& frame, std::span<const double> answer) {
  const Frames& frames = *frame.frames;
  const auto n = static_cast<std::size_t>(frames.frame);
  CHECK(answer.size() == frames.answers());
  if (sum_.size() != n || frame.begin != next_) {
    sum_.assign(n, 0);
    weight_.assign(n, 0);
  }
  const std::vector<double> values = frames.spectrum == Frames::Spectrum::kNone
                                         ? std::vector<double>(answer.begin(), answer.end())
                                         : values_of(frames, answered(frame, answer));
  const std::vector<double> window = window_of(frames);
  for (std::size_t i = 0; i < n; ++i) {
    sum_[i] += values[i] * window[i];
    weight_[i] += window[i] * window[i];
  }
  constexpr double kNothing = 1e-12;  // no window reaches there
  std::vector<double> complete;
  const auto hop = static_cast<std::ptrdiff_t>(frames.hop);
  for (std::ptrdiff_t i = std::max<std::int64_t>(0, -frame.begin); i < hop; ++i) {
    const auto at = static_cast<std::size_t>(i);
    complete.push_back(weight_[at] > kNothing ? sum_[at] / weight_[at] : 0);
  }
  for (std::vector<double>* list : {&sum_, &weight_}) {
    list->erase(list->begin(), list->begin() + hop);
    list->resize(n, 0);
  }
  next_ = frame.begin + frames.hop;
  return complete;
}

}  // namespace compressor
