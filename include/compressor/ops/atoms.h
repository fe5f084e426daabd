// atoms: which positions of which axes stand and fall together. Union-find over atoms whose members may be
// products.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "compressor/graph/graph.h"

namespace compressor {

using Atom = std::uint32_t;
/// What stands at one position of an axis: a tuple of atoms, interned. The position goes when any of them
/// goes. kNoPlace is the empty tuple: it never goes.
using Place = std::uint32_t;
inline constexpr Place kNoPlace = 0;
/// One place per position of an axis; an empty list is an axis that is not tracked (batch, time, size 1).
using Places = std::vector<Place>;

/// Why an atom may not be cut.
struct Reason {
  NodeId node = 0;  ///< 0: no single node
  std::string text;
};

/// The classes. All operations keep what must stay together together; where structure cannot be followed, the
/// atoms concerned are frozen, never silently dropped.
class Atoms {
 public:
  Atoms();
  /// n new atoms, one a place.
  Places fresh(std::int64_t n);
  /// One new atom that stands at all n places: an axis that is frozen or goes as a whole.
  Places same(std::int64_t n);

  /// Position by position: a[i] goes exactly when b[i] goes. Lists of one length; an untracked one freezes
  /// the other.
  void join(const Places& a, const Places& b, const Reason& why);
  void freeze(const Places& places, const Reason& why);
  void freeze_place(Place place, const Reason& why);
  /// Removing any of these changes results even if they are zero (mean, softmax, norm over the axis).
  void approximate(const Places& places, const Reason& why);

  /// An axis of length f0 * f1 * ... seen as several axes, row-major; one list per factor. A flat position
  /// becomes the tuple of its factors. A factor of 1 is not tracked, nor is the outer one of what is no
  /// product.
  std::vector<Places> split(const Places& flat, std::span<const std::int64_t> factors, const Reason& why);
  /// Several axes merged into one, row-major: tuples are concatenated. lengths[i] is the length of axis i,
  /// whose list may be untracked.
  Places merge(std::span<const Places> axes, std::span<const std::int64_t> lengths);
  /// Places at the given positions.
  static Places pick(const Places& list, std::span<const std::int64_t> positions);

  // Asking.
  /// The class (root atom) tuple of a place, without repetition, in order from outer to inner.
  std::vector<Atom> classes(Place place);
  /// Frozen for good.
  const Reason* frozen(Atom root);
  /// Only with --through-norm.
  const Reason* approximated(Atom root);
  std::size_t size() const { return parent_.size(); }

 private:
  Atom new_atom();
  Atom find(Atom a);
  Place intern(std::vector<Atom> tuple);
  void unite(Atom a, Atom b, const Reason& why);
  void define(Atom a, const std::vector<Atom>& tuple, const Reason& why);
  void join_place(Place a, Place b, const Reason& why);
  void expand(Atom a, std::vector<Atom>& out);
  void split2(const Places& flat, std::int64_t outer, std::int64_t inner, const Reason& why,
              Places& out_outer, Places& out_inner, int depth);
  void freeze_atom(Atom a, const Reason& why);

  std::vector<Atom> parent_;
  std::vector<std::uint32_t> rank_;
  std::map<Atom, std::vector<Atom>> product_;  ///< root atom that is a product of others
  std::map<Atom, Reason> frozen_, approximated_;
  std::vector<std::vector<Atom>> tuples_;
  std::map<std::vector<Atom>, Place> interned_;
};

}  // namespace compressor
