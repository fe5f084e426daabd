// atoms: union-find over atoms, where an atom may turn out to be a product of others.
//
//   flat axis   [a0 a1 a2 a3 a4 a5]          reshape to [2, 3]
//   becomes     [(o0 r0) (o0 r1) (o0 r2) (o1 r0) (o1 r1) (o1 r2)]
//
// with a0 := (o0 r0) and so on: removing o0 removes positions 0..2, removing r1 removes 1 and 4; what remains
// is always a rectangle. What is no product (two lists laid end to end and cut in half, say) is tied along
// the inner index: then position r goes from every row or from none.
#include "compressor/ops/atoms.h"

#include <algorithm>

#include "compressor/base/error.h"

namespace compressor {
namespace {

constexpr int kMaxSplitDepth = 16;

}  // namespace

Atoms::Atoms() {
  intern({});
}

Atom Atoms::new_atom() {
  const auto a = static_cast<Atom>(parent_.size());
  parent_.push_back(a);
  rank_.push_back(0);
  return a;
}

Atom Atoms::find(Atom a) {
  while (parent_[a] != a) {
    parent_[a] = parent_[parent_[a]];
    a = parent_[a];
  }
  return a;
}

Place Atoms::intern(std::vector<Atom> tuple) {
  const auto [it, added] = interned_.try_emplace(std::move(tuple), static_cast<Place>(tuples_.size()));
  if (added) tuples_.push_back(it->first);
  return it->second;
}

Places Atoms::fresh(std::int64_t n) {
  Places places;
  places.reserve(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) places.push_back(intern({new_atom()}));
  return places;
}

Places Atoms::same(std::int64_t n) {
  return Places(static_cast<std::size_t>(n), intern({new_atom()}));
}

void Atoms::expand(Atom a, std::vector<Atom>& out) {
  const Atom root = find(a);
  const auto it = product_.find(root);
  if (it == product_.end()) {
    if (std::find(out.begin(), out.end(), root) == out.end()) out.push_back(root);
    return;
  }
  const std::vector<Atom> factors = it->second;
  for (const Atom factor : factors) expand(factor, out);
}

std::vector<Atom> Atoms::classes(Place place) {
  std::vector<Atom> result;
  const std::vector<Atom> tuple = tuples_[place];
  for (const Atom a : tuple) expand(a, result);
  return result;
}

const Reason* Atoms::frozen(Atom root) {
  const auto it = frozen_.find(find(root));
  return it == frozen_.end() ? nullptr : &it->second;
}

const Reason* Atoms::approximated(Atom root) {
  const auto it = approximated_.find(find(root));
  return it == approximated_.end() ? nullptr : &it->second;
}

void Atoms::freeze_atom(Atom a, const Reason& why) {
  frozen_.try_emplace(find(a), why);
}

void Atoms::freeze_place(Place place, const Reason& why) {
  for (const Atom a : classes(place)) freeze_atom(a, why);
}

void Atoms::freeze(const Places& places, const Reason& why) {
  for (const Place p : places) freeze_place(p, why);
}

void Atoms::approximate(const Places& places, const Reason& why) {
  for (const Place p : places) {
    for (const Atom a : classes(p)) approximated_.try_emplace(a, why);
  }
}

void Atoms::unite(Atom a, Atom b, const Reason&) {
  a = find(a);
  b = find(b);
  if (a == b) return;
  if (rank_[a] < rank_[b]) std::swap(a, b);
  if (rank_[a] == rank_[b]) ++rank_[a];
  parent_[b] = a;
  for (auto* notes : {&frozen_, &approximated_}) {
    const auto it = notes->find(b);
    if (it == notes->end()) continue;
    notes->try_emplace(a, it->second);
    notes->erase(it);
  }
}

/// a := tuple, for an atom that is no product yet.
void Atoms::define(Atom a, const std::vector<Atom>& tuple, const Reason& why) {
  a = find(a);
  std::vector<Atom> rest;
  for (const Atom t : tuple) {
    if (find(t) != a) rest.push_back(t);
  }
  if (rest.size() < tuple.size()) {
    // a ~ (a, b...): b going would take a with it, and a alone does not ask for b; only b frozen is always
    // right.
    for (const Atom t : rest) freeze_atom(t, {why.node, why.text + " in a shape that is no rectangle"});
    return;
  }
  const auto frozen = frozen_.find(a);
  if (frozen != frozen_.end()) {
    const Reason reason = frozen->second;
    for (const Atom t : tuple) freeze_atom(t, reason);
  }
  const auto approximated = approximated_.find(a);
  if (approximated != approximated_.end()) {
    const Reason reason = approximated->second;
    for (const Atom t : tuple) approximated_.try_emplace(find(t), reason);
  }
  product_[a] = tuple;
}

void Atoms::join_place(Place a, Place b, const Reason& why) {
  if (a == b) return;
  const std::vector<Atom> x = classes(a);
  const std::vector<Atom> y = classes(b);
  if (x == y) return;
  if (x.empty() || y.empty()) {
    const Reason reason = {why.node, "meets an axis whose channels are not tracked"};
    for (const Atom t : x) freeze_atom(t, reason);
    for (const Atom t : y) freeze_atom(t, reason);
    return;
  }
  if (x.size() == 1 && y.size() == 1) return unite(x[0], y[0], why);
  if (x.size() == 1) return define(x[0], y, why);
  if (y.size() == 1) return define(y[0], x, why);
  if (x.size() == y.size()) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      // Both sides may have become the same or a product by an earlier step.
      join_place(intern({x[i]}), intern({y[i]}), why);
    }
    return;
  }
  const Reason reason = {why.node, why.text + " that are divided in different ways"};
  for (const Atom t : x) freeze_atom(t, reason);
  for (const Atom t : y) freeze_atom(t, reason);
}

void Atoms::join(const Places& a, const Places& b, const Reason& why) {
  if (a.empty() && b.empty()) return;
  if (a.empty() || b.empty()) {
    return freeze(a.empty() ? b : a, {why.node, "meets an axis whose channels are not tracked"});
  }
  CHECK(a.size() == b.size(), "join of {} and {} positions", a.size(), b.size());
  // Lists that are products of different depth, say (kv head, repeat, dim) and (head, dim), are joined factor
  // by factor.
  const std::size_t depth_a = classes(a[0]).size();
  const std::size_t depth_b = classes(b[0]).size();
  if (depth_a != depth_b && depth_a > 1 && depth_b > 1) {
    const Places& shallow = depth_a < depth_b ? a : b;
    const auto n = static_cast<std::int64_t>(a.size());
    const std::vector<Atom> first = classes(shallow[0]);
    // The innermost factor of the shallow list repeats with the period at which its last atom comes back.
    std::int64_t period = 1;
    while (period < n && classes(shallow[static_cast<std::size_t>(period)]).back() != first.back()) ++period;
    if (period > 1 && period < n && n % period == 0) {
      Places oa, ia, ob, ib;
      split2(a, n / period, period, why, oa, ia, 0);
      split2(b, n / period, period, why, ob, ib, 0);
      join(oa, ob, why);
      return join(ia, ib, why);
    }
  }
  for (std::size_t i = 0; i < a.size(); ++i) join_place(a[i], b[i], why);
}

Places Atoms::pick(const Places& list, std::span<const std::int64_t> positions) {
  Places result;
  if (list.empty()) return result;
  for (const std::int64_t p : positions) result.push_back(list.at(static_cast<std::size_t>(p)));
  return result;
}

Places Atoms::merge(std::span<const Places> axes, std::span<const std::int64_t> lengths) {
  CHECK(axes.size() == lengths.size());
  bool tracked = false;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    CHECK(axes[i].empty() || static_cast<std::int64_t>(axes[i].size()) == lengths[i],
          "axis of {} with {} places", lengths[i], axes[i].size());
    tracked = tracked || !axes[i].empty();
  }
  if (!tracked) return {};
  Places result = {kNoPlace};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    Places next;
    next.reserve(result.size() * static_cast<std::size_t>(lengths[i]));
    for (const Place outer : result) {
      if (axes[i].empty()) {
        next.insert(next.end(), static_cast<std::size_t>(lengths[i]), outer);
        continue;
      }
      for (const Place inner : axes[i]) {
        if (outer == kNoPlace || inner == kNoPlace) {
          next.push_back(outer == kNoPlace ? inner : outer);
          continue;
        }
        std::vector<Atom> tuple = tuples_[outer];
        const std::vector<Atom>& tail = tuples_[inner];
        tuple.insert(tuple.end(), tail.begin(), tail.end());
        next.push_back(intern(std::move(tuple)));
      }
    }
    result = std::move(next);
  }
  return result;
}

std::vector<Places> Atoms::split(const Places& flat, std::span<const std::int64_t> factors,
                                 const Reason& why) {
  std::vector<Places> result(factors.size());
  if (flat.empty()) return result;
  Places rest = flat;
  for (std::size_t i = 0; i + 1 < factors.size(); ++i) {
    const auto n = static_cast<std::int64_t>(rest.size());
    CHECK(factors[i] > 0 && n % factors[i] == 0, "{} positions in {} parts", n, factors[i]);
    Places inner;
    split2(rest, factors[i], n / factors[i], why, result[i], inner, 0);
    rest = std::move(inner);
    if (rest.empty()) return result;
  }
  if (!factors.empty() && factors.back() > 1) result.back() = std::move(rest);
  return result;
}

/// flat[h * inner + r] as (outer[h], inner[r]). What is no product has an untracked outer list.
void Atoms::split2(const Places& flat, std::int64_t outer, std::int64_t inner, const Reason& why,
                   Places& out_outer, Places& out_inner, int depth) {
  out_outer.clear();
  out_inner.clear();
  if (outer == 1 || inner == 1) {
    (inner == 1 ? out_outer : out_inner) = flat;
    return;
  }
  const auto n = static_cast<std::size_t>(outer * inner);
  const auto width = static_cast<std::size_t>(inner);
  CHECK(flat.size() == n);
  std::vector<std::vector<Atom>> tuples(n);
  for (std::size_t i = 0; i < n; ++i) tuples[i] = classes(flat[i]);
  const std::size_t length = tuples[0].size();
  const bool uniform =
      std::all_of(tuples.begin(), tuples.end(), [&](const auto& t) { return t.size() == length; });

  const auto part_equal = [&](std::size_t i, std::size_t j, std::size_t from, std::size_t to) {
    return std::equal(tuples[i].begin() + static_cast<std::ptrdiff_t>(from),
                      tuples[i].begin() + static_cast<std::ptrdiff_t>(to),
                      tuples[j].begin() + static_cast<std::ptrdiff_t>(from));
  };
  const auto take = [&](std::size_t i, std::size_t from, std::size_t to) {
    return intern({tuples[i].begin() + static_cast<std::ptrdiff_t>(from),
                   tuples[i].begin() + static_cast<std::ptrdiff_t>(to)});
  };

  if (uniform) {
    // Is there a cut so that what is left of it depends on the outer index alone, what is right of it on the
    // inner?
    for (std::size_t cut = length + 1; cut-- > 0;) {
      bool fits = true;
      for (std::size_t i = 0; fits && i < n; ++i) {
        fits = part_equal(i, i / width * width, 0, cut) && part_equal(i, i % width, cut, length);
      }
      if (!fits) continue;
      if (cut > 0) {
        for (std::size_t h = 0; h < n / width; ++h) out_outer.push_back(take(h * width, 0, cut));
      }
      if (cut < length) {
        for (std::size_t r = 0; r < width; ++r) out_inner.push_back(take(r, cut, length));
      }
      return;
    }
    // A product whose cut falls inside one of its factors: split that factor first, then try again.
    for (std::size_t cut = 1; cut < length && depth < kMaxSplitDepth; ++cut) {
      std::size_t period = 1;  // of the part right of the cut
      const auto repeats = [&](std::size_t p) {
        for (std::size_t i = 0; i < n; ++i) {
          if (!part_equal(i, i % p, cut, length) || !part_equal(i, i / p * p, 0, cut)) return false;
        }
        return true;
      };
      while (period < n && (n % period != 0 || !repeats(period))) ++period;
      if (period == n || period == 1) continue;
      Places part, a, b;
      if (width < period && period % width == 0) {
        for (std::size_t r = 0; r < period; ++r) part.push_back(take(r, cut, length));
        split2(part, static_cast<std::int64_t>(period / width), inner, why, a, b, depth + 1);
      } else if (width > period && width % period == 0) {
        for (std::size_t h = 0; h < n / period; ++h) part.push_back(take(h * period, 0, cut));
        split2(part, outer, static_cast<std::int64_t>(width / period), why, a, b, depth + 1);
      } else {
        continue;
      }
      return split2(flat, outer, inner, why, out_outer, out_inner, depth + 1);
    }
  }
  const bool single = uniform && length == 1;
  if (single && depth < kMaxSplitDepth) {
    out_outer = fresh(outer);
    out_inner = fresh(inner);
    for (std::size_t i = 0; i < n; ++i) {
      std::vector<Atom> tuple = tuples_[out_outer[i / width]];
      tuple.push_back(tuples_[out_inner[i % width]].front());
      join_place(flat[i], intern(std::move(tuple)), why);
    }
    return;
  }
  // No product: the inner index is tied across the outer one, which then never goes.
  for (std::size_t i = width; i < n; ++i) join_place(flat[i % width], flat[i], why);
  out_inner.assign(flat.begin(), flat.begin() + inner);
}

}  // namespace compressor
