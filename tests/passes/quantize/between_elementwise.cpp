// between_elementwise: functions of each number, of two, reductions and norms between quantized layers.
#include "passes/quantize/between.h"

namespace compressor::quantize::between {
namespace {

constexpr std::int64_t kOne = 1;
constexpr double kSteps = -20;  ///< a code more or less is another answer

Between of_picture(const std::string& op, const Settings& settings = {}, double least = 20,
                   std::int64_t opset = 17) {
  return {op, [=](Around& n) { return n.op(op, {n.picture()}, settings); }, least, opset};
}
Between of_tokens(const std::string& op, const Settings& settings = {}, double least = 20,
                  std::int64_t opset = 17) {
  return {op, [=](Around& n) { return n.op(op, {n.tokens()}, settings); }, least, opset};
}
Between of_inside(const std::string& op) {
  return {op, [=](Around& n) { return n.op(op, {n.inside()}); }};
}
Between of_above(const std::string& op) {
  return {op, [=](Around& n) { return n.op(op, {n.op("Add", {n.above(), n.number(0.6F)})}); }};
}
Between of_two(const std::string& op, double least = 20) {
  return {op, [=](Around& n) { return n.op(op, {n.picture(), n.picture()}); }, least};
}
/// A question whose answer chooses.
Between of_question(const std::string& op, double least) {
  return {op,
          [=](Around& n) {
            const V a = n.picture(), b = n.picture();
            return n.op("Where", {n.op(op, {a, b}), a, b});
          },
          least};
}
Between of_answers(const std::string& op) {
  return {op,
          [=](Around& n) {
            const V a = n.picture(), zero = n.number(0);
            const V answer = n.op(op, {n.op("Greater", {a, zero}), n.op("Less", {n.picture(), zero})});
            return n.op("Where", {answer, a, zero});
          },
          kSteps};
}
/// Over the columns, whose axis stays.
Between reduced(const std::string& op, bool positive = false, double least = 20) {
  return {op,
          [=](Around& n) { return n.op(op, {positive ? n.above() : n.picture()}, {attr("axes", Ints{3})}); },
          least};
}

}  // namespace

std::vector<Between> elementwise() {
  return {
      of_picture("Abs"),
      of_inside("Acos"),
      of_above("Acosh"),
      of_inside("Asin"),
      of_picture("Asinh"),
      of_picture("Atan"),
      {"Atanh", [](Around& n) { return n.op("Atanh", {n.mul(n.inside(), n.number(0.9F))}); }},
      of_picture("Ceil", {}, 5),
      of_picture("Celu", {attr("alpha", 0.5F)}),
      {"Clip",
       [](Around& n) {
         return n.op("Clip", {n.picture(), n.number(-0.5F), n.number(1)});
       }},
      {"Clip",
       [](Around& n) {
         return n.op("Clip", {n.picture(), n.number(0), n.number(1)});
       }},
      {"Clip",
       [](Around& n) {
         return n.op("Clip", {n.picture(), nullptr, n.number(-0.25F)});
       }},
      of_picture("Cos"),
      of_picture("Cosh", {}, 12),
      of_picture("Elu"),
      of_picture("Erf"),
      of_picture("Exp", {}, 12),
      of_picture("Floor", {}, 5),
      of_picture("Gelu", {}, 20, 20),
      of_picture("HardSigmoid"),
      of_picture("HardSwish"),
      of_tokens("Hardmax", {}, kSteps),
      of_picture("Identity"),
      of_picture("LeakyRelu", {attr("alpha", 0.1F)}),
      of_above("Log"),
      of_tokens("LogSoftmax", {attr("axis", std::int64_t{-1})}),
      of_picture("Mish", {}, 20, 18),
      of_picture("Neg"),
      {"PRelu",
       [](Around& n) {
         return n.op("PRelu", {n.picture(), n.positive({8, 1, 1})});
       }},
      of_above("Reciprocal"),
      of_picture("Relu"),
      of_tokens("Relu"),
      of_picture("Round", {}, 5),
      of_picture("Selu"),
      of_picture("Shrink", {attr("lambd", 0.2F)}, 5),
      of_picture("Sigmoid"),
      of_picture("Sign", {}, 5),
      of_picture("Sin"),
      of_picture("Sinh", {}, 12),
      of_tokens("Softmax", {attr("axis", std::int64_t{-1})}),
      of_picture("Softplus"),
      of_picture("Softsign"),
      of_above("Sqrt"),
      of_picture("Swish", {}, 20, 24),
      of_inside("Tan"),
      of_picture("Tanh"),
      of_picture("ThresholdedRelu", {attr("alpha", 0.3F)}, 5),

      of_two("Add"),
      {"Add",
       [](Around& n) {
         return n.add(n.picture(), n.weight({8, 1, 1}));
       }},
      {"Add", [](Around& n) { return n.relu(n.add(n.picture(), n.picture())); }},
      of_two("Sub"),
      {"Sub",
       [](Around& n) {
         return n.op("Sub", {n.number(1), n.inside()});
       }},
      of_two("Mul"),
      {"Mul", [](Around& n) { return n.mul(n.op("GlobalAveragePool", {n.picture()}), n.picture()); }},
      {"Mul",
       [](Around& n) {
         return n.mul(n.weight({1, 8, 1, 1}), n.picture());
       }},
      {"Div",
       [](Around& n) {
         return n.op("Div", {n.picture(), n.above()});
       }},
      {"Pow",
       [](Around& n) {
         return n.op("Pow", {n.picture(), n.number(2)});
       }},
      {"Mod",
       [](Around& n) {
         return n.op("Mod", {n.picture(), n.number(0.7F)}, {attr("fmod", kOne)});
       },
       kSteps},
      of_two("Max"),
      of_two("Min"),
      of_two("Mean"),
      {"Sum",
       [](Around& n) {
         return n.op("Sum", {n.picture(), n.picture(), n.picture()});
       }},
      of_question("Greater", 10),
      of_question("GreaterOrEqual", 10),
      of_question("Less", 10),
      of_question("LessOrEqual", 10),
      of_question("Equal", 10),
      of_answers("And"),
      of_answers("Or"),
      of_answers("Xor"),
      {"Not",
       [](Around& n) {
         const V a = n.picture();
         return n.op("Where", {n.op("Not", {n.op("Greater", {a, n.number(0)})}), a, n.number(0)});
       }},
      {"IsNaN",
       [](Around& n) {
         const V a = n.picture();
         return n.op("Where", {n.op("IsNaN", {a}), n.number(0), a});
       }},
      {"IsInf",
       [](Around& n) {
         const V a = n.picture();
         return n.op("Where", {n.op("IsInf", {a}), n.number(0), a});
       }},
      {"Where",
       [](Around& n) {
         const V a = n.picture();
         return n.op("Where", {n.op("Greater", {n.inside(), n.number(0.5F)}), a, n.picture()});
       },
       kSteps},

      of_tokens("ArgMax", {attr("axis", kOne)}, kSteps),
      of_tokens("ArgMin", {attr("axis", kOne)}, kSteps),
      {"CumSum",
       [](Around& n) {
         return n.op("CumSum", {n.tokens(), n.integer(1)});
       }},
      of_picture("GlobalAveragePool"),
      of_picture("GlobalLpPool"),
      of_picture("GlobalMaxPool"),
      reduced("ReduceL1"),
      reduced("ReduceL2"),
      reduced("ReduceLogSum", true),
      reduced("ReduceLogSumExp"),
      reduced("ReduceMax"),
      reduced("ReduceMean"),
      {"ReduceMean",
       [](Around& n) {
         return n.op("ReduceMean", {n.picture()}, {attr("axes", Ints{2, 3})});
       }},
      reduced("ReduceMin"),
      reduced("ReduceProd", false, 10),
      {"ReduceSum",
       [](Around& n) {
         return n.op("ReduceSum", {n.picture(), n.ints({3})});
       }},
      reduced("ReduceSumSquare"),

      {"BatchNormalization", [](Around& n) { return n.bn(n.picture(), 8); }},
      {"BatchNormalization", [](Around& n) { return n.bn(n.relu(n.picture()), 8); }},
      {"InstanceNormalization",
       [](Around& n) {
         return n.op("InstanceNormalization", {n.picture(), n.positive({8}), n.weight({8})});
       }},
      {"LayerNormalization", [](Around& n) { return n.layer_norm(n.tokens(), 16); }},
      {"GroupNormalization",
       [](Around& n) {
         return n.op("GroupNormalization", {n.picture(), n.positive({8}), n.weight({8})},
                     {attr("num_groups", std::int64_t{2})});
       },
       20, 21},
      of_picture("LRN", {attr("size", std::int64_t{3})}),
      of_picture("LpNormalization", {attr("axis", kOne)}),
      of_picture("MeanVarianceNormalization"),
      {"RMSNormalization",
       [](Around& n) {
         return n.op("RMSNormalization", {n.tokens(), n.positive({16})});
       },
       20, 23},
      {"SimplifiedLayerNormalization",
       [](Around& n) {
         return n.op("SimplifiedLayerNormalization", {n.tokens(), n.positive({16})});
       }},
  };
}

}  // namespace compressor::quantize::between
