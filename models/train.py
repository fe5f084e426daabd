#!/usr/bin/env python3
"""Trains the two networks of this folder on Fashion-MNIST and writes them as ONNX: train.py [lenet5|resnet8] [--epochs N] [--out DIR] [--data DIR].

Needs PyTorch, NumPy and onnx; runs on the CPU in minutes. Seeded: the same PyTorch on the same kind of processor gives the
same network. The pixels come as x/255, then (x - 0.2860) / 0.3530. Test images take no part in choosing anything: the
last epoch's weights are the ones written.
"""

import argparse
import gzip
import inspect
import io
import os
import struct
import time

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn import functional as F

MEAN, STD = 0.2860, 0.3530


class LeNet5(nn.Module):
    """LeNet-5 with ReLU and max pooling; 28 x 28 inputs padded to 32 x 32 by the first convolution."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = F.relu(self.fc1(torch.flatten(x, 1)))
        return self.fc3(F.relu(self.fc2(x)))


class Block(nn.Module):
    """Two 3 x 3 convolutions and a shortcut, which is a strided 1 x 1 convolution where the shape changes."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.down = None
        if stride != 1 or inputs != outputs:
            self.down = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.down is None else self.down(x)))


class ResNet8(nn.Module):
    """Three residual blocks of 16, 32 and 64 channels; BatchNormalization stays in the graph."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 16, 3, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(16)
        self.block1 = Block(16, 16, 1)
        self.block2 = Block(16, 32, 2)
        self.block3 = Block(32, 64, 2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn(self.conv(x)))
        x = self.block3(self.block2(self.block1(x)))
        return self.fc(torch.flatten(self.pool(x), 1))


NETS = {  # name: class, file, epochs, batch, highest learning rate, weight decay
    "lenet5": (LeNet5, "lenet5_fashion.onnx", 16, 128, 0.05, 5e-4),
    "resnet8": (ResNet8, "resnet8_fashion.onnx", 12, 128, 0.1, 5e-4),
}


def idx(path):
    with gzip.open(path, "rb") as f:
        data = f.read()
    rank = data[3]
    shape = struct.unpack(f">{rank}I", data[4:4 + 4 * rank])
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def load(folder, stem):
    x = torch.from_numpy(idx(f"{folder}/{stem}-images-idx3-ubyte.gz").astype(np.float32) / 255)
    y = torch.from_numpy(idx(f"{folder}/{stem}-labels-idx1-ubyte.gz").astype(np.int64))
    return ((x - MEAN) / STD)[:, None], y


def augment(x, rng):
    """Mirrors half of the batch, and shifts it by up to two pixels each way."""
    flip = torch.rand(len(x), generator=rng) < 0.5
    x = torch.where(flip[:, None, None, None], x.flip(3), x)
    dy, dx = torch.randint(0, 5, (2,), generator=rng).tolist()
    return F.pad(x, (2, 2, 2, 2), value=-MEAN / STD)[:, :, dy:dy + 28, dx:dx + 28].contiguous()


def train(name, folder, epochs):
    kind, _, default_epochs, batch, rate, decay = NETS[name]
    epochs = epochs or default_epochs
    torch.manual_seed(2026)
    rng = torch.Generator().manual_seed(2026)
    net = kind().to(memory_format=torch.channels_last)
    x, y = load(folder, "train")
    xt, yt = load(folder, "t10k")
    steps = (len(x) + batch - 1) // batch
    opt = torch.optim.SGD(net.parameters(), lr=rate, momentum=0.9, weight_decay=decay, nesterov=True)
    plan = torch.optim.lr_scheduler.OneCycleLR(opt, rate, total_steps=epochs * steps, pct_start=0.2)
    for epoch in range(epochs):
        start, total = time.time(), 0.0
        net.train()
        order = torch.randperm(len(x), generator=rng)
        for k in range(0, len(x), batch):
            pick = order[k:k + batch]
            loss = F.cross_entropy(net(augment(x[pick], rng)), y[pick], label_smoothing=0.05)
            opt.zero_grad()
            loss.backward()
            opt.step()
            plan.step()
            total += float(loss.detach()) * len(pick)
        net.eval()
        with torch.no_grad():
            right = sum(int((net(xt[k:k + 500]).argmax(1) == yt[k:k + 500]).sum()) for k in range(0, len(xt), 500))
        print(f"{name} epoch {epoch + 1}/{epochs}: loss {total / len(x):.4f}, test {100 * right / len(xt):.2f} %, "
              f"{time.time() - start:.0f} s", flush=True)
    return net


def own_initializers(graph):
    """The exporter lets equal tensors share one initializer through Identity (a shortcut's bias trains like its
    neighbour's); here each node gets its own."""
    weights = {t.name: t for t in graph.initializer}
    for n in [n for n in graph.node if n.op_type == "Identity" and n.input[0] in weights]:
        t = onnx.TensorProto()
        t.CopyFrom(weights[n.input[0]])
        t.name = n.output[0]
        graph.initializer.append(t)
        graph.node.remove(n)


def export(net, name, path):
    """Writes the evaluated network with BatchNormalization and Conv as separate nodes and weights as raw initializers."""
    more = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    buf = io.BytesIO()
    net = net.eval().to(memory_format=torch.contiguous_format)
    torch.onnx.export(net, torch.zeros(1, 1, 28, 28), buf, opset_version=17, input_names=["image"], output_names=["logits"],
                      dynamic_axes={"image": {0: "N"}, "logits": {0: "N"}}, do_constant_folding=False,
                      training=torch.onnx.TrainingMode.PRESERVE, **more)
    m = onnx.load_from_string(buf.getvalue())
    m.ir_version = 8
    m.graph.name = name
    m.producer_name, m.producer_version = "compressor models/train.py", ""
    own_initializers(m.graph)
    for n in m.graph.node:
        n.doc_string = ""
        if n.op_type == "BatchNormalization":  # training_mode 0 is the default
            del n.attribute[:], n.output[1:]
            n.attribute.append(onnx.helper.make_attribute("epsilon", 1e-5))
    m = onnx.shape_inference.infer_shapes(m)
    onnx.checker.check_model(m, full_check=True)
    onnx.save(m, path)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("nets", nargs="*", choices=[[], *NETS], default=[])
    p.add_argument("--epochs", type=int)
    p.add_argument("--out", default=os.path.dirname(os.path.abspath(__file__)))
    p.add_argument("--data", default="/usr/share/datasets/fashion-mnist")
    p.add_argument("--threads", type=int, default=1, help="1, the default, is what makes the result repeatable")
    args = p.parse_args()
    torch.set_num_threads(args.threads)
    for name in args.nets or NETS:
        export(train(name, args.data, args.epochs), name, os.path.join(args.out, NETS[name][1]))


if __name__ == "__main__":
    main()
