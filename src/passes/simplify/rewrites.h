// rewrites: the table of contents of simplify. Each stands in the file of its name, with its drawing.
#pragma once

#include "compressor/pass/pass.h"
#include "compressor/rewrite/rewriter.h"

namespace compressor::simplify {

// What starts at one node.
Rewrite inline_functions();
Rewrite inline_if();
Rewrite constants_to_initializers();
Rewrite drop_identity();
Rewrite drop_dropout();
Rewrite drop_cast();
Rewrite drop_view();
Rewrite drop_transpose();
Rewrite drop_slice();
Rewrite drop_pad();
Rewrite drop_single();
Rewrite drop_unused_outputs();
Rewrite merge_transposes();
Rewrite merge_views();
Rewrite fold_batchnorm();
Rewrite fold_affine();

// What looks at a whole graph. Each returns how many things it changed.
std::int64_t merge_initializers(Rewriter& rewriter);
std::int64_t merge_subexpressions(Rewriter& rewriter);

/// Functions that nothing calls any more go.
std::int64_t drop_functions(Model& model);
/// The shapes that the user gave become the declared ones, and what is declared elsewhere follows.
/// Throws Error::usage for an input that is not there or has another rank.
bool set_input_shapes(Model& model, PassContext& context);
/// Branches of If that these facts show not to run, and those of the model as it was (`before`) do not, give
/// way to the other branch, with a warning. Throws Error::usage when the model as a whole cannot run.
void drop_impossible_branches(Model& model, const FactsMap& before, const FactsMap& after,
                              PassContext& context);

}  // namespace compressor::simplify
