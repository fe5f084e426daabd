// profile: what each layer holds, computes and passes on.
#include "command.h"
#include "compressor/pipeline/groups.h"
#include "compressor/report/model.h"
#include "files.h"

namespace compressor::cli {
namespace {

ProfileSort sort_of(const std::string& word) {
  if (word == "macs") return ProfileSort::kMacs;
  if (word == "flops") return ProfileSort::kFlops;
  if (word == "params") return ProfileSort::kParams;
  if (word == "bytes") return ProfileSort::kBytes;
  if (word == "activations") return ProfileSort::kActivations;
  return ProfileSort::kOrder;
}

class ProfileCommand : public Command {
 public:
  ProfileCommand() {
    model_.positional().path();
    output_.letter('o').path();
    include(shape_);
    finish();
  }
  std::string name() const override { return "profile"; }
  std::string summary() const override {
    return "show what each layer holds and computes: shapes, parameters, bytes, MACs, FLOPs, activations";
  }
  std::string heading() const override { return "Look"; }

  void run(Terminal& terminal) override {
    const std::string form = form_of_output();
    if (output_->has_value()) {
      check_different(*model_, **output_);
      check_text_output(**output_, *force_);
    }
    const Input input = open_model(*model_);
    const Profile p = profile(input.model, infer_options(shape_.shapes(input.model)));
    const ProfileView view{
        .by_op = *by_ == "op", .sort = sort_of(*sort_), .top = static_cast<std::size_t>(*top_)};
    const std::string text = render(form, p, view, input);
    if (!output_->has_value()) return terminal.print(text);
    write_text(**output_, text);
    terminal.say("written: " + **output_);
  }

 private:
  std::string form_of_output() const {
    if (int{*json_} + int{*markdown_} + int{*csv_} > 1) {
      throw Error::usage("--json, --markdown, --csv: expected one of them");
    }
    if (*json_) return ".json";
    if (*markdown_) return ".md";
    if (*csv_) return ".csv";
    if (!output_->has_value()) return ".txt";
    const std::string extension = extension_of(**output_);
    if (extension == ".json" || extension == ".md" || extension == ".csv" || extension == ".txt")
      return extension;
    throw Error::usage("--output: found '{}', expected a name that ends in .json, .md, .csv or .txt",
                       **output_);
  }

  static std::string render(const std::string& form, const Profile& p, const ProfileView& view,
                            const Input& input) {
    if (form == ".json") return profile_json(p, view, stored_files(input.info));
    if (form == ".md") return profile_markdown(p, view, "Profile of " + input.info.path);
    if (form == ".csv") return profile_table(p, view).csv();
    return profile_text(p, view);
  }

  Option<std::string> model_{*this, "model", "", "the ONNX file"};
  Option<std::string> by_{*this, "by", "layer", "one row per", Choices{{"layer", "op"}}};
  Option<std::string> sort_{*this, "sort", "order", "order of the rows, largest first",
                            Choices{{"order", "macs", "flops", "params", "bytes", "activations"}}};
  Option<std::int64_t> top_{*this, "top", 0, "show only the first so many rows; 0: all", Range::at_least(0)};
  Option<bool> json_{*this, "json", false, "print JSON"};
  Option<bool> markdown_{*this, "markdown", false, "print Markdown"};
  Option<bool> csv_{*this, "csv", false, "print CSV with exact numbers"};
  Option<std::optional<std::string>> output_{
      *this, "output", std::nullopt,
      "write to this file instead, as its name says: .json, .md, .csv or .txt"};
  Option<bool> force_{*this, "force", false, "replace an existing file that this program did not write"};
  ShapeOptions shape_;
};

}  // namespace

void register_profile(CommandTable& table);
void register_profile(CommandTable& table) {
  table.push_back(std::make_unique<ProfileCommand>());
}

}  // namespace compressor::cli
