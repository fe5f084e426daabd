// NonMaxSuppression: boxes that do not overlap better ones; how many there are is not known before.
#include <algorithm>

#include "ops/elements.h"
#include "ops/expect.h"

namespace compressor::ops {
namespace {

// boxes [N, B, 4], scores [N, classes, B] -> [chosen, 3]
void infer(InferContext& ctx) {
  expect_rank(ctx, ctx.in(0), "boxes", 3, 3);
  expect_rank(ctx, ctx.in(1), "scores", 3, 3);
  if (ctx.in(0).ranked) agree(ctx, SymDim(4), ctx.in(0).dims[2], "numbers of a box");
  ctx.set(0, DType::kInt64, {SymDim(), SymDim(3)});
}

struct Box {
  float y1, x1, y2, x2;
  float area() const { return (y2 - y1) * (x2 - x1); }
};

/// Corners in either order, or centre, width and height (x first).
Box box_of(const float* b, bool centre) {
  if (centre) return {b[1] - b[3] / 2, b[0] - b[2] / 2, b[1] + b[3] / 2, b[0] + b[2] / 2};
  return {std::min(b[0], b[2]), std::min(b[1], b[3]), std::max(b[0], b[2]), std::max(b[1], b[3])};
}

/// Their intersection is a larger part of their union than that.
bool overlap(const Box& a, const Box& b, float threshold) {
  const float height = std::min(a.y2, b.y2) - std::max(a.y1, b.y1);
  const float width = std::min(a.x2, b.x2) - std::max(a.x1, b.x1);
  if (height <= 0 || width <= 0 || a.area() <= 0 || b.area() <= 0) return false;
  const float common = height * width;
  const float both = a.area() + b.area() - common;
  return both > 0 && common / both > threshold;
}

/// Boxes of one class, best first; of equal scores the first.
std::vector<std::int64_t> choose(const std::vector<Box>& boxes, const float* scores, std::int64_t most,
                                 float iou, const float* least) {
  std::vector<std::int64_t> order;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(boxes.size()); ++i) {
    if (!least || scores[i] > *least) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int64_t a, std::int64_t b) { return scores[a] > scores[b]; });
  std::vector<std::int64_t> chosen;
  for (const std::int64_t i : order) {
    if (static_cast<std::int64_t>(chosen.size()) >= most) break;
    const Box& box = boxes[static_cast<std::size_t>(i)];
    const bool hidden = std::any_of(chosen.begin(), chosen.end(), [&](std::int64_t k) {
      return overlap(box, boxes[static_cast<std::size_t>(k)], iou);
    });
    if (!hidden) chosen.push_back(i);
  }
  return chosen;
}

// boxes, scores, most boxes of a class, threshold of overlap, of scores -> (sample, class, box)
void compute(ComputeContext& ctx) {
  const Dims& b = ctx.in(0).shape;
  const Dims& s = ctx.in(1).shape;
  if (b.size() != 3 || s.size() != 3 || b[2] != 4 || s[0] != b[0] || s[2] != b[1]) {
    ctx.fail("boxes are {} and scores {}, expected [N, B, 4] and [N, classes, B]", to_string(b),
             to_string(s));
  }
  const std::int64_t most = ctx.has(2) ? to_ints(ctx.in(2)).at(0) : 0;
  const float iou = ctx.has(3) ? to_floats(ctx.in(3)).at(0) : 0.0F;
  const float least = ctx.has(4) ? to_floats(ctx.in(4)).at(0) : 0.0F;
  const bool centre = ctx.node().int_or("center_point_box", 0) != 0;
  const Elements<float> numbers(ctx.in(0));
  const Elements<float> scores(ctx.in(1));
  std::vector<std::int64_t> out;
  for (std::int64_t n = 0; n < b[0]; ++n) {
    std::vector<Box> boxes;
    for (std::int64_t i = 0; i < b[1]; ++i)
      boxes.push_back(box_of(numbers.data() + (n * b[1] + i) * 4, centre));
    for (std::int64_t c = 0; c < s[1]; ++c) {
      const float* of_class = scores.data() + (n * s[1] + c) * s[2];
      for (const std::int64_t i : choose(boxes, of_class, most, iou, ctx.has(4) ? &least : nullptr)) {
        out.insert(out.end(), {n, c, i});
      }
    }
  }
  ctx.set(0, Tensor::of({static_cast<std::int64_t>(out.size() / 3), 3}, std::span<const std::int64_t>(out)));
}

}  // namespace

void register_non_max_suppression(OpTable& table) {
  table.add({.type = "NonMaxSuppression", .infer = infer, .compute = compute});
}

}  // namespace compressor::ops
