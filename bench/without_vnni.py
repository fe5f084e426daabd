#!/usr/bin/env python3
"""without_vnni: files of `compressor quantize` on an emulated x86 without VNNI, bit for bit beside this machine.

  without_vnni.py COMPRESSOR [--cpu Haswell] [--target generic]

One convolution or product a file, with weights that saturate 16 bits wherever a kernel adds other pairs than those
that quantize keeps safe: a channel reads 1 127 127 1 from input to input and the same at every position. Needs
qemu-x86_64 (Debian's qemu-user) and ONNX Runtime. Exits with 1 when an output differs, as all of --target ort-cpu do.
"""

import argparse
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import run_recorded

CONVOLUTIONS = [  # inputs, outputs, kernel, groups, spatial size
    (4, 8, (1, 1), 1, (9, 9)), (8, 16, (3, 3), 1, (9, 9)), (3, 8, (3, 3), 1, (9, 9)), (5, 8, (3, 3), 1, (8, 8)),
    (12, 8, (3, 3), 2, (8, 8)), (6, 8, (3, 3), 2, (8, 8)), (64, 64, (3, 3), 1, (6, 6)), (7, 4, (5,), 1, (20,)),
    (8, 8, (5,), 1, (20,)), (64, 64, (1, 1), 1, (12, 12)), (16, 16, (1, 7), 1, (9, 9)), (20, 20, (3, 3), 5, (8, 8)),
    (8, 8, (3, 3), 8, (8, 8)), (4, 4, (2, 2, 2), 1, (4, 4, 4)),
]
PRODUCTS = [(64, 32), (33, 16), (7, 5), (256, 64)]


def weights(rng, outputs, inputs, kernel):
    along = np.array([1, 127, 127, 1], np.float32)[np.arange(inputs) % 4] / 127
    w = np.broadcast_to(along.reshape((1, inputs) + (1,) * len(kernel)), (outputs, inputs, *kernel))
    return (w * rng.choice([-1, 1], size=(outputs, 1) + (1,) * len(kernel))).astype(np.float32)


def cases(rng):
    for inputs, outputs, kernel, groups, size in CONVOLUTIONS:
        w = weights(rng, outputs, inputs // groups, kernel)
        yield "Conv", w, {"group": groups, "kernel_shape": list(kernel)}, (1, inputs, *size)
    for inputs, outputs in PRODUCTS:
        w = weights(rng, outputs, inputs, ()).T.copy()
        yield "MatMul", w, {}, (4, inputs)
        yield "Gemm", w, {}, (4, inputs)


def network(op, w, attributes, shape):
    initializers = [numpy_helper.from_array(w, "w"), numpy_helper.from_array(np.array([-1], np.int64), "flat")]
    inputs = ["x", "w"]
    if op == "Gemm":
        initializers.append(numpy_helper.from_array(np.zeros(w.shape[1], np.float32), "b"))
        inputs.append("b")
    nodes = [helper.make_node(op, inputs, ["c"], **attributes), helper.make_node("Relu", ["c"], ["r"]),
             helper.make_node("Reshape", ["r", "flat"], ["y"])]  # so that the output of the layer has a scale too
    info = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "layer", [info("x", TensorProto.FLOAT, shape)],
                              [info("y", TensorProto.FLOAT, None)], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def outputs(model, inputs, to, cpu=""):
    run_recorded.run(model, inputs, to, cpu=cpu, threads=1)
    return np.load(os.path.join(to, "batch_00000.npz"))["y"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--cpu", default="Haswell")
    parser.add_argument("--target", default="generic")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    differing = 0
    for op, w, attributes, shape in cases(rng):
        with tempfile.TemporaryDirectory() as work:
            at = lambda name: os.path.join(work, name)
            onnx.save(network(op, w, attributes, shape), at("float.onnx"))
            os.mkdir(at("in"))
            feed = os.path.join(at("in"), "batch_00000.npz")
            np.savez(feed, x=rng.choice([0, 1, 1, 1], size=shape).astype(np.float32))
            subprocess.run([args.program, "quantize", "--mode", "static", "--observer", "minmax", "--target", args.target,
                            "--data", feed, "-q", at("float.onnx"), "-o", at("int8.onnx")], check=True, stdout=subprocess.DEVNULL)
            here, there = outputs(at("int8.onnx"), at("in"), at("here")), outputs(at("int8.onnx"), at("in"), at("there"), args.cpu)
        same = np.array_equal(here, there)
        differing += not same
        print(f"{op:6} {'x'.join(map(str, w.shape)):12} groups {attributes.get('group', 1)}: "
              f"{'same bits' if same else f'differs by up to {np.abs(here - there).max()}'}", flush=True)
    sys.exit(1 if differing else 0)


main()
