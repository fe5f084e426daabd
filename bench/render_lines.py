#!/usr/bin/env python3
"""render_lines: a data set of pictures of lines of text, as PaddleOCR has them, from plain text.

  render_lines.py OUT_DIR TEXT_FILE ... [--count N] [--fonts DIR] [--seed N]

Writes N lines of two to five words each for train/ and test/, from different places of the texts, and rec_gt_train.txt
and rec_gt_test.txt. Fonts (DejaVu, Debian's fonts-dejavu-core), sizes, colours, blur and noise vary. The same seed
gives the same data.
"""

import argparse
import glob
import os
import random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont


def phrases(paths, rng, count):
    """Runs of words; the first `count` are of the first half of each text, the rest of the second."""
    found = ([], [])
    for path in paths:
        with open(path, encoding="utf-8") as file:
            words = file.read().split()
        for half, part in enumerate((words[: len(words) // 2], words[len(words) // 2 :])):
            found[half].extend((part, i) for i in range(0, len(part) - 5, 6))
    chosen = rng.sample(found[0], count) + rng.sample(found[1], count)
    return [" ".join(words[at : at + rng.randint(2, 5)]) for words, at in chosen]


def picture(text, fonts, rng):
    font = ImageFont.truetype(rng.choice(fonts), rng.randint(18, 40))
    left, top, right, bottom = font.getbbox(text)
    border = [rng.randint(1, 8) for _ in range(4)]
    dark, light = [rng.randint(0, 90) for _ in range(3)], [rng.randint(165, 255) for _ in range(3)]
    ink, paper = (dark, light) if rng.random() < 0.75 else (light, dark)
    image = Image.new("RGB", (right - left + border[0] + border[1], bottom - top + border[2] + border[3]), tuple(paper))
    ImageDraw.Draw(image).text((border[0] - left, border[2] - top), text, font=font, fill=tuple(ink))
    image = image.rotate(rng.uniform(-1.5, 1.5), Image.Resampling.BICUBIC, expand=True, fillcolor=tuple(paper))
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1.5)))
    noise = np.random.default_rng(rng.randrange(2**31)).normal(0, rng.uniform(0, 25), (image.height, image.width, 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def render(out, texts, count=200, folder="/usr/share/fonts/truetype/dejavu", seed=0):
    fonts = sorted(glob.glob(os.path.join(folder, "DejaVuS*.ttf")))
    if not fonts:
        raise SystemExit(f"{folder}: no DejaVuS*.ttf there (fonts-dejavu-core)")
    rng = random.Random(seed)
    lines = phrases(texts, rng, count)
    for part, chosen in (("train", lines[:count]), ("test", lines[count:])):
        os.makedirs(os.path.join(out, part), exist_ok=True)
        with open(os.path.join(out, f"rec_gt_{part}.txt"), "w", encoding="utf-8") as labels:
            for i, text in enumerate(chosen):
                picture(text, fonts, rng).save(os.path.join(out, part, f"{i:05}.png"))
                labels.write(f"{part}/{i:05}.png\t{text}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("texts", nargs="+")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--fonts", default="/usr/share/fonts/truetype/dejavu")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    render(args.out, args.texts, args.count, args.fonts, args.seed)


if __name__ == "__main__":
    main()
