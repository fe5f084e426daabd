// run: one pass over one model, timed and recorded; and the marks that an output carries.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compressor/pass/pass.h"

namespace compressor {

std::string_view version();

/// Runs the pass and returns its result with name, options and time filled in. The model is verified
/// afterwards.
PassResult run_pass(Pass& pass, Model& model, PassContext& context);

/// The options that the result depends on, as they are in force, in the order of their declaration; unset
/// ones without a value are left out.
std::vector<std::pair<std::string, std::string>> options_in_force(const Options& options);

/// The same for metadata: of these only what was given (the version tells the defaults), and a file by the
/// hash of its content instead of its path: "ratio=0.5 criterion=l2". Throws Error::io when such a file
/// cannot be read.
std::string options_mark(const Options& options);

/// Sets compressor.version, .command, .options and .input_hash in the model's metadata.
void mark(Model& model, std::string_view command, const std::string& options, const std::string& input_hash);
/// Whether this program wrote the model.
bool is_marked(const Model& model);

}  // namespace compressor
