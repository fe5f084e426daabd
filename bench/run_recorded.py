#!/usr/bin/env python3
"""run_recorded: ONNX Runtime over the inputs that `compressor eval --record` wrote, for `eval --replay` to measure.

  run_recorded.py MODEL INPUTS_DIR OUTPUTS_DIR [OUTPUT=INPUT ...]

An input that a batch lacks is what the OUTPUT beside it was in the batch before (state).
One program of its own, so that it can run on another processor than this machine's: `run` starts it, with `cpu` one of
qemu-x86_64's (Haswell: x86 without AVX-512 and VNNI).
"""

import glob
import os
import subprocess
import sys

import numpy as np
import onnxruntime as ort


def session(model, threads=2):
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run(model, inputs, outputs, states=(), cpu="", threads=os.environ.get("OMP_NUM_THREADS", "2")):
    command = [os.path.realpath(sys.executable), __file__, model, inputs, outputs, *states]
    if cpu:
        command = ["qemu-x86_64", "-cpu", cpu, *command]
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), PYTHONPATH=os.pathsep.join(p for p in sys.path if p))
    subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)


def main():
    model, inputs, outputs = sys.argv[1:4]
    states = dict(pair.split("=") for pair in sys.argv[4:])
    runner = session(model, int(os.environ.get("OMP_NUM_THREADS", "2")))
    names = [o.name for o in runner.get_outputs()]
    os.makedirs(outputs, exist_ok=True)
    results = {}
    for i, path in enumerate(sorted(glob.glob(os.path.join(inputs, "batch_*.npz")))):
        carried = {to: results[of] for of, to in states.items() if of in results}
        results = dict(zip(names, runner.run(None, carried | dict(np.load(path)))))
        np.savez(os.path.join(outputs, f"batch_{i:05}.npz"), **results)


if __name__ == "__main__":
    main()
