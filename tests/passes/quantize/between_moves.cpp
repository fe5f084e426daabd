// between_moves: what moves, picks, pads and resizes numbers between quantized layers.
#include "passes/quantize/between.h"

namespace compressor::quantize::between {
namespace {

constexpr std::int64_t kOne = 1, kTwo = 2;
constexpr double kSteps = -20;  ///< a code more or less is another answer
const Ints kTwoByTwo = {2, 2};

}  // namespace

std::vector<Between> moves() {
  return {
      {"AveragePool",
       [](Around& n) {
         return n.op("AveragePool", {n.picture()},
                     {attr("kernel_shape", kTwoByTwo), attr("strides", kTwoByTwo)});
       }},
      {"AveragePool",
       [](Around& n) {
         return n.op("AveragePool", {n.picture()},
                     {attr("kernel_shape", Ints{3, 3}), attr("pads", Ints{1, 1, 1, 1})});
       }},
      {"MaxPool",
       [](Around& n) {
         return n.op("MaxPool", {n.picture()},
                     {attr("kernel_shape", Ints{3, 3}), attr("pads", Ints{1, 1, 1, 1})});
       }},
      {"MaxUnpool",
       [](Around& n) {
         const Settings window = {attr("kernel_shape", kTwoByTwo), attr("strides", kTwoByTwo)};
         const std::vector<V> pooled = n.ops("MaxPool", {n.picture()}, 2, window);
         return n.op("MaxUnpool", {pooled[0], pooled[1]}, window);
       },
       kSteps},
      {"LpPool", [](Around& n) { return n.op("LpPool", {n.picture()}, {attr("kernel_shape", kTwoByTwo)}); }},
      {"MaxRoiPool",
       [](Around& n) {
         const std::vector<float> rois = {0, 0, 0, 4, 4, 1, 1, 1, 5, 5};
         return n.op("MaxRoiPool",
                     {n.picture(), n.constant(Tensor::of({2, 5}, std::span<const float>(rois)))},
                     {attr("pooled_shape", kTwoByTwo)});
       }},
      {"RoiAlign",
       [](Around& n) {
         const std::vector<float> rois = {0, 0, 4, 4, 1, 1, 5, 5};
         return n.op(
             "RoiAlign",
             {n.picture(), n.constant(Tensor::of({2, 4}, std::span<const float>(rois))), n.ints({0, 1})},
             {attr("output_height", std::int64_t{3}), attr("output_width", std::int64_t{3})});
       }},
      {"GridSample",
       [](Around& n) {
         return n.op("GridSample", {n.picture(), n.op("Tanh", {n.weight({2, 4, 4, 2}, 1)})});
       }},
      {"AffineGrid",
       [](Around& n) {
         const V grid = n.op("AffineGrid", {n.weight({2, 2, 3}), n.ints({2, 8, 4, 4})});
         return n.op("GridSample", {n.picture(), grid});
       },
       20, 20},
      {"Col2Im",
       [](Around& n) {
         return n.op("Col2Im", {n.reshape(n.picture(), {2, 32, 9}), n.ints({6, 6}), n.ints({2, 2})},
                     {attr("strides", kTwoByTwo)});
       },
       20, 18},
      {"DepthToSpace",
       [](Around& n) { return n.op("DepthToSpace", {n.picture()}, {attr("blocksize", kTwo)}); }},
      {"SpaceToDepth",
       [](Around& n) { return n.op("SpaceToDepth", {n.picture()}, {attr("blocksize", kTwo)}); }},
      {"Pad",
       [](Around& n) {
         return n.op("Pad", {n.picture(), n.ints({0, 0, 1, 1, 0, 0, 1, 1})});
       }},
      {"Pad",
       [](Around& n) {
         return n.op("Pad", {n.picture(), n.ints({0, 0, 1, 1, 0, 0, 1, 1})}, {attr("mode", "reflect")});
       }},
      {"Pad",
       [](Around& n) {
         return n.op("Pad", {n.picture(), n.ints({0, 0, 1, 1, 0, 0, 1, 1}), n.number(-9)});
       }},
      {"Resize", [](Around& n) { return n.resize2(n.picture()); }},
      {"Resize",
       [](Around& n) {
         return n.op("Resize", {n.picture(), nullptr, n.twice()}, {attr("mode", "linear")});
       }},
      {"Resize",
       [](Around& n) {
         return n.op("Resize", {n.picture(), nullptr, n.twice()}, {attr("mode", "cubic")});
       }},
      {"Upsample",
       [](Around& n) {
         return n.op("Upsample", {n.picture(), n.twice()}, {attr("mode", "nearest")});
       },
       20, 9},

      {"Concat",
       [](Around& n) {
         return n.concat({n.picture(), n.relu(n.picture())});
       }},
      {"Concat",
       [](Around& n) {
         return n.concat({n.picture(), n.weight({2, 3, 6, 6})});
       }},
      {"Expand",
       [](Around& n) {
         return n.op("Expand", {n.op("GlobalAveragePool", {n.picture()}), n.ints({2, 8, 4, 4})});
       }},
      {"Flatten", [](Around& n) { return n.op("Flatten", {n.picture()}); }},
      {"Gather",
       [](Around& n) {
         return n.gather(n.picture(), n.ints({5, 0, 2}), 1);
       }},
      {"Gather",
       [](Around& n) {  // a table: quantized where weights alone are
         const V rows = n.op("ArgMax", {n.tokens()}, {attr("axis", kTwo), attr("keepdims", std::int64_t{0})});
         return n.gather(n.weight({16, 24}), rows, 0);
       },
       kSteps},
      {"GatherElements",
       [](Around& n) {
         const Ints at(2 * 8 * 6 * 2, 3);
         return n.op("GatherElements", {n.picture(), n.constant(Tensor::of({2, 8, 6, 2}, std::span(at)))},
                     {attr("axis", std::int64_t{3})});
       }},
      {"GatherND",
       [](Around& n) {
         const Ints at = {0, 1, 1, 5};
         return n.op("GatherND", {n.tokens(), n.constant(Tensor::of({2, 2}, std::span(at)))});
       }},
      {"Reshape",
       [](Around& n) {
         return n.reshape(n.picture(), {0, 4, 12, 6});
       }},
      {"ReverseSequence",
       [](Around& n) {
         return n.op("ReverseSequence", {n.tokens(), n.ints({3, 6})},
                     {attr("batch_axis", std::int64_t{0}), attr("time_axis", kOne)});
       }},
      {"Slice", [](Around& n) { return n.slice(n.picture(), 2, 8, 1, 2); }},
      {"Split",
       [](Around& n) {
         const auto p = n.split(n.picture(), {3, 5});
         return n.concat({p[1], p[0]});
       }},
      {"Squeeze",
       [](Around& n) {
         return n.squeeze(n.op("GlobalMaxPool", {n.picture()}), {2, 3});
       }},
      {"Unsqueeze", [](Around& n) { return n.unsqueeze(n.tokens(), {1}); }},
      {"Tile",
       [](Around& n) {
         return n.op("Tile", {n.picture(), n.ints({1, 2, 1, 1})});
       }},
      {"Transpose",
       [](Around& n) {
         return n.transpose(n.picture(), {0, 2, 1, 3});
       }},
      {"Trilu", [](Around& n) { return n.op("Trilu", {n.picture()}); }},
      {"TopK",
       [](Around& n) {
         return n.ops("TopK", {n.picture(), n.ints({3})}, 2, {attr("axis", kOne)})[0];
       }},
      {"Scatter",
       [](Around& n) {
         return n.op(
             "Scatter",
             {n.tokens(), n.constant(Tensor::of({1, 1, 3}, std::span<const std::int64_t>(Ints{1, 0, 1}))),
              n.weight({1, 1, 3})});
       },
       20, 9},
      {"ScatterElements",
       [](Around& n) {
         return n.op(
             "ScatterElements",
             {n.tokens(), n.constant(Tensor::of({1, 1, 3}, std::span<const std::int64_t>(Ints{1, 0, 1}))),
              n.weight({1, 1, 3})});
       }},
      {"ScatterND",
       [](Around& n) {
         return n.op("ScatterND",
                     {n.tokens(), n.constant(Tensor::of({1, 2}, std::span<const std::int64_t>(Ints{1, 3}))),
                      n.weight({1, 16})});
       }},
      {"Compress",
       [](Around& n) {
         const std::vector<double> keep = {1, 0, 1, 1, 0, 1};
         return n.op("Compress",
                     {n.tokens(), n.constant(Tensor::of(DType::kBool, {6}, std::span<const double>(keep)))},
                     {attr("axis", kOne)});
       }},
      {"Cast",
       [](Around& n) {
         return n.op("Cast", {n.op("Cast", {n.picture()}, {attr("to", std::int64_t{10})})},
                     {attr("to", kOne)});
       }},
      {"CastLike",
       [](Around& n) {
         return n.op("CastLike", {n.op("Cast", {n.picture()}, {attr("to", std::int64_t{11})}), n.number(0)});
       }},
      {"Dropout", [](Around& n) { return n.op("Dropout", {n.picture()}); }},
      {"OneHot",
       [](Around& n) {
         const V at = n.op("ArgMax", {n.tokens()}, {attr("axis", kTwo), attr("keepdims", std::int64_t{0})});
         const std::vector<float> ends = {0, 1};
         return n.op("OneHot", {at, n.ints({16}), n.constant(Tensor::of({2}, std::span<const float>(ends)))});
       },
       kSteps},
      {"Shape",
       [](Around& n) {
         const V a = n.picture();
         return n.op("Reshape", {a, n.op("Shape", {n.relu(a)})});
       }},
      {"Size",
       [](Around& n) {
         const V a = n.picture();
         return n.op("Div", {a, n.op("Sqrt", {n.op("Cast", {n.op("Size", {a})}, {attr("to", kOne)})})});
       }},
      {"ConstantOfShape",
       [](Around& n) {
         const V a = n.picture();
         return n.add(
             a, n.op("ConstantOfShape", {n.op("Shape", {a})},
                     {attr("value", Tensor::of({1}, std::span<const float>(std::vector<float>{0.5F})))}));
       }},
      {"SequenceConstruct",
       [](Around& n) {
         return n.op("SequenceAt", {n.op("SequenceConstruct", {n.picture(), n.picture()}), n.integer(1)});
       }},
      {"SplitToSequence",
       [](Around& n) {
         const V parts = n.op("SplitToSequence", {n.picture(), n.integer(4)}, {attr("axis", kOne)});
         return n.op("ConcatFromSequence", {parts}, {attr("axis", std::int64_t{2})});
       }},
  };
}

}  // namespace compressor::quantize::between
