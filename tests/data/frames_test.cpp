// frames_test: spectra by hand, frames that come back as the sound, and pairs of sounds.
#include "compressor/data/frames.h"

#include <gmock/gmock.h>

#include <cmath>
#include <numbers>

#include "compressor/base/error.h"
#include "compressor/base/random.h"
#include "compressor/data/data_options.h"
#include "data/made_files.h"
#include "data/scratch.h"

namespace compressor::data {
namespace {

constexpr std::uint64_t kSeed = 23;

std::vector<float> noise(std::int64_t n, std::uint64_t seed = kSeed) {
  Random random(seed);
  std::vector<float> values(static_cast<std::size_t>(n));
  for (float& v : values) v = static_cast<float>(0.3 * random.normal());
  return values;
}

std::string wav_of(const std::vector<float>& values) {
  return wav(3, 1, 32, {reinterpret_cast<const char*>(values.data()), values.size() * 4});
}

std::unique_ptr<Dataset> framed(const std::string& path, const std::string& settings) {
  OpenOptions options;
  options.frames = parse_preprocess(settings).frames;
  return open_dataset(path, options);
}

TEST(Frames, AToneIsOneFrequency) {
  const Scratch scratch;
  std::vector<float> tone;
  for (int i = 0; i < 64; ++i)
    tone.push_back(static_cast<float>(std::cos(2 * std::numbers::pi * 3 * i / 16)));
  const std::string path = scratch.write("tone.wav", wav_of(tone));
  const auto data = framed(path, "frame=16,hop=8,spectrum=complex");
  EXPECT_EQ(data->size(), 7);
  const Tensor complex = data->get(2).tensors.at("");
  EXPECT_EQ(complex.shape, (Dims{9, 2}));
  const std::vector<float> parts = to_floats(complex);
  for (std::size_t k = 0; k < 9; ++k) {
    EXPECT_NEAR(parts[2 * k], k == 3 ? 8 : 0, 1e-5) << k;  // N/2; starting at 16 the tone begins anew
    EXPECT_NEAR(parts[2 * k + 1], 0, 1e-5) << k;
  }
  const Sample sizes = framed(path, "frame=16,hop=8,spectrum=magnitude,window=hann,shape=1x9")->get(1);
  EXPECT_EQ(sizes.tensors.at("").shape, (Dims{1, 9}));
  // A Hann window spreads a tone over its neighbours, half as large each.
  EXPECT_THAT(to_floats(sizes.tensors.at("")),
              testing::Pointwise(testing::FloatNear(1e-5F), {0, 0, 2, 4, 2, 0, 0, 0, 0}));
}

TEST(Frames, WhereTheyLie) {
  const Scratch scratch;
  const std::string path = scratch.write("x.wav", wav_of({1, 2, 3, 4, 5, 6, 7}));
  const auto frame = [&](const std::string& settings, std::int64_t i) {
    return to_floats(framed(path, settings)->get(i).tensors.at(""));
  };
  EXPECT_EQ(framed(path, "frame=4,hop=2")->size(), 3);
  EXPECT_THAT(frame("frame=4,hop=2", 2), testing::ElementsAre(5, 6, 7, 0));
  EXPECT_EQ(framed(path, "frame=4,hop=2,edges=mirror")->size(), 4);
  EXPECT_THAT(frame("frame=4,hop=2,edges=mirror", 0), testing::ElementsAre(3, 2, 1, 2));
  EXPECT_THAT(frame("frame=4,hop=2,edges=mirror", 3), testing::ElementsAre(5, 6, 7, 6));
  EXPECT_EQ(framed(path, "frame=4,hop=2,edges=past")->size(), 4);
  EXPECT_THAT(frame("frame=4,hop=2,edges=past", 0), testing::ElementsAre(0, 0, 1, 2));
  EXPECT_THAT(frame("frame=4,hop=2,edges=past", 3), testing::ElementsAre(5, 6, 7, 0));
  EXPECT_THAT(frame("frame=4", 1), testing::ElementsAre(5, 6, 7, 0)) << "the hop is the frame";
}

/// The sound that comes of answering each frame by itself (or by a mask of ones).
std::vector<double> laid_back(const Dataset& data, const Frames& frames) {
  OverlapAdd sound;
  std::vector<double> all;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const Sample sample = data.get(i);
    std::vector<double> answer = to_doubles(sample.tensors.at(""));
    if (frames.answer == Frames::Answer::kMask) answer.assign(frames.answers(), 1);
    const std::vector<double> part = sound.add(*sample.truth.frame, answer);
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

TEST(Frames, ComeBackAsTheSound) {
  const Scratch scratch;
  const std::vector<float> sound = noise(1000);
  const std::string path = scratch.write("x.wav", wav_of(sound));
  for (const char* settings :
       {"frame=64,hop=32,window=sqrt_hann,spectrum=complex,edges=mirror",
        "frame=64,hop=16,window=hann,spectrum=complex,edges=past",
        "frame=64,hop=16,spectrum=magnitude,edges=past",
        "frame=48,hop=16,spectrum=magnitude,answer=mask,edges=inside",
        "frame=15,hop=5,spectrum=complex,answer=mask", "frame=40,hop=24,edges=past", "frame=32"}) {
    const Frames frames = parse_preprocess(settings).frames;
    const auto data = framed(path, settings);
    const std::vector<double> back = laid_back(*data, frames);
    EXPECT_GT(back.size(), sound.size() - static_cast<std::size_t>(frames.frame)) << settings;
    for (std::size_t i = 0; i < std::min(back.size(), sound.size()); ++i)
      ASSERT_NEAR(back[i], static_cast<double>(sound[i]), 1e-5)
          << settings << " at " << i << ", seed " << kSeed;
  }
}

TEST(Frames, ManyFilesAreManySequences) {
  const Scratch scratch;
  scratch.write("many/a.wav", wav_of(noise(20)));
  scratch.write("many/b.wav", wav_of(noise(9)));
  const auto data = framed(scratch.path("many"), "frame=8,hop=4,edges=past");
  ASSERT_EQ(data->size(), 5 + 3);
  EXPECT_EQ(data->get(4).sequence, 0);
  EXPECT_EQ(data->get(5).sequence, 1);
  EXPECT_EQ(data->get(5).name, scratch.path("many/b.wav") + "[0]");
  EXPECT_FALSE(data->get(5).truth.frame->wanted);
  EXPECT_EQ(to_ints(data->constants().at("sr")).front(), 16000);
}

TEST(Frames, WhatASoundShouldBecomeLiesBesideIt) {
  const Scratch scratch;
  const std::vector<float> wanted = noise(18, 5);
  scratch.write("named/one_mix.wav", wav_of(noise(20)));
  scratch.write("named/one_enh.wav", wav_of(wanted));
  scratch.write("named/two.wav", wav_of(noise(30)));
  const auto named = framed(scratch.path("named"), "frame=8,hop=4,edges=mirror");
  EXPECT_THAT(named->describe(),
              testing::HasSubstr("1 sound file, each with what it should become, 1 other left"));
  std::vector<float> all;
  for (std::int64_t i = 0; i < named->size(); ++i) {
    const auto part = named->get(i).truth.frame->wanted;
    ASSERT_TRUE(part);
    EXPECT_EQ(part->size(), i == 0 ? 0U : i == 5 ? 2U : 4U);
    all.insert(all.end(), part->begin(), part->end());
  }
  EXPECT_EQ(all, wanted);
  EXPECT_TRUE(framed(scratch.path("named/one_mix.wav"), "frame=8")->get(0).truth.frame->wanted);
  EXPECT_FALSE(framed(scratch.path("named/two.wav"), "frame=8")->get(0).truth.frame->wanted);

  scratch.write("filed/noisy/a.wav", wav_of(noise(20)));
  scratch.write("filed/clean/a.wav", wav_of(wanted));
  const auto whole = open_dataset(scratch.path("filed"));
  ASSERT_EQ(whole->size(), 1);
  EXPECT_FALSE(whole->get(0).truth.label);
  EXPECT_EQ(whole->get(0).truth.target->shape, (Dims{20})) << "also of sounds that are not cut; zeros follow";
}

TEST(Frames, AFileBesideTheDataMayAskForThem) {
  const Scratch scratch;
  const std::string path = scratch.write("x.wav", wav_of(noise(1000)));
  scratch.write("data.yaml", "preprocess:\n  preset: gtcrn\n  rate: 16000\n");
  DataOptions options;
  EXPECT_EQ(options.open_at(path)->get(0).tensors.at("").shape, (Dims{257, 1, 2}));
  options.preprocess.set("frame=32");
  EXPECT_EQ(options.open_at(path)->get(0).tensors.at("").shape, (Dims{32}));
}

TEST(Frames, BadSoundsAndSettingsAreNamed) {
  const Scratch scratch;
  const std::string good = scratch.write("x.wav", wav_of(noise(100)));
  EXPECT_ERROR(framed(scratch.write("two.wav", wav(1, 2, 16, std::string(80, '\0'))), "frame=8"),
               ErrorKind::kIo, "two.wav: has 2 channels, expected one");
  EXPECT_ERROR(framed(good, "frame=8,rate=8000"), ErrorKind::kIo, "has 16000 values a second, expected 8000");
  EXPECT_ERROR(framed(good, "frame=256,hop=8,edges=mirror"), ErrorKind::kIo,
               "has 100 values, expected more than");
  EXPECT_ERROR(framed(scratch.write("x.txt", "some text"), "frame=8"), ErrorKind::kUsage, "is text, and");
  EXPECT_ERROR(framed(scratch.write("none.wav", wav_of({})), "frame=8"), ErrorKind::kIo, "holds no samples");
  OpenOptions windowed;
  windowed.frames = parse_preprocess("frame=8").frames;
  windowed.window = 16;
  EXPECT_ERROR(open_dataset(good, windowed), ErrorKind::kUsage,
               "window is of sounds that are fed as they are");

  const auto refused = [](const std::string& text, const std::string& part) {
    EXPECT_ERROR(parse_preprocess(text), ErrorKind::kUsage, part);
  };
  refused("hop=4", "frame=N is missing");
  refused("frame=8,hop=9", "hop=9 skips values between frames of 8");
  refused("frame=8,crop=4", "settings of pictures beside it");
  refused("gtcrn,mean=1", "settings of pictures beside it");
  refused("frame=0", "found '0', expected a whole number from 1");
  refused("frame=8,answer=mask", "there is none");
  refused("frame=8,window=han", "did you mean 'hann'?");
  refused("frame=8,shape=3x3", "shape=3x3 does not hold the 8 numbers of a frame");
  refused("frame=8,shape=2x", "found '2x'");
}

}  // namespace
}  // namespace compressor::data
