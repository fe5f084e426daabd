// recurrent_test: a hidden unit of LSTM, GRU or RNN is one class over all gates, directions and states.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/small_net.h"

namespace compressor::ops {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// x -> op (two directions, H units) -> Transpose, Reshape -> MatMul
SmallNet stack(const std::string& op, std::int64_t gates, std::int64_t h) {
  SmallNet net;
  const Value* x = net.input("x", {SymDim::symbol("T"), 1, 5});
  std::vector<const Value*> inputs{x,
                                   net.weight("w", {2, gates * h, 5}),
                                   net.weight("r", {2, gates * h, h}),
                                   net.weight("b", {2, 2 * gates * h}),
                                   nullptr,
                                   net.weight("h0", {2, 1, h})};
  if (op == "LSTM") inputs.push_back(net.weight("c0", {2, 1, h}));
  if (op == "LSTM") inputs.push_back(net.weight("p", {2, 3 * h}));
  x = net.node(op, "rnn", inputs, {{"hidden_size", h}, {"direction", std::string("bidirectional")}},
               op == "LSTM" ? 3 : 2);
  x = net.node("Transpose", "turned", {x}, {{"perm", std::vector<std::int64_t>{0, 2, 1, 3}}});
  x = net.node("Reshape", "flat", {x, net.ints("shape", {0, 0, -1})});
  net.node("MatMul", "head", {x, net.weight("m", {2 * h, 7})});
  net.run_rules();
  return net;
}

TEST(Recurrent, AUnitIsItsRowInEveryGate) {
  SmallNet net = stack("LSTM", 4, 3);
  net.remove("r", 2, 1);
  EXPECT_THAT(net.gone("w", 1), ElementsAre(1, 4, 7, 10));
  EXPECT_THAT(net.gone("r", 1), ElementsAre(1, 4, 7, 10));
  EXPECT_THAT(net.gone("r", 2), ElementsAre(1));
  EXPECT_THAT(net.gone("b", 1), ElementsAre(1, 4, 7, 10, 13, 16, 19, 22));
  EXPECT_THAT(net.gone("p", 1), ElementsAre(1, 4, 7));
  EXPECT_THAT(net.gone("h0", 2), ElementsAre(1));
  EXPECT_THAT(net.gone("c0", 2), ElementsAre(1));
  EXPECT_THAT(net.gone("rnn", 3), ElementsAre(1));
  EXPECT_THAT(net.gone("rnn_1", 2), ElementsAre(1));
  EXPECT_THAT(net.gone("rnn_2", 2), ElementsAre(1));
  EXPECT_THAT(net.gone("m", 0), ElementsAre(1, 4));  // both directions
  EXPECT_THAT(net.gone("w", 2), IsEmpty());
  net.shrink("rnn");
  EXPECT_EQ(net.node_of("rnn").int_or("hidden_size", 0), 2);
}

TEST(Recurrent, GruAndRnnHaveFewerGates) {
  SmallNet gru = stack("GRU", 3, 4);
  gru.remove("m", 0, 0);
  EXPECT_THAT(gru.gone("w", 1), ElementsAre(0, 4, 8));
  EXPECT_THAT(gru.gone("b", 1), ElementsAre(0, 4, 8, 12, 16, 20));
  SmallNet rnn = stack("RNN", 1, 4);
  rnn.remove("w", 1, 3);
  EXPECT_THAT(rnn.gone("r", 1), ElementsAre(3));
  EXPECT_THAT(rnn.gone("r", 2), ElementsAre(3));
  EXPECT_THAT(rnn.gone("b", 1), ElementsAre(3, 7));
}

TEST(Recurrent, InputsJoinTheColumnsOfW) {
  SmallNet net;
  const Value* x = net.input("x", {6, 1, 5});
  x = net.node("MatMul", "before", {x, net.weight("m", {5, 4})});
  net.node("GRU", "rnn", {x, net.weight("w", {1, 9, 4}), net.weight("r", {1, 9, 3})});
  net.run_rules();
  net.remove("m", 1, 2);
  EXPECT_THAT(net.gone("w", 2), ElementsAre(2));
  EXPECT_EQ(net.dims("rnn"), "6x1x1x3");  // hidden_size is read off R
  net.shrink("rnn");
  EXPECT_EQ(net.node_of("rnn").attribute("hidden_size"), nullptr);
}

TEST(Recurrent, LayoutPutsTheBatchFirst) {
  SmallNet net;
  net.node("LSTM", "rnn",
           {net.input("x", {SymDim::symbol("N"), SymDim::symbol("T"), 5}), net.weight("w", {1, 12, 5}),
            net.weight("r", {1, 12, 3})},
           {{"hidden_size", std::int64_t{3}}, {"layout", std::int64_t{1}}}, 3);
  EXPECT_EQ(net.dims("rnn"), "NxTx1x3");
  EXPECT_EQ(net.dims("rnn_1"), "Nx1x3");
  EXPECT_EQ(net.cost("rnn").macs, 12.0 * (5 + 3));  // symbols count as 1
}

TEST(Recurrent, SaysWhatDoesNotFit) {
  SmallNet net;
  net.node("LSTM", "rnn",
           {net.input("x", {4, 1, 5}), net.weight("w", {1, 12, 5}), net.weight("r", {1, 12, 3})},
           {{"hidden_size", std::int64_t{4}}});
  EXPECT_THAT(net.problem(), HasSubstr("axis 2 of R is 3, expected 4"));
}

}  // namespace
}  // namespace compressor::ops
