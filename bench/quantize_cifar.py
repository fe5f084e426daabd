#!/usr/bin/env python3
"""quantize_cifar: `compressor quantize --data` beside ONNX Runtime's own static quantizer, on CIFAR-10 networks.

Both files are run by ONNX Runtime on the first test images: accuracy as run, size, and time against float32, in pairs.

  quantize_cifar.py COMPRESSOR CIFAR10_DIR MODEL=PREPROCESS ...     (PREPROCESS: imagenet_values or raw)
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

MEAN = np.array([0.485, 0.456, 0.406], np.float32).reshape(3, 1, 1)
STD = np.array([0.229, 0.224, 0.225], np.float32).reshape(3, 1, 1)
CALIBRATION = 512


def images(folder, part, preprocess, nhwc):
    names = sorted(n for n in os.listdir(folder) if n.endswith(".bin") and n.startswith(part))
    raw = np.concatenate([np.fromfile(os.path.join(folder, n), np.uint8).reshape(-1, 3073) for n in names])
    x = raw[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32)
    if preprocess != "raw":
        x = (x / 255 - MEAN) / STD
    return (x.transpose(0, 2, 3, 1).copy() if nhwc else x), raw[:, 0]


def session(path):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 4
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def accuracy(s, x, labels):
    name, shape = s.get_inputs()[0].name, s.get_inputs()[0].shape
    step = shape[0] if isinstance(shape[0], int) else 100
    hits = 0
    for i in range(0, len(x), step):
        hits += int((s.run(None, {name: x[i:i + step]})[0].argmax(-1) == labels[i:i + step]).sum())
    return 100 * hits / len(x)


def ratio(first, second, x):
    """Median over rounds of the time of `first` over that of `second`, taken in turns."""
    name = first.get_inputs()[0].name
    fixed = isinstance(first.get_inputs()[0].shape[0], int)
    batch = x[:first.get_inputs()[0].shape[0]] if fixed else x[:32]
    ratios = []
    for _ in range(15):
        times = []
        for s in (first, second):
            start = time.perf_counter()
            for _ in range(8):
                s.run(None, {name: batch})
            times.append(time.perf_counter() - start)
        ratios.append(times[0] / times[1])
    return statistics.median(ratios)


class Reader(CalibrationDataReader):
    def __init__(self, name, x, batch):
        self.batches = iter([{name: x[i:i + batch]} for i in range(0, len(x), batch)])

    def get_next(self):
        return next(self.batches, None)


def main():
    program, folder, models = sys.argv[1], sys.argv[2], sys.argv[3:]
    work = tempfile.mkdtemp()
    print(f"{'model':<24} {'file':<22} {'top-1':>6} {'bytes':>8} {'speed':>6}")
    for entry in models:
        model, preprocess = entry.split("=")
        s = session(model)
        nhwc = s.get_inputs()[0].shape[-1] == 3
        x, labels = images(folder, "test", preprocess, nhwc)
        train, _ = images(folder, "train", preprocess, nhwc)
        batch = s.get_inputs()[0].shape[0] if isinstance(s.get_inputs()[0].shape[0], int) else 32
        picked = train[np.random.default_rng(0).permutation(len(train))[:CALIBRATION]]
        name = os.path.basename(model)
        print(f"{name:<24} {'float32':<22} {accuracy(s, x, labels):6.2f} {os.path.getsize(model):8d}   1.0x", flush=True)
        files = {}
        for target in ("generic", "ort-cpu"):
            files["ours, " + target] = os.path.join(work, target + ".onnx")
            subprocess.run([program, "quantize", "--data", folder, "--preprocess", preprocess, "--target", target, model,
                            "-o", files["ours, " + target], "-q", "--force"], check=True, stdout=subprocess.DEVNULL)
        prepared = os.path.join(work, "prepared.onnx")
        quant_pre_process(model, prepared, skip_symbolic_shape=True)
        for label, options in (("ORT u8s8 per channel", {}), ("ORT reduce_range", {"reduce_range": True})):
            files[label] = os.path.join(work, label.replace(" ", "_") + ".onnx")
            quantize_static(prepared, files[label], Reader(s.get_inputs()[0].name, picked, batch),
                            quant_format=QuantFormat.QDQ, per_channel=True, activation_type=QuantType.QUInt8,
                            weight_type=QuantType.QInt8, **options)
        for label, path in files.items():
            q = session(path)
            print(f"{'':<24} {label:<22} {accuracy(q, x, labels):6.2f} {os.path.getsize(path):8d} {ratio(s, q, x):5.2f}x", flush=True)


main()
