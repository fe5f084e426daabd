// between_layers: layers with weights, bodies, and what runtimes fuse, between quantized layers; and what no
// line is for.
#include "passes/quantize/between.h"

namespace compressor::quantize::between {
namespace {

constexpr std::int64_t kOne = 1, kTwo = 2, kHidden = 12;

/// LSTM, GRU or RNN over [2 steps, 6, 16], its output as [2, 6, hidden].
Between recurrent(const std::string& op, std::int64_t gates) {
  return {op, [=](Around& n) {
            const V y = n.op(
                op, {n.tokens(), n.weight({1, gates * kHidden, 16}), n.weight({1, gates * kHidden, kHidden})},
                {attr("hidden_size", kHidden)});
            return n.squeeze(y, {1});
          }};
}

V codes_of(Around& n, V x) {
  const double zero = 128;
  const V scale = n.number(0.03F),
          middle = n.constant(Tensor::of(DType::kUint8, {}, std::span<const double>(&zero, 1)));
  return n.op("DequantizeLinear", {n.op("QuantizeLinear", {x, scale, middle}), scale, middle});
}

V bytes(Around& n, const Dims& dims) {
  std::vector<double> q(num_elements(dims));
  for (std::size_t i = 0; i < q.size(); ++i) q[i] = static_cast<double>(i * 37 % 200) - 100;
  return n.constant(Tensor::of(DType::kInt8, dims, std::span<const double>(q)));
}

}  // namespace

std::vector<Between> layers() {
  return {
      {"Conv", [](Around& n) { return n.conv(n.picture(), 8, 8, {.group = 8}); }},
      {"Conv", [](Around& n) { return n.conv(n.picture(), 8, 12, {.stride = 2, .group = 2, .bias = true}); }},
      {"Conv",  // the weight is an activation
       [](Around& n) {
         return n.op("Conv", {n.picture(), n.op("ReduceMean", {n.picture()}, {attr("axes", Ints{2, 3})})});
       }},
      {"Conv",  // one axis
       [](Around& n) {
         return n.conv(n.transpose(n.tokens(), {0, 2, 1}), 16, 8, {.dims = 1});
       }},
      {"ConvTranspose", [](Around& n) { return n.conv_transpose(n.picture(), 8, 6); }},
      {"DeformConv",
       [](Around& n) {
         return n.op("DeformConv",
                     {n.picture(), n.weight({6, 8, 3, 3}), n.conv(n.picture(), 8, 18), n.weight({6})},
                     {attr("kernel_shape", Ints{3, 3}), attr("pads", Ints{1, 1, 1, 1})});
       },
       10, 19},
      {"Gemm", [](Around& n) { return n.linear(n.gap(n.picture()), 8, 12); }},
      {"Gemm",
       [](Around& n) {
         return n.op("Gemm", {n.gap(n.picture()), n.weight({8, 12}), n.weight({12})},
                     {attr("alpha", 0.5F), attr("beta", 2.0F)});
       }},
      {"Gemm",  // a bias that is no row
       [](Around& n) {
         return n.op("Gemm", {n.gap(n.picture()), n.weight({8, 12}), n.weight({2, 1})});
       }},
      {"Gemm",
       [](Around& n) {
         return n.op("Gemm", {n.gap(n.picture()), n.weight({8, 12}), n.number(0.3F)});
       }},
      {"Gemm",
       [](Around& n) {
         return n.op("Gemm", {n.gap(n.picture()), n.transpose(n.gap(n.picture()), {1, 0})});
       }},
      {"MatMul",
       [](Around& n) {
         return n.matmul(n.tokens(), n.weight({16, 24}));
       }},
      {"MatMul",
       [](Around& n) {
         return n.matmul(n.tokens(), n.weight({2, 16, 24}));
       }},
      {"MatMul", [](Around& n) { return n.matmul(n.tokens(), n.weight({16})); }},
      {"MatMul",
       [](Around& n) {
         return n.matmul(n.weight({4, 6}), n.tokens());
       }},
      {"MatMul",
       [](Around& n) {
         return n.matmul(n.softmax(n.matmul(n.tokens(), n.transpose(n.tokens(), {0, 2, 1}))), n.tokens());
       },
       10},
      recurrent("LSTM", 4),
      recurrent("GRU", 3),
      recurrent("RNN", 1),
      {"Einsum",
       [](Around& n) {
         return n.op("Einsum", {n.tokens(), n.weight({16, 8})}, {attr("equation", "btc,cd->btd")});
       }},
      {"Attention",
       [](Around& n) {
         return n.op("Attention", {n.tokens(), n.tokens(), n.tokens()},
                     {attr("q_num_heads", kTwo), attr("kv_num_heads", kTwo)});
       },
       10, 23},
      {"RotaryEmbedding",
       [](Around& n) {
         return n.op("RotaryEmbedding", {n.tokens(), n.weight({2, 6, 4}), n.weight({2, 6, 4})},
                     {attr("num_heads", kTwo)});
       },
       20, 23},
      {"DFT",
       [](Around& n) {
         const V parts = n.op("DFT", {n.unsqueeze(n.tokens(), {3})}, {attr("axis", kTwo)});
         return n.op("ReduceL2", {parts}, {attr("axes", Ints{3}), attr("keepdims", std::int64_t{0})});
       }},
      {"STFT",
       [](Around& n) {
         const V parts =
             n.op("STFT", {n.reshape(n.tokens(), {2, 96, 1}), n.integer(8), n.positive({16}), n.integer(16)});
         return n.op("ReduceL2", {parts}, {attr("axes", Ints{3}), attr("keepdims", std::int64_t{0})});
       }},

      {"If",
       [](Around& n) {
         const V x = n.picture();
         const V y = n.op(
             "If",
             {n.op("Greater", {n.op("ReduceSum", {n.op("Abs", {x})}, {attr("keepdims", std::int64_t{0})}),
                               n.number(0)})});
         n.body(y, "then_branch", [&](build::Builder& b) { b.graph().add_output(*b.conv(x, 8, 8)); });
         n.body(y, "else_branch", [&](build::Builder& b) { b.graph().add_output(*b.conv(x, 8, 8)); });
         return y;
       }},
      {"Loop",
       [](Around& n) {
         const double yes = 1;
         const V x = n.picture(),
                 go = n.constant(Tensor::of(DType::kBool, {}, std::span<const double>(&yes, 1)));
         const V y = n.op("Loop", {n.integer(2), go, x});
         n.body(y, "body", [&](build::Builder& b) {
           b.graph().add_input("round", Type::tensor(DType::kInt64, {}));
           const V on = b.graph().add_input("on", Type::tensor(DType::kBool, {}));
           const V held = b.graph().add_input("held", Type::tensor(DType::kFloat, {2, 8, 6, 6}));
           b.graph().add_output(*b.op("Identity", {on}));
           b.graph().add_output(*b.op("Tanh", {b.conv(held, 8, 8)}));
         });
         return y;
       }},
      {"Scan",
       [](Around& n) {
         const std::vector<V> y =
             n.ops("Scan", {n.weight({6, 16}), n.tokens()}, 2, {attr("num_scan_inputs", kOne)});
         n.body(y[0], "body", [&](build::Builder& b) {
           const V held = b.graph().add_input("state", Type::tensor(DType::kFloat, {6, 16}));
           const V x = b.graph().add_input("slice", Type::tensor(DType::kFloat, {6, 16}));
           const V next = b.op("Tanh", {b.add(b.matmul(held, b.weight({16, 16})), x)});
           b.graph().add_output(*next);
           b.graph().add_output(*b.op("Identity", {next}));
         });
         return y[1];
       }},

      {"QuantizeLinear", [](Around& n) { return codes_of(n, n.picture()); }},
      {"DynamicQuantizeLinear",
       [](Around& n) {
         const std::vector<V> q = n.ops("DynamicQuantizeLinear", {n.picture()}, 3);
         return n.op("DequantizeLinear", {q[0], q[1], q[2]});
       }},
      {"ConvInteger",
       [](Around& n) {
         const std::vector<V> q = n.ops("DynamicQuantizeLinear", {n.picture()}, 3);
         const V sum = n.op("ConvInteger", {q[0], bytes(n, {8, 8, 1, 1}), q[2]});
         return n.mul(n.op("Cast", {sum}, {attr("to", kOne)}), n.mul(q[1], n.number(0.002F)));
       }},
      {"MatMulInteger",
       [](Around& n) {
         const std::vector<V> q = n.ops("DynamicQuantizeLinear", {n.tokens()}, 3);
         const V sum = n.op("MatMulInteger", {q[0], bytes(n, {16, 8}), q[2]});
         return n.mul(n.op("Cast", {sum}, {attr("to", kOne)}), n.mul(q[1], n.number(0.002F)));
       }},

      {"com.microsoft.BiasGelu",
       [](Around& n) {
         return n.microsoft("BiasGelu", {n.tokens(), n.weight({16})});
       }},
      {"com.microsoft.FastGelu", [](Around& n) { return n.microsoft("FastGelu", {n.tokens()}); }},
      {"com.microsoft.Gelu", [](Around& n) { return n.microsoft("Gelu", {n.picture()}); }},
      {"com.microsoft.QuickGelu", [](Around& n) { return n.microsoft("QuickGelu", {n.picture()}); }},
      {"com.microsoft.FusedConv",
       [](Around& n) {
         return n.microsoft("FusedConv", {n.picture(), n.weight({8, 8, 1, 1}), n.weight({8})},
                            {attr("activation", "Relu")});
       }},
      {"com.microsoft.FusedGemm",
       [](Around& n) {
         return n.microsoft("FusedGemm", {n.gap(n.picture()), n.weight({8, 12}), n.weight({12})},
                            {attr("activation", "Relu")});
       }},
      {"com.microsoft.FusedMatMul",
       [](Around& n) {
         return n.microsoft("FusedMatMul", {n.tokens(), n.weight({16, 8})}, {attr("alpha", 0.5F)});
       }},
      {"com.microsoft.TransposeMatMul",
       [](Around& n) {
         return n.microsoft("TransposeMatMul", {n.tokens(), n.weight({16, 8})});
       }},
      {"com.microsoft.SkipLayerNormalization",
       [](Around& n) {
         return n.microsoft("SkipLayerNormalization",
                            {n.tokens(), n.tokens(), n.positive({16}), n.weight({16})});
       }},
      {"com.microsoft.SkipSimplifiedLayerNormalization",
       [](Around& n) {
         return n.microsoft("SkipSimplifiedLayerNormalization", {n.tokens(), n.tokens(), n.positive({16})});
       }},
      {"com.microsoft.MultiHeadAttention",
       [](Around& n) {
         return n.microsoft("MultiHeadAttention", {n.tokens(), n.tokens(), n.tokens()},
                            {attr("num_heads", kTwo)});
       },
       10},
      {"com.microsoft.Attention",
       [](Around& n) {
         return n.microsoft("Attention", {n.tokens(), n.weight({16, 48}), n.weight({48})},
                            {attr("num_heads", kTwo)});
       },
       10},
  };
}

std::vector<std::pair<std::string, std::string>> left_out() {
  const std::string generates = "makes numbers of nothing", words = "works on words or bits of integers",
                    counts = "its answer has no fixed length", within = "is in another line's net",
                    codes = "works on codes: quantized already", loss = "is a loss",
                    rare = "reads what a cache or a table holds";
  return {
      {"Bernoulli", generates},
      {"BlackmanWindow", generates},
      {"Constant", within},
      {"HammingWindow", generates},
      {"HannWindow", generates},
      {"EyeLike", generates},
      {"MelWeightMatrix", generates},
      {"Multinomial", generates},
      {"RandomNormal", generates},
      {"RandomNormalLike", generates},
      {"RandomUniform", generates},
      {"RandomUniformLike", generates},
      {"Range", generates},
      {"BitShift", words},
      {"BitwiseAnd", words},
      {"BitwiseNot", words},
      {"BitwiseOr", words},
      {"BitwiseXor", words},
      {"RegexFullMatch", words},
      {"StringConcat", words},
      {"StringNormalizer", words},
      {"StringSplit", words},
      {"TfIdfVectorizer", words},
      {"NonMaxSuppression", counts},
      {"NonZero", counts},
      {"Unique", counts},
      {"ConcatFromSequence", within},
      {"DequantizeLinear", within},
      {"SequenceAt", within},
      {"Det", "gives one number a matrix"},
      {"Optional", "holds what may be missing"},
      {"OptionalGetElement", "holds what may be missing"},
      {"OptionalHasElement", "holds what may be missing"},
      {"SequenceEmpty", counts},
      {"SequenceErase", counts},
      {"SequenceInsert", counts},
      {"SequenceLength", counts},
      {"SequenceMap", counts},
      {"NegativeLogLikelihoodLoss", loss},
      {"SoftmaxCrossEntropyLoss", loss},
      {"QLinearConv", codes},
      {"QLinearMatMul", codes},
      {"com.microsoft.DynamicQuantizeLSTM", codes},
      {"com.microsoft.DynamicQuantizeMatMul", codes},
      {"com.microsoft.MatMulIntegerToFloat", codes},
      {"com.microsoft.MatMulNBits", codes},
      {"com.microsoft.QGemm", codes},
      {"com.microsoft.QLinearAdd", codes},
      {"com.microsoft.QLinearAveragePool", codes},
      {"com.microsoft.QLinearConcat", codes},
      {"com.microsoft.QLinearGlobalAveragePool", codes},
      {"com.microsoft.QLinearLeakyRelu", codes},
      {"com.microsoft.QLinearMul", codes},
      {"com.microsoft.QLinearReduceMean", codes},
      {"com.microsoft.QLinearSigmoid", codes},
      {"com.microsoft.QLinearSoftmax", codes},
      {"com.microsoft.QLinearWhere", codes},
      {"com.microsoft.EmbedLayerNormalization", rare},
      {"com.microsoft.GroupQueryAttention", rare},
      {"com.microsoft.RotaryEmbedding", rare},
  };
}

}  // namespace compressor::quantize::between
