// random: a seeded order, the baseline that every other measure must beat.
#include "compressor/base/random.h"

#include <string>

#include "passes/prune/criterion.h"

namespace compressor::prune {

void register_random(CriterionTable& table) {
  table.add({"random", "baseline", "a random order given by --seed",
             [](const ChannelGroup& group, ScoreContext& context, std::string&) {
               // A stream of its own for every group, so that one group's size does not shift another's
               // numbers.
               std::uint64_t stream = context.seed;
               for (const char c : group.label())
                 stream = stream * 1099511628211ULL + static_cast<unsigned char>(c);
               Random random(stream);
               std::vector<double> scores;
               for (std::size_t i = 0; i < group.units.size(); ++i) scores.push_back(random.uniform());
               return scores;
             }});
}

}  // namespace compressor::prune
