// geometry: boxes between the source picture and the network's input.
#include <algorithm>

#include "compressor/data/sample.h"

namespace compressor {
namespace {

Box clipped(Box box, double height, double width) {
  box.x1 = std::clamp(box.x1, 0.0, width);
  box.x2 = std::clamp(box.x2, 0.0, width);
  box.y1 = std::clamp(box.y1, 0.0, height);
  box.y2 = std::clamp(box.y2, 0.0, height);
  return box;
}

Box mirror(Box box, double width) {
  const double left = width - box.x2;
  box.x2 = width - box.x1;
  box.x1 = left;
  return box;
}

}  // namespace

Box Geometry::to_source(const Box& box) const {
  Box b = mirrored ? mirror(box, static_cast<double>(width)) : box;
  b.x1 = (b.x1 - offset_x) / scale_x;
  b.x2 = (b.x2 - offset_x) / scale_x;
  b.y1 = (b.y1 - offset_y) / scale_y;
  b.y2 = (b.y2 - offset_y) / scale_y;
  return clipped(b, static_cast<double>(source_height), static_cast<double>(source_width));
}

Box Geometry::to_network(const Box& box) const {
  Box b = box;
  b.x1 = b.x1 * scale_x + offset_x;
  b.x2 = b.x2 * scale_x + offset_x;
  b.y1 = b.y1 * scale_y + offset_y;
  b.y2 = b.y2 * scale_y + offset_y;
  if (mirrored) b = mirror(b, static_cast<double>(width));
  return clipped(b, static_cast<double>(height), static_cast<double>(width));
}

}  // namespace compressor
