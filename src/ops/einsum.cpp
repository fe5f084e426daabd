// einsum: reads equations, and contracts pairs of operands as batches of matrix products.
#include "ops/einsum.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "compressor/kernels/in_parallel.h"
#include "ops/product.h"
#include "ops/real.h"
#include "ops/run_elementwise.h"

namespace compressor::ops {
namespace {

/// Labels of one term for an operand of the given rank; `ellipsis` is what "..." stands for.
std::vector<Label> read_term(const Node& node, const std::string& term, std::int64_t ellipsis) {
  std::vector<Label> labels;
  for (std::size_t i = 0; i < term.size(); ++i) {
    if (term.compare(i, 3, "...") == 0) {
      for (std::int64_t k = ellipsis; k > 0; --k) labels.push_back(kEllipsis + static_cast<int>(k));
      i += 2;
      continue;
    }
    if (!std::isalpha(static_cast<unsigned char>(term[i]))) {
      throw Error::model("node '{}' ({}): term '{}' holds '{}', expected letters", node.label(), node.op(),
                         term, term[i]);
    }
    labels.push_back(term[i]);
  }
  return labels;
}

std::int64_t count_letters(const std::string& term) {
  return std::count_if(term.begin(), term.end(), [](char c) { return c != '.'; });
}

std::vector<Label> implicit_output(const std::vector<std::vector<Label>>& operands, std::int64_t ellipsis) {
  std::map<Label, int> seen;
  for (const auto& labels : operands) {
    for (const Label label : labels) ++seen[label];
  }
  std::vector<Label> output;
  for (std::int64_t k = ellipsis; k > 0; --k) output.push_back(kEllipsis + static_cast<int>(k));
  for (const auto& [label, times] : seen) {
    if (times == 1 && label < kEllipsis) output.push_back(label);
  }
  return output;
}

/// An operand with one axis for each of its labels.
template <class T>
struct Term {
  std::vector<Label> labels;
  Dims shape;
  std::vector<T> data;

  std::int64_t length(Label label) const {
    const auto at = std::find(labels.begin(), labels.end(), label);
    return at == labels.end() ? 1 : shape[static_cast<std::size_t>(at - labels.begin())];
  }
  bool has(Label label) const { return std::find(labels.begin(), labels.end(), label) != labels.end(); }
};

/// Elements of `from` whose axes have these labels and strides, in the order of `order`; what is not in it is
/// summed.
template <class T>
Term<T> gathered(const T* from, const std::vector<Label>& labels, const Dims& shape, const Strides& strides,
                 const std::vector<Label>& order) {
  Term<T> to;
  Strides kept;
  Dims rest;
  Strides rest_strides;
  for (const Label label : order) {
    const auto at = static_cast<std::size_t>(std::find(labels.begin(), labels.end(), label) - labels.begin());
    to.labels.push_back(label);
    to.shape.push_back(shape[at]);
    kept.push_back(strides[at]);
  }
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (to.has(labels[i])) continue;
    rest.push_back(shape[i]);
    rest_strides.push_back(strides[i]);
  }
  to.data.assign(num_elements(to.shape), T{});
  walk<1>(rest, {rest_strides}, {0}, [&](const Run<1>& sum) {
    for (std::int64_t k = 0; k < sum.count; ++k) {
      walk<1>(to.shape, {kept}, {sum.at[0] + k * sum.step[0]}, [&](const Run<1>& run) {
        T* row = to.data.data() + run.out;
        for (std::int64_t i = 0; i < run.count; ++i) row[i] += from[run.at[0] + i * run.step[0]];
      });
    }
  });
  return to;
}

/// An operand whose repeated labels are one axis (its diagonal) and whose axes of length 1 that others repeat
/// are gone.
template <class T>
Term<T> loaded(const Tensor& tensor, const std::vector<Label>& labels,
               const std::map<Label, std::int64_t>& lengths) {
  const Elements<T> x(tensor);
  const Strides own = row_major(tensor.shape);
  std::vector<Label> once;
  Dims shape;
  Strides strides;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (tensor.shape[i] == 1 && lengths.at(labels[i]) != 1) continue;
    const auto at = std::find(once.begin(), once.end(), labels[i]);
    if (at != once.end()) {
      strides[static_cast<std::size_t>(at - once.begin())] += own[i];
      continue;
    }
    once.push_back(labels[i]);
    shape.push_back(tensor.shape[i]);
    strides.push_back(own[i]);
  }
  return gathered(x.data(), once, shape, strides, once);
}

template <class T>
Term<T> arranged(const Term<T>& term, const std::vector<Label>& order) {
  return gathered(term.data.data(), term.labels, term.shape, row_major(term.shape), order);
}

std::vector<Label> joined(const std::vector<Label>& a, const std::vector<Label>& b,
                          const std::vector<Label>& c) {
  std::vector<Label> all = a;
  all.insert(all.end(), b.begin(), b.end());
  all.insert(all.end(), c.begin(), c.end());
  return all;
}

template <class T>
std::int64_t size_of(const Term<T>& term, const std::vector<Label>& labels) {
  std::int64_t size = 1;
  for (const Label label : labels) size *= term.length(label);
  return size;
}

/// a b summed over the labels that are not `needed`: [batch, rows, sums] x [batch, sums, columns].
template <class T>
Term<T> contracted(const Term<T>& a, const Term<T>& b, const std::set<Label>& needed) {
  std::vector<Label> batch;
  std::vector<Label> rows;
  std::vector<Label> sums;
  std::vector<Label> columns;
  for (const Label label : a.labels) {
    if (!b.has(label)) {
      if (needed.contains(label)) rows.push_back(label);
    } else if (needed.contains(label)) {
      batch.push_back(label);
    } else {
      sums.push_back(label);
    }
  }
  for (const Label label : b.labels) {
    if (!a.has(label) && needed.contains(label)) columns.push_back(label);
  }
  const Term<T> left = arranged(a, joined(batch, rows, sums));
  const Term<T> right = arranged(b, joined(batch, sums, columns));
  const std::int64_t count = size_of(left, batch);
  const std::int64_t m = size_of(left, rows);
  const std::int64_t k = size_of(left, sums);
  const std::int64_t n = size_of(right, columns);
  Term<T> product;
  product.labels = joined(batch, rows, columns);
  for (const Label label : product.labels) {
    product.shape.push_back(a.has(label) ? left.length(label) : right.length(label));
  }
  product.data.assign(static_cast<std::size_t>(count * m * n), T{});
  kernels::in_parallel(count * m * n * k > kParallelWork, count, [&](std::int64_t i) {
    add_product(m, n, k, left.data.data() + i * m * k, k, right.data.data() + i * k * n, n,
                product.data.data() + i * m * n, n);
  });
  return product;
}

/// Labels that the output or one of the operands from `next` on asks for.
std::set<Label> needed_after(const Equation& e, std::size_t next) {
  std::set<Label> needed(e.output.begin(), e.output.end());
  for (std::size_t i = next; i < e.operands.size(); ++i)
    needed.insert(e.operands[i].begin(), e.operands[i].end());
  return needed;
}

using Lengths = std::map<Label, std::int64_t>;

/// How long every label is; shape(i) is that of operand i. Fails where operands do not agree.
template <class Context, class Shape>
Lengths lengths_of(const Context& ctx, const Equation& e, Shape&& shape) {
  Lengths lengths;
  for (std::size_t i = 0; i < e.operands.size(); ++i) {
    for (std::size_t k = 0; k < e.operands[i].size(); ++k) {
      const std::int64_t d = shape(i)[k];
      std::int64_t& length = lengths.try_emplace(e.operands[i][k], d).first->second;
      if (length != d && length != 1 && d != 1) ctx.fail("a label is {} long and {} long", length, d);
      if (length == 1) length = d;
    }
  }
  return lengths;
}

template <class T>
Tensor einsum_as(const std::vector<const Tensor*>& in, const Equation& e, const Lengths& lengths) {
  Term<T> all = loaded<T>(*in[0], e.operands[0], lengths);
  for (std::size_t i = 1; i < e.operands.size(); ++i) {
    all = contracted(all, loaded<T>(*in[i], e.operands[i], lengths), needed_after(e, i + 1));
  }
  const Term<T> last = arranged(all, e.output);
  Result<T> y(in[0]->dtype, last.shape);
  std::copy(last.data.begin(), last.data.end(), y.data());
  return y.finish();
}

}  // namespace

Equation read_equation(const Node& node, const std::vector<std::int64_t>& ranks) {
  const auto fail = [&](const std::string& why) {
    throw Error::model("node '{}' ({}): equation '{}' {}", node.label(), node.op(),
                       node.string_or("equation", ""), why);
  };
  std::string text = node.string_or("equation", "");
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  const std::size_t arrow = text.find("->");
  std::vector<std::string> terms{""};
  for (const char c : text.substr(0, arrow)) {
    if (c == ',') {
      terms.emplace_back();
    } else {
      terms.back() += c;
    }
  }
  if (terms.size() != ranks.size())
    fail(fmt::format("has {} terms, expected {}", terms.size(), ranks.size()));
  Equation e;
  std::int64_t widest = 0;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const bool dots = terms[i].find("...") != std::string::npos;
    const std::int64_t ellipsis = ranks[i] - count_letters(terms[i]);
    if (ellipsis < 0 || (!dots && ellipsis != 0)) {
      fail(fmt::format("has the term '{}' for an operand of rank {}", terms[i], ranks[i]));
    }
    widest = std::max(widest, ellipsis);
    e.operands.push_back(read_term(node, terms[i], ellipsis));
  }
  e.output = arrow == std::string::npos ? implicit_output(e.operands, widest)
                                        : read_term(node, text.substr(arrow + 2), widest);
  return e;
}

void compute_einsum(ComputeContext& ctx) {
  std::vector<std::int64_t> ranks;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) ranks.push_back(ctx.in(i).rank());
  const Equation e = read_equation(ctx.node(), ranks);
  const Lengths lengths = lengths_of(ctx, e, [&](std::size_t i) -> const Dims& { return ctx.in(i).shape; });
  std::vector<const Tensor*> in;
  for (std::size_t i = 0; i < ranks.size(); ++i) in.push_back(&ctx.in(i));
  std::set<Label> seen;
  for (const Label label : e.output) {
    if (!lengths.contains(label)) ctx.fail("an output label is in no operand");
    if (!seen.insert(label).second) ctx.fail("an output label is named twice");
  }
  switch (domain_of(ctx.in(0).dtype)) {
    case Domain::kFloat:
      return ctx.set(0, einsum_as<float>(in, e, lengths));
    case Domain::kDouble:
      return ctx.set(0, einsum_as<double>(in, e, lengths));
    default:  // unsigned numbers wrap alike
      return ctx.set(0, einsum_as<std::int64_t>(in, e, lengths));
  }
}

// The gradient of an operand is a sum of the same kind: of dy and the others, with the operand's labels left.
void einsum_gradient(GradientContext& ctx) {
  std::vector<std::int64_t> ranks;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    ranks.push_back(static_cast<std::int64_t>(ctx.in_shape(i).size()));
  }
  const Equation e = read_equation(ctx.node(), ranks);
  const Lengths lengths = lengths_of(ctx, e, [&](std::size_t i) -> const Dims& { return ctx.in_shape(i); });
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    if (!ctx.wants(i)) continue;
    const std::vector<Label>& own = e.operands[i];
    if (std::set<Label>(own.begin(), own.end()).size() != own.size()) {
      ctx.fail("the gradient of a diagonal is not available");
    }
    Equation back{{e.output}, {}};
    std::vector<const Tensor*> in{&ctx.grad_tensor(0)};
    for (std::size_t k = 0; k < ranks.size(); ++k) {
      if (k == i) continue;
      back.operands.push_back(e.operands[k]);
      in.push_back(&ctx.in(k));
    }
    const std::set<Label> there = needed_after(back, 0);
    Dims full, some;  // a label of this operand alone was summed over: its gradient repeats
    for (const Label label : own) {
      full.push_back(lengths.at(label));
      some.push_back(there.contains(label) ? full.back() : 1);
      if (there.contains(label)) back.output.push_back(label);
    }
    Tensor d = einsum_as<float>(in, back, lengths).reshaped(some);
    if (some != full) d = take_strided(d, full, broadcast_strides(some, full));
    ctx.set(i, sum_to(d, ctx.in_shape(i)));
  }
}

}  // namespace compressor::ops
