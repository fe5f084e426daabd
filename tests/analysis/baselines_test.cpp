// baselines: real networks on real data give the numbers that they are known for.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "compressor/analysis/evaluate.h"
#include "compressor/onnx/load.h"

namespace compressor {
namespace {

namespace fs = std::filesystem;

fs::path shared(const char* variable, const char* folder) {
  const char* given = std::getenv(variable);
  return given ? fs::path(given) : fs::path(COMPRESSOR_SOURCE_DIR) / "../shared" / folder;
}

struct Baseline {
  const char* model;
  const char* data;
  const char* preprocess;
  const char* metric;
  double value, tolerance;
  OpenOptions open = {};
  std::int64_t samples = 0;
};

void PrintTo(const Baseline& b, std::ostream* out) {
  *out << b.model;
}

class LongBaselines : public testing::TestWithParam<Baseline> {};

TEST_P(LongBaselines, AreMet) {
  const Baseline& b = GetParam();
  const fs::path model_path = shared("COMPRESSOR_MODELS", "models") / b.model;
  const fs::path data_path = shared("COMPRESSOR_DATA", "data") / b.data;
  if (!fs::exists(model_path) || !fs::exists(data_path)) {
    GTEST_SKIP() << "NO REAL DATA: set COMPRESSOR_MODELS and COMPRESSOR_DATA";
  }
  const Model model = load_model(model_path.string());
  OpenOptions open = b.open;
  if (!open.tokenizer.empty()) open.tokenizer = (data_path.parent_path() / open.tokenizer).string();
  const auto data = open_dataset(data_path.string(), open);
  LoaderOptions options;
  options.batch = 0;
  options.samples = b.samples;
  const ModelData inputs(model, *data, parse_preprocess(b.preprocess), options);
  const Evaluation e = evaluate(model, *data, inputs, {b.metric});
  EXPECT_NEAR(e.metrics[0].value, b.value, b.tolerance);
}

OpenOptions camvid() {
  OpenOptions o;
  o.split = "val";
  o.void_label = 11;
  return o;
}

OpenOptions stories() {
  OpenOptions o;
  o.tokenizer = "tok512.bin";
  o.window = 512;
  return o;
}

INSTANTIATE_TEST_SUITE_P(
    Real, LongBaselines,
    testing::Values(
        Baseline{"cifar10_resnet20.onnx", "cifar10", "imagenet_values", "top1", 91.48, 0.05, {}, 0},
        Baseline{"cifar10_resnet56.onnx", "cifar10", "imagenet_values", "top1", 92.96, 0.05, {}, 0},
        Baseline{"cifar10_mlperf_resnet8.onnx", "cifar10", "raw", "top1", 86.98, 0.05, {}, 0},
        Baseline{"imagenet_squeezenet_v1.1.onnx",
                 "imagenet1000_crop256",
                 "caffe,crop=227",
                 "top1",
                 57.2,
                 0.05,
                 {},
                 0},
        Baseline{"imagenet_squeezenet_v1.1.onnx",
                 "imagenet1000_crop256",
                 "caffe,crop=227",
                 "top5",
                 83.2,
                 0.05,
                 {},
                 0},
        Baseline{"mnist_cntk.onnx", "mnist", "unit", "top1", 98.90, 0.05, {}, 0},
        Baseline{"mnist_pytorch_cnn.onnx", "mnist", "mnist", "top1", 99.07, 0.05, {}, 0},
        Baseline{"camvid_espnet.onnx", "camvid", "camvid", "miou", 0.709, 0.005, camvid(), 0},
        Baseline{
            "coco_yolox_nano_416.onnx", "voc2012_subset", "yolox", "ap50:decoder=yolox", 0.790, 0.005, {}, 0},
        Baseline{
            "coco_yolox_nano_416.onnx", "voc2012_subset", "yolox", "ap:decoder=yolox", 0.543, 0.005, {}, 0},
        Baseline{"magika_standard_v3_3.onnx", "magika", "", "top1", 100, 0, {}, 0},
        Baseline{"lm_stories260K.onnx", "text/tinystories_val_a.txt", "", "nats_per_token", 1.43, 0.005,
                 stories(), 20}));

}  // namespace
}  // namespace compressor
