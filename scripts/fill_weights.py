# fill_weights.py: makes a full-sized test model by filling in the weights that an ONNX topology leaves to ConstantOfShape.
"""fill_weights.py IN.onnx OUT.onnx [--seed N]

Every ConstantOfShape whose shape is a constant and whose output is a float tensor of rank >= 2 becomes an
initializer (raw_data) of normal random numbers times sqrt(2 / fan_in); rank 1 becomes zeros. Weights are made and
written one at a time, so that memory holds the largest of them and not the model. Same seed, same file.
Run with the referee's Python: build/referee/bin/python.
"""
import argparse
import math

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, size):
    """Tag and length of a length-delimited protobuf field."""
    return varint(number << 3 | 2) + varint(size)


def header(name, shape):
    """A TensorProto up to its raw_data."""
    count = math.prod(shape)
    tensor = TensorProto(dims=shape, data_type=TensorProto.FLOAT, name=name)
    return tensor.SerializeToString() + field(9, 4 * count), 4 * count


def fan_in(shape):
    return math.prod(shape[1:])


def fill(source, target, seed):
    model = onnx.load(source)
    graph = model.graph
    constants = {t.name: t for t in graph.initializer}
    shapes = {}
    for node in graph.node:
        if node.op_type != "ConstantOfShape" or node.input[0] not in constants:
            continue
        value = next((numpy_helper.to_array(a.t) for a in node.attribute if a.name == "value"), np.zeros(1, np.float32))
        if value.dtype == np.float32:
            shapes[node.output[0]] = [int(d) for d in numpy_helper.to_array(constants[node.input[0]])]

    used = {name for node in graph.node if node.output[0] not in shapes for name in node.input}
    gone = {node.input[0] for node in graph.node if node.output[0] in shapes} - used
    keep = [node for node in graph.node if node.output[0] not in shapes]
    for entries, kept in (
        (graph.node, keep),
        (graph.initializer, [t for t in graph.initializer if t.name not in gone]),
        (graph.input, [i for i in graph.input if i.name not in gone]),
    ):
        kept = [type(e).FromString(e.SerializeToString()) for e in kept]
        del entries[:]
        entries.extend(kept)
    if model.ir_version < 4:
        for name, shape in shapes.items():
            graph.input.append(onnx.helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    body = graph.SerializeToString()
    headers = {name: header(name, shape) for name, shape in shapes.items()}
    total = len(body) + sum(len(field(5, len(h) + n)) + len(h) + n for h, n in headers.values())
    model.ClearField("graph")
    rng = np.random.default_rng(seed)
    with open(target, "wb") as out:
        out.write(model.SerializeToString())
        out.write(field(7, total))
        out.write(body)
        for name, shape in shapes.items():
            h, size = headers[name]
            out.write(field(5, len(h) + size))
            out.write(h)
            if len(shape) < 2:
                out.write(bytes(size))
                continue
            scale = np.float32(math.sqrt(2 / fan_in(shape)))
            left = size // 4
            while left > 0:  # in pieces: a weight of 400 MB is not made at once
                n = min(left, 1 << 22)
                out.write((rng.standard_normal(n, dtype=np.float32) * scale).tobytes())
                left -= n
    print(f"{target}: {len(shapes)} weights filled")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    fill(args.source, args.target, args.seed)
