// setting: one key=value of --preprocess, with all that its error needs, and the words that settings know.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compressor/data/preprocess.h"

namespace compressor::data {

using Numbers = std::vector<double>;

template <class T>
struct Word {
  const char* word;
  T value;
};
constexpr Word<Preprocess::Filter> kFilters[] = {{"bilinear", Preprocess::Filter::kBilinear},
                                                 {"antialias", Preprocess::Filter::kAntialias},
                                                 {"nearest", Preprocess::Filter::kNearest}};
constexpr Word<Preprocess::Order> kOrders[] = {{"keep", Preprocess::Order::kKeep},
                                               {"rgb", Preprocess::Order::kRgb},
                                               {"bgr", Preprocess::Order::kBgr},
                                               {"grey", Preprocess::Order::kGrey}};
constexpr Word<Preprocess::Layout> kLayouts[] = {{"nchw", Preprocess::Layout::kNchw},
                                                 {"nhwc", Preprocess::Layout::kNhwc}};
constexpr Word<Frames::Window> kWindows[] = {{"none", Frames::Window::kNone},
                                             {"hann", Frames::Window::kHann},
                                             {"sqrt_hann", Frames::Window::kSqrtHann}};
constexpr Word<Frames::Spectrum> kSpectra[] = {{"none", Frames::Spectrum::kNone},
                                               {"complex", Frames::Spectrum::kComplex},
                                               {"magnitude", Frames::Spectrum::kMagnitude}};
constexpr Word<Frames::Edges> kEdges[] = {
    {"inside", Frames::Edges::kInside}, {"mirror", Frames::Edges::kMirror}, {"past", Frames::Edges::kPast}};
constexpr Word<Frames::Answer> kAnswers[] = {{"same", Frames::Answer::kSame},
                                             {"mask", Frames::Answer::kMask}};
constexpr Word<bool> kPlaces[] = {{"centre", true}, {"corner", false}};

template <class T, std::size_t N>
const char* word_of(const Word<T> (&words)[N], T value) {
  for (const Word<T>& w : words) {
    if (w.value == value) return w.word;
  }
  return "";
}

struct Setting {
  std::string where, key, value;

  /// Throws Error::usage: "where: key: found 'value', expected ...".
  [[noreturn]] void fail(const std::string& expected) const;
  [[noreturn]] void fail_of(const std::vector<std::string>& words) const;

  template <class T, std::size_t N>
  T one_of(const Word<T> (&words)[N]) const {
    std::vector<std::string> names;
    for (const Word<T>& w : words) {
      if (value == w.word) return w.value;
      names.emplace_back(w.word);
    }
    fail_of(names);
  }

  /// "0.5", "1/255"; nullopt for anything else.
  static std::optional<double> number(std::string_view text);
  /// Separated by colons.
  Numbers numbers() const;
  /// Of pixels.
  std::int64_t count(std::string_view text, std::int64_t least) const;
  /// Of values and such, not of pixels.
  std::int64_t whole(std::string_view text, std::int64_t most) const;
  /// S -> {S, 0}, HxW -> {H, W}.
  std::pair<std::int64_t, std::int64_t> size() const;
};

}  // namespace compressor::data
