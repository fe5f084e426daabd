#!/usr/bin/env python3
"""top1_crops: top-1 over 18 views of every picture, for differences that single views are too few to show.

  top1_crops.py PICTURES MODEL FILE ...   (needs Pillow; pictures with labels.txt, name and class a line)

For networks of Caffe's kind (BGR less 104, 117, 123). Nine crops and their mirror images are run through ONNX
Runtime; printed are top-1, its difference to MODEL with the standard error over pictures, and the share of views
with the same answer as MODEL.
"""

import os
import sys

import numpy as np
from PIL import Image

import run_recorded

MEAN = np.array([104, 117, 123], np.float32)


def views(path, size):
    picture = np.asarray(Image.open(path).convert("RGB"), np.float32)[:, :, ::-1] - MEAN
    starts = [np.linspace(0, side - size, 3).astype(int) for side in picture.shape[:2]]
    crops = [picture[y:y + size, x:x + size] for y in starts[0] for x in starts[1]]
    return np.stack([view for crop in crops for view in (crop, crop[:, ::-1])]).transpose(0, 3, 1, 2).copy()


def main():
    folder, files = sys.argv[1], sys.argv[2:]
    sessions = [run_recorded.session(f) for f in files]
    name, size = sessions[0].get_inputs()[0].name, sessions[0].get_inputs()[0].shape[2]
    right, same = [[] for _ in files], [[] for _ in files]
    for line in open(os.path.join(folder, "labels.txt"), encoding="utf-8"):
        picture, label = line.replace(",", " ").split()
        x = views(os.path.join(folder, picture), size)
        answers = [s.run(None, {name: x})[0].reshape(len(x), -1).argmax(1) for s in sessions]
        for i, answer in enumerate(answers):
            right[i].append(np.mean(answer == int(label)))
            same[i].append(np.mean(answer == answers[0]))
    print("| file | top-1 | difference | same answer |\n|---|---|---|---|")
    for file, r, s in zip(files, right, same):
        change = 100 * (np.array(r) - np.array(right[0]))
        print(f"| {os.path.basename(file)} | {100 * np.mean(r):.2f} | {change.mean():+.2f} +- "
              f"{change.std() / len(change) ** 0.5:.2f} | {100 * np.mean(s):.2f} |")


main()
