#!/usr/bin/env python3
"""calibration: the peer of calibration.sh, and the samples that both are given.

  calibration.py prepare MODEL[=CxHxW] SAMPLES CIFAR10_DIR STEM   writes STEM.onnx (its input of that size, its batch open) and STEM.npz
  calibration.py calibrate MODEL NPZ percentile|entropy THREADS   prints the seconds of ONNX Runtime's calibrator
"""

import os
import sys
import tempfile
import time

import numpy as np
import onnx


def cifar(folder, count):
    names = sorted(n for n in os.listdir(folder) if n.endswith(".bin"))
    raw = np.concatenate([np.fromfile(os.path.join(folder, n), np.uint8).reshape(-1, 3073)[:count] for n in names])
    x = raw[:count, 1:].reshape(-1, 3, 32, 32).astype(np.float32) / 255
    mean = np.array([0.485, 0.456, 0.406], np.float32).reshape(3, 1, 1)
    std = np.array([0.229, 0.224, 0.225], np.float32).reshape(3, 1, 1)
    return (x - mean) / std


def prepare(entry, samples, folder, stem):
    path, _, size = entry.partition("=")
    model = onnx.load(path)
    weights = {t.name for t in model.graph.initializer}
    given = [i for i in model.graph.input if i.name not in weights]
    if len(given) != 1:
        sys.exit(f"calibration: {path} has {len(given)} inputs, expected 1")
    dims = given[0].type.tensor_type.shape.dim
    if size:
        for dim, value in zip(dims[1:], size.split("x"), strict=True):
            dim.dim_value = int(value)
        dims[0].dim_param = "N"
        del model.graph.value_info[:]
    shape = [d.dim_value for d in dims[1:]]
    if 0 in shape:
        sys.exit(f"calibration: {path}: its input has open axes, give MODEL=CxHxW")
    onnx.save(model, stem + ".onnx")
    if shape == [3, 32, 32] and os.path.isdir(folder):
        x = cifar(folder, samples)
    else:
        x = np.random.default_rng(0).standard_normal([samples, *shape], dtype=np.float32)
    np.savez(stem + ".npz", **{given[0].name: x})


def calibrate(path, data, observer, threads):
    import onnxruntime as ort
    from onnxruntime.quantization.calibrate import CalibrationDataReader, CalibrationMethod, create_calibrator

    session = ort.InferenceSession

    def limited(model, sess_options=None, **rest):
        sess_options = sess_options or ort.SessionOptions()
        sess_options.intra_op_num_threads = threads
        return session(model, sess_options=sess_options, **rest)

    ort.InferenceSession = limited
    name, x = next(iter(np.load(data).items()))

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.left = iter(x)

        def get_next(self):
            one = next(self.left, None)
            return None if one is None else {name: one[None]}

    method = {"percentile": CalibrationMethod.Percentile, "entropy": CalibrationMethod.Entropy}[observer]
    with tempfile.TemporaryDirectory() as work:
        start = time.perf_counter()
        calibrator = create_calibrator(path, augmented_model_path=os.path.join(work, "a.onnx"), calibrate_method=method)
        calibrator.collect_data(Reader())
        calibrator.compute_data()
        print(f"{time.perf_counter() - start:.3f}")


if __name__ == "__main__":
    if sys.argv[1] == "prepare":
        prepare(sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5])
    else:
        calibrate(sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))
