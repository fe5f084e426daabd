// formats_test: each format of pictures is recognised by looking, gives back what was put in, and refuses
// what is damaged; data.yaml.
#include <gmock/gmock.h>

#include <cstring>

#include "compressor/base/error.h"
#include "compressor/data/class_names.h"
#include "compressor/data/data_options.h"
#include "compressor/data/dataset.h"
#include "data/made_files.h"
#include "data/pictures.h"
#include "data/scratch.h"

namespace compressor::data {
namespace {

using namespace std::string_literals;  // NOLINT(google-build-using-namespace)

std::string idx(const std::vector<std::uint32_t>& shape, const std::string& data) {
  std::string text("\0\0\x08", 3);
  text += static_cast<char>(shape.size());
  for (const std::uint32_t d : shape) {
    for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(d >> shift & 0xFFU);
  }
  return text + data;
}

std::string digits(const Scratch& scratch, bool zipped) {
  const auto pack = [&](const std::string& text) { return zipped ? gzip(text) : text; };
  const std::string end = zipped ? ".gz" : "";
  scratch.write("train-images-idx3-ubyte" + end, pack(idx({3, 2, 2}, "abcdefghijkl")));
  scratch.write("train-labels-idx1-ubyte" + end, pack(idx({3}, "\1\2\3")));
  scratch.write("t10k-images-idx3-ubyte" + end, pack(idx({2, 2, 2}, "ABCDEFGH")));
  scratch.write("t10k-labels-idx1-ubyte" + end, pack(idx({2}, "\4\5")));
  return scratch.path();
}

TEST(Formats, Idx) {
  for (const bool zipped : {false, true}) {
    const Scratch scratch;
    const std::string path = digits(scratch, zipped);
    const auto test = open_dataset(path);
    EXPECT_EQ(test->split(), "test");
    EXPECT_EQ(test->size(), 2);
    EXPECT_EQ(test->get(1).image->pixels, (std::vector<std::uint8_t>{'E', 'F', 'G', 'H'}));
    EXPECT_EQ(test->get(1).truth.label, 5);
    OpenOptions options;
    options.split = "train";
    EXPECT_EQ(open_dataset(path, options)->get(2).truth.label, 3);
    options.split = "";
    options.prefer = "train";
    EXPECT_EQ(open_dataset(path, options)->size(), 3);
    options.split = "tset";
    EXPECT_ERROR(open_dataset(path, options), ErrorKind::kUsage, "did you mean 'test'?");
    EXPECT_EQ(open_dataset(path + "/train-images-idx3-ubyte" + (zipped ? ".gz" : ""))->get(0).truth.label, 1);
  }
}

TEST(Formats, DamagedIdx) {
  const Scratch scratch;
  const auto refused = [&](const std::string& content, const std::string& part) {
    const std::string path = scratch.write("bad-images-idx3-ubyte", content);
    EXPECT_ERROR(open_dataset(path), ErrorKind::kIo, path);
    EXPECT_ERROR(open_dataset(path), ErrorKind::kIo, part);
  };
  refused("", "cut short");
  refused("\x12\x34\x08\x03", "begins with 12 34");
  refused(std::string("\0\0\x0D\3\0\0\0\1\0\0\0\1\0\0\0\1....", 20), "element type 0x0d");
  refused(idx({3, 2, 2}, "abc"), "holds 3 bytes of data, expected 12");
  refused(idx({3, 2, 2}, "abcdefghijklm"), "holds 13 bytes");
  refused(idx({0xFFFFFFFF, 0xFFFFFFFF, 2}, ""), "too large");
  refused(idx({12}, "abcdefghijkl"), "expected pictures");
  const std::string whole = gzip(idx({3, 2, 2}, "abcdefghijkl"));
  refused(whole.substr(0, whole.size() / 2), "cut short");
  refused(gzip(idx({3, 2, 2}, "abcdefghijklm")), "more bytes follow");
  refused(gzip(idx({60000, 60000, 60}, "abc")), "more than its packed data can hold");
  std::string changed = whole;
  changed[changed.size() - 6] = static_cast<char>(changed[changed.size() - 6] ^ 1);
  refused(changed, "damaged");
  scratch.write("one-images-idx3-ubyte", idx({3, 2, 2}, "abcdefghijkl"));
  scratch.write("one-labels-idx1-ubyte", idx({2}, "\1\2"));
  EXPECT_ERROR(open_dataset(scratch.path("one-images-idx3-ubyte")), ErrorKind::kIo,
               "a label for each of the 3 pictures");
}

TEST(Formats, Cifar) {
  const Scratch scratch;
  std::string record(3073, '\0');
  record[0] = 7;
  record[1] = 'r', record[1 + 1024] = 'g', record[1 + 2048] = 'b';
  scratch.write("data_batch_1.bin", record + record);
  scratch.write("data_batch_2.bin", record);
  record[0] = 3;
  scratch.write("test_batch.bin", record);
  OpenOptions options;
  options.split = "train";
  const auto data = open_dataset(scratch.path(), options);
  EXPECT_EQ(data->size(), 3);
  const Sample last = data->get(2);
  EXPECT_EQ(last.truth.label, 7);
  EXPECT_EQ(last.image->pixels[0], 'r');
  EXPECT_EQ(last.image->pixels[1], 'g');
  EXPECT_EQ(last.image->pixels[2], 'b');
  EXPECT_EQ(data->classes()[7], "horse");
  EXPECT_EQ(open_dataset(scratch.path())->get(0).truth.label, 3);
  options = {};
  options.format = "cifar";
  EXPECT_ERROR(open_dataset(scratch.write("cut.bin", record.substr(1)), options), ErrorKind::kIo,
               "cut.bin: 3072 bytes");
}

TEST(Formats, PictureFolders) {
  const Scratch scratch;
  const Image a(4, 4, 1, 10), b(4, 4, 1, 20), c(4, 4, 1, 30);
  scratch.write("train/cat/b.png", png_of(b));
  scratch.write("train/cat/a.png", png_of(a));
  scratch.write("train/ant/c.png", png_of(c));
  scratch.write("val/cat/d.png", png_of(c));
  OpenOptions options;
  options.split = "train";
  const auto train = open_dataset(scratch.path(), options);
  EXPECT_THAT(train->classes(), testing::ElementsAre("ant", "cat"));
  ASSERT_EQ(train->size(), 3);
  EXPECT_EQ(*train->get(0).image, c);
  EXPECT_EQ(train->get(0).truth.label, 0);
  EXPECT_EQ(*train->get(1).image, a);
  EXPECT_EQ(train->get(2).truth.label, 1);
  EXPECT_EQ(open_dataset(scratch.path())->split(), "val");

  const auto flat = open_dataset(scratch.path("train/cat"));
  EXPECT_EQ(flat->size(), 2);
  EXPECT_FALSE(flat->get(0).truth.label);
  scratch.write("train/cat/labels.txt", "# file class\nb.png 5\n\na.png,9\r\n");
  const auto listed = open_dataset(scratch.path("train/cat"));
  EXPECT_EQ(listed->get(0).truth.label, 5);
  EXPECT_EQ(*listed->get(1).image, a);
  EXPECT_EQ(listed->get(1).truth.label, 9);
  scratch.write("train/cat/labels.txt", "b.png zebra\na.png ant\n");
  EXPECT_EQ(open_dataset(scratch.path("train/cat"))->get(0).truth.label, 1);
  scratch.write("train/cat/labels.txt", "b.png\thello world\n");
  EXPECT_EQ(open_dataset(scratch.path("train/cat"))->get(0).truth.text, "hello world");
  scratch.write("train/cat/labels.txt", "b.png 1\nnothing\n");
  EXPECT_ERROR(open_dataset(scratch.path("train/cat")), ErrorKind::kIo, "labels.txt:2: found 'nothing'");
}

TEST(Formats, LinesOfText) {
  const Scratch scratch;
  const Image a(3, 9, 3, 10), b(3, 5, 3, 20);
  scratch.write("train/word_1.png", png_of(a));
  scratch.write("train/word_2.png", png_of(b));
  scratch.write("test/word_1.png", png_of(b));
  scratch.write("rec_gt_train.txt",
                "\xEF\xBB\xBFtrain_data/rec/train/word_1.png\t12\r\n"
                "train_data/rec/train/word_2.png\tTiredness kills\tagain\n\n");
  scratch.write("rec_gt_test.txt", "test/word_1.png\t7");
  OpenOptions options;
  options.prefer = "train";
  const auto train = open_dataset(scratch.path(), options);
  EXPECT_EQ(train->describe(), "2 lines of text, rec_gt_train.txt");
  EXPECT_EQ(train->split(), "train");
  EXPECT_EQ(train->get(0).truth.text, "12");  // a number among texts is a text
  EXPECT_FALSE(train->get(0).truth.label);
  EXPECT_EQ(*train->get(0).image, a);
  EXPECT_EQ(train->get(1).truth.text, "Tiredness kills\tagain");
  const auto test = open_dataset(scratch.path());
  EXPECT_EQ(test->split(), "test");
  EXPECT_EQ(test->get(0).truth.text, "7");
  EXPECT_EQ(*test->get(0).image, b);

  options = {};
  options.labels = scratch.write("train/mine.txt", "word_2.png\tx\n");
  options.characters = scratch.write("keys.txt", "a\r\nb\n \n");
  const auto mine = open_dataset(scratch.path("train"), options);
  EXPECT_EQ(mine->size(), 1);
  EXPECT_EQ(mine->classes(), (std::vector<std::string>{"a", "b", " "}));
  EXPECT_EQ(open_dataset(options.labels)->get(0).truth.text, "x");
  scratch.write("data.yaml", "characters: keys.txt\n");
  EXPECT_EQ(open_dataset(scratch.path())->classes().size(), 3U);
}

TEST(Formats, LinesOfTextThatCannotBeRead) {
  const Scratch scratch;
  scratch.write("a.png", png_of(Image(2, 2, 1)));
  scratch.write("rec_gt.txt", "a.png\tone\n" + std::string(200, 'x') + "\n");
  EXPECT_ERROR(open_dataset(scratch.path()), ErrorKind::kIo,
               "rec_gt.txt:2: found '" + std::string(60, 'x') + "..', expected a picture's name");
  scratch.write("rec_gt.txt", "a.png\tone\nlost.png\t\xFF\xFE\n");
  const auto data = open_dataset(scratch.path());
  EXPECT_EQ(data->get(0).truth.text, "one");
  EXPECT_ERROR(data->get(1), ErrorKind::kIo, "lost.png");
  OpenOptions options;
  options.split = "val";
  EXPECT_ERROR(open_dataset(scratch.path(), options), ErrorKind::kUsage, "has no split 'val'");
  options.split = "";
  options.characters = scratch.write("keys", "");
  EXPECT_ERROR(open_dataset(scratch.path(), options), ErrorKind::kIo, "is empty");
  scratch.write("rec_gt_2.txt", "a.png\ttwo\n");
  EXPECT_ERROR(open_dataset(scratch.path()), ErrorKind::kUsage, "both say texts; say which (labels)");
  scratch.write("p/a.png", png_of(Image(2, 2, 1)));
  scratch.write("p/labels.txt", "a.png\t3\n");  // classes, as ever
  EXPECT_EQ(open_dataset(scratch.path("p"))->get(0).truth.label, 3);
  options.characters = scratch.write("keys", "a\n");
  EXPECT_ERROR(open_dataset(scratch.path("p"), options), ErrorKind::kUsage, "are about lines of text");
}

TEST(Formats, FoldersThatAreNumbersAreTheirClasses) {
  const Scratch scratch;
  for (const char* name : {"2", "10", "0"})
    scratch.write(std::string(name) + "/a.png", png_of(Image(2, 2, 1)));
  const auto data = open_dataset(scratch.path());
  EXPECT_EQ(data->get(0).truth.label, 0);
  EXPECT_EQ(data->get(1).truth.label, 10);
  EXPECT_EQ(data->get(2).truth.label, 2);
}

std::string voc_xml(const std::string& name, const std::string& box) {
  return "<?xml version=\"1.0\"?>\n<annotation><!-- x --><folder kind='a'>VOC</folder><object><name>" + name +
         "</name><difficult>1</difficult><bndbox>" + box + "</bndbox></object></annotation>\n";
}
const char* const kBox = "<xmin>1</xmin><ymin>2</ymin><xmax>3.5</xmax><ymax>4</ymax>";

TEST(Formats, Voc) {
  const Scratch scratch;
  scratch.write("JPEGImages/a.jpg", jpeg_of(Image(8, 8, 3, 9)));
  scratch.write("JPEGImages/b.jpg", jpeg_of(Image(8, 8, 3, 9)));
  scratch.write("Annotations/a.xml", voc_xml("dog", kBox));
  scratch.write("Annotations/b.xml", "<annotation/>");
  const auto data = open_dataset(scratch.path());
  ASSERT_EQ(data->size(), 2);
  const Sample sample = data->get(0);
  ASSERT_EQ(sample.truth.boxes->size(), 1U);
  const Box& box = sample.truth.boxes->front();
  EXPECT_EQ(data->classes()[static_cast<std::size_t>(box.label)], "dog");
  EXPECT_TRUE(box.difficult);
  EXPECT_DOUBLE_EQ(box.x1, 1);
  EXPECT_DOUBLE_EQ(box.y1, 2);
  EXPECT_DOUBLE_EQ(box.x2, 3.5);
  EXPECT_DOUBLE_EQ(box.y2, 4);
  EXPECT_TRUE(data->get(1).truth.boxes->empty());
  scratch.write("ImageSets/Main/val.txt", "b\n");
  EXPECT_EQ(open_dataset(scratch.path())->size(), 1);
}

TEST(Formats, MalformedXml) {
  const Scratch scratch;
  scratch.write("a.jpg", jpeg_of(Image(8, 8, 3, 9)));
  const auto refused = [&](const std::string& xml, const std::string& part) {
    const std::string path = scratch.write("a.xml", xml);
    EXPECT_ERROR(open_dataset(scratch.path())->get(0), ErrorKind::kIo, path);
    EXPECT_ERROR(open_dataset(scratch.path())->get(0), ErrorKind::kIo, part);
  };
  refused("", "expected an element");
  refused("<annotation>\n<object>", "a.xml:2: malformed XML: 'object' is not closed");
  refused("<a><b></a></b>", "'b' is closed as 'a'");
  refused("<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", "document types");
  refused("<a>&x;</a>", "unknown entity 'x'");
  refused("<a b=c/>", "not quoted");
  refused("<a/><b/>", "something follows");
  std::string deep;
  for (int i = 0; i < 100000; ++i) deep += "<a>";
  refused(deep, "64 levels");
  refused(voc_xml("unicorn", kBox), "object 'unicorn' is none of the 20 classes");
  refused(voc_xml("dog", "<xmin>1</xmin>"), "has no 'ymin'");
  refused(voc_xml("dog", "<xmin>x</xmin><ymin>1</ymin><xmax>1</xmax><ymax>1</ymax>"), "found 'x'");
  refused(voc_xml("dog", "<xmin>9</xmin><ymin>1</ymin><xmax>1</xmax><ymax>1</ymax>"), "without area");
}

TEST(Formats, Coco) {
  const Scratch scratch;
  scratch.write("val2017/b.jpg", jpeg_of(Image(8, 8, 3, 9)));
  scratch.write("val2017/a.jpg", jpeg_of(Image(8, 8, 3, 9)));
  const std::string path =
      scratch.write("annotations/instances_val2017.json",
                    R"({"images": [{"id": 7, "file_name": "b.jpg"}, {"id": 9, "file_name": "a.jpg"}],
          "categories": [{"id": 18, "name": "dog"}, {"id": 3, "name": "car"}],
          "annotations": [{"image_id": 9, "category_id": 18, "bbox": [1, 2, 3, 4], "iscrowd": 1, "area": 5,
                           "segmentation": [[1, 2, 3]]}]})");
  const auto data = open_dataset(scratch.path());
  EXPECT_EQ(data->split(), "val");
  EXPECT_THAT(data->classes(), testing::ElementsAre("car", "dog"));
  ASSERT_EQ(data->size(), 2);
  const Sample sample = data->get(0);
  EXPECT_THAT(sample.name, testing::EndsWith("a.jpg"));
  ASSERT_EQ(sample.truth.boxes->size(), 1U);
  EXPECT_EQ(sample.truth.boxes->front().label, 1);
  EXPECT_EQ(sample.truth.boxes->front().x2, 4);
  EXPECT_EQ(sample.truth.boxes->front().area, 5);
  EXPECT_TRUE(sample.truth.boxes->front().crowd);
  EXPECT_TRUE(data->get(1).truth.boxes->empty());
  EXPECT_EQ(open_dataset(path)->size(), 2);
  for (const char* bad :
       {R"({"images": [)", R"({"images": 3})", R"({"images": [{"id": "x", "file_name": 3}]})",
        R"({"images": [], "categories": [], "annotations": [{"image_id": 1, "category_id": 1}]})"}) {
    scratch.write("annotations/instances_val2017.json", bad);
    EXPECT_ERROR(open_dataset(path), ErrorKind::kIo, path);
  }
}

TEST(Formats, Masks) {
  const Scratch scratch;
  Image mask(4, 6, 1, 2);
  mask.pixels[3] = 11;
  scratch.write("val/a.png", png_of(Image(4, 6, 3, 77)));
  scratch.write("valannot/a.png", png_of(mask));
  scratch.write("data.yaml", "void: 11\nclasses: [sky, road]\n");
  const auto data = open_dataset(scratch.path());
  EXPECT_EQ(data->void_label(), 11);
  EXPECT_EQ(data->get(0).truth.mask, mask);
  EXPECT_EQ(data->split(), "val");
  scratch.write("valannot/a.png", png_of(Image(4, 5, 1)));
  EXPECT_ERROR(data->get(0), ErrorKind::kIo, "mask of 4x5, expected 4x6");
  scratch.write("valannot/b.png", png_of(mask));
  EXPECT_ERROR(open_dataset(scratch.path()), ErrorKind::kIo, "b.png: no picture of that name");
}

TEST(Formats, WhatIsNoData) {
  const Scratch scratch;
  EXPECT_ERROR(open_dataset(scratch.path("missing")), ErrorKind::kIo, "no such file or folder");
  EXPECT_ERROR(open_dataset(scratch.path()), ErrorKind::kUsage, "the folder is empty");
  EXPECT_ERROR(open_dataset(scratch.write("a.xyz", "what is this")), ErrorKind::kUsage, "no known format");
  OpenOptions options;
  options.format = "cifra";
  EXPECT_ERROR(open_dataset(scratch.path(), options), ErrorKind::kUsage, "did you mean 'cifar'?");
  const Scratch both;
  both.write("a/x.wav", wav(1, 1, 16, "1234"));
  both.write("b/x.png", png_of(Image(2, 2, 1)));
  EXPECT_ERROR(open_dataset(both.path()), ErrorKind::kUsage, "may be image_folder, sound");
}

TEST(Formats, DataYamlSaysTheRest) {
  const Scratch scratch;
  digits(scratch, false);
  scratch.write("data.yaml",
                "split: train\npreprocess:\n  preset: mnist\n  pad: 2\n  mean: [0.1]\n# comment\n");
  DataOptions options;
  options.data.set(scratch.path());
  EXPECT_EQ(options.open()->size(), 3);
  EXPECT_EQ(options.preprocessing(), parse_preprocess("mnist,pad=2,mean=0.1"));
  options.preprocess.set("unit");
  EXPECT_EQ(options.preprocessing(), parse_preprocess("unit"));
  options.split.set("test");
  EXPECT_EQ(options.open()->size(), 2);
  for (const auto& [yaml, part] : std::vector<std::pair<std::string, std::string>>{
           {"spilt: train", "unknown key 'spilt'; did you mean 'split'?"},
           {"preprocess: minst", "did you mean 'mnist'?"},
           {"preprocess: {resise: 3}", "did you mean 'resize'?"},
           {"window: -3", "window: found '-3'"},
           {"classes: nolist", "no known list"},
           {"[1, 2]", "expected a map"},
           {"a: [", "data.yaml:"}}) {
    scratch.write("data.yaml", yaml);
    EXPECT_ERROR(preprocess_beside(scratch.path()), ErrorKind::kUsage, part);
    EXPECT_ERROR(options.open(), ErrorKind::kUsage, "data.yaml");
  }
}

TEST(Formats, ClassesThatMeanTheSame) {
  const auto matches = match_classes(class_list("voc"), class_list("coco"));
  EXPECT_EQ(std::count(matches.begin(), matches.end(), -1), 0);
  EXPECT_EQ(class_list("coco").size(), 80U);
  EXPECT_EQ(class_list("coco")[static_cast<std::size_t>(matches[17])], "couch");
  EXPECT_EQ(match_classes({"unicorn"}, class_list("coco")), (std::vector<std::int64_t>{-1}));
}

}  // namespace
}  // namespace compressor::data
