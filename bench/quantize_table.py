#!/usr/bin/env python3
"""quantize_table: `compressor quantize --data` beside ONNX Runtime's own static quantizer, on one table.

  quantize_table.py COMPRESSOR MODELS_DIR DATA_DIR [ROW ...] [--rounds N] [--samples N] [--ours NAME=OPTIONS ...]

For every file: what it scores as ONNX Runtime runs it on this machine and in exact arithmetic (our engine), its
bytes, and the time of float32 over its own, taken in turns. Both quantizers see the same calibration inputs, which
`compressor eval --record` writes; `--replay` measures what ONNX Runtime gives by the same rules as our own engine.
On machines without VNNI the peer's files saturate: there "as run" falls behind "exact". `--emulate Haswell` shows that
on any machine: one more column, of the same files on an emulated processor (needs qemu-x86_64, Debian's qemu-user).
"""

import argparse
import glob
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field

import numpy as np
import onnx
import onnx.version_converter
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

import render_lines
import run_recorded

CALIBRATION = 512


@dataclass
class Row:
    model: str
    data: str
    metric: str
    options: list = field(default_factory=list)
    split: bool = False  # has a training part of its own
    float_samples: int = 0
    calibration: int = CALIBRATION
    dynamic: bool = False  # the peer's dynamic mode too
    states: list = field(default_factory=list)  # output=input
    also: list = field(default_factory=list)  # further metrics
    lines: list = field(default_factory=list)  # texts whose lines are rendered: the data where there is none

    def all_options(self):
        return self.options + [word for pair in self.states for word in ("--state", pair)]


ROWS = {
    "resnet8": Row("cifar10_mlperf_resnet8.onnx", "cifar10", "top1", ["--preprocess", "raw"], True),
    "resnet20": Row("cifar10_resnet20.onnx", "cifar10", "top1", ["--preprocess", "imagenet_values"], True),
    "resnet56": Row("cifar10_resnet56.onnx", "cifar10", "top1", ["--preprocess", "imagenet_values"], True),
    "squeezenet": Row("imagenet_squeezenet_v1.1.onnx", "imagenet1000_crop256", "top1", ["--preprocess", "caffe,crop=227"],
                      calibration=100),
    "espnet": Row("camvid_espnet.onnx", "camvid", "miou", ["--preprocess", "camvid", "--void-class", "11"], True),
    "yolox": Row("coco_yolox_nano_416.onnx", "voc2012_subset", "ap50:decoder=yolox", ["--preprocess", "yolox"]),
    "fastestdet": Row("coco_fastestdet_352.onnx", "voc2012_subset", "ap50:decoder=fastestdet",
                      ["--preprocess", "fastestdet"]),
    "stories": Row("lm_stories260K.onnx", "text/tinystories_val_a.txt", "nats_per_token",
                   ["--window", "256", "--tokenizer", "text/tok512.bin"], float_samples=20, calibration=20, dynamic=True),
    "gtcrn": Row("se_gtcrn_simple.onnx", "audio", "snr", ["--preprocess", "gtcrn", "-j", "1"], dynamic=True,
                 states=["conv_cache_out=conv_cache", "tra_cache_out=tra_cache", "inter_cache_out=inter_cache"]),
    "ppocr": Row("ocr_ppocrv4_rec.onnx", "", "text_accuracy:ignore-space=true",
                 ["--preprocess", "ppocr", "--characters", "ocr/ppocr_keys_v1.txt"], True,
                 also=["char_accuracy:ignore-space=true"], calibration=100,
                 lines=["text/tinyshakespeare.txt", "text/tinystories_val_a.txt"]),
    "magika": Row("magika_standard_v3_3.onnx", "magika", "top1", dynamic=True),
}


def batches(folder):
    return [dict(np.load(f)) for f in sorted(glob.glob(os.path.join(folder, "batch_*.npz")))]


class Reader(CalibrationDataReader):
    """The recorded batches; state that they lack is what the float model makes of those before."""

    def __init__(self, folder, model, states):
        self.batches = iter(self.with_state(folder, run_recorded.session(model), states) if states
                            else batches(folder))

    @staticmethod
    def with_state(folder, float_session, states):
        names, pairs, results = [o.name for o in float_session.get_outputs()], [s.split("=") for s in states], {}
        for feeds in batches(folder):
            feeds = {to: results[of] for of, to in pairs if of in results} | feeds
            yield feeds
            results = dict(zip(names, float_session.run(None, feeds)))

    def get_next(self):
        return next(self.batches, None)


def speed(first, second, feeds, rounds):
    """Median over rounds of the time of `first` over that of `second`, taken in turns."""
    ratios = []
    start = time.perf_counter()
    first.run(None, feeds)
    repeat = max(1, int(0.05 / (time.perf_counter() - start)))
    for _ in range(rounds):
        times = []
        for s in (first, second):
            start = time.perf_counter()
            for _ in range(repeat):
                s.run(None, feeds)
            times.append(time.perf_counter() - start)
        ratios.append(times[0] / times[1])
    return statistics.median(ratios)


class Bench:
    def __init__(self, args):
        self.args = args
        self.work = tempfile.mkdtemp()

    def data(self, row):
        if not row.lines:
            return os.path.join(self.args.data, row.data)
        made = os.path.join(self.work, row.model + ".lines")
        if not os.path.exists(made):
            render_lines.render(made, [os.path.join(self.args.data, text) for text in row.lines])
        return made

    def options(self, row):
        return [os.path.join(self.args.data, o) if o.startswith(("text/", "ocr/")) else o for o in row.all_options()]

    def eval(self, row, model, *more, samples=0):
        metrics = [word for metric in (row.metric, *row.also) for word in ("--metric", metric)]
        command = [self.args.program, "eval", "--json", "--data", self.data(row), *metrics, *self.options(row), *more,
                   *(["--samples", str(samples)] if samples else []), model]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip() or " ".join(command))
        return " / ".join(f"{m['value']:.4f}" for m in json.loads(done.stdout)["metrics"])

    def as_run(self, row, model, inputs, samples, emulate=""):
        out = os.path.join(self.work, "out")
        shutil.rmtree(out, ignore_errors=True)
        run_recorded.run(model, inputs, out, row.states, emulate)
        return self.eval(row, model, "--replay", out, samples=samples)

    def line(self, name, label, row, model, inputs, samples, exact, speed_up):
        emulated = f" {self.as_run(row, model, inputs, samples, self.args.emulate)} |" if self.args.emulate else ""
        print(f"| {name} | {label} | {self.as_run(row, model, inputs, samples)} |{emulated} {exact} | "
              f"{os.path.getsize(model)} | {speed_up} |", flush=True)

    def ours(self, row, model, options, to):
        command = [self.args.program, "quantize", "--data", self.data(row), *self.options(row),
                   "--samples", str(row.calibration), *(["--split", "train"] if row.split else []), *options,
                   model, "-o", to, "-q", "--force"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def peer(self, row, model, calibration, to, **options):
        prepared = os.path.join(self.work, "prepared.onnx")
        try:
            quant_pre_process(model, prepared, skip_symbolic_shape=True)
        except Exception:  # its shape inference gives up on some models; they are quantized as they are
            prepared = model
        loaded = onnx.load(prepared)
        if next(o.version for o in loaded.opset_import if o.domain in ("", "ai.onnx")) < 13:
            prepared = os.path.join(self.work, "raised.onnx")  # scales by channel
            onnx.save(onnx.version_converter.convert_version(loaded, 13), prepared)
        settings = dict(quant_format=QuantFormat.QDQ, per_channel=True, activation_type=QuantType.QUInt8,
                        weight_type=QuantType.QInt8, **options)
        try:
            quantize_static(prepared, to, Reader(calibration, model, row.states), **settings)
        except ValueError:  # its adjustment of scales to biases takes one scale a weight for granted
            quantize_static(prepared, to, Reader(calibration, model, row.states), **settings,
                            extra_options={"QDQDisableWeightAdjustForInt32Bias": True})

    def row(self, name):
        row = ROWS[name]
        model = os.path.join(self.args.models, row.model)
        samples = self.args.samples or row.float_samples
        inputs, calibration = os.path.join(self.work, name + ".in"), os.path.join(self.work, name + ".cal")
        float_value = self.eval(row, model, "--record", inputs, samples=samples)
        self.eval(row, model, "--record", calibration, *(["--split", "train"] if row.split else []),
                  samples=row.calibration)
        float_session = run_recorded.session(model)
        self.line(name, "float32", row, model, inputs, samples, float_value, 1)
        path = lambda label: os.path.join(self.work, f"{name}.{label.replace(' ', '_')}.onnx")
        jobs = [(label, lambda to, o=options: self.ours(row, model, o.split(), to))
                for label, options in (o.split("=", 1) for o in self.args.ours)]
        if not self.args.no_peer:
            jobs.append(("ORT u8s8 per channel", lambda to: self.peer(row, model, calibration, to)))
            jobs.append(("ORT reduce_range", lambda to: self.peer(row, model, calibration, to, reduce_range=True)))
            if row.dynamic:
                jobs.append(("ORT dynamic", lambda to: quantize_dynamic(model, to, per_channel=True)))
        for label, make in jobs:
            try:
                make(path(label))
                ratio = speed(float_session, run_recorded.session(path(label)), batches(inputs)[0], self.args.rounds)
                self.line(name, label, row, path(label), inputs, samples, self.eval(row, path(label), samples=samples),
                          f"{ratio:.2f}")
            except Exception as e:  # one file's failure is a line of the table
                print(f"| {name} | {label} | failed: {str(e).splitlines()[0][:120]} | | | |", flush=True)
        shutil.rmtree(inputs)
        shutil.rmtree(calibration)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("models")
    parser.add_argument("data")
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--samples", type=int, default=0, help="evaluate on so many; 0: all")
    parser.add_argument("--ours", nargs="+", default=["ours=--target generic", "ours, ort-cpu=--target ort-cpu"])
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--emulate", default="", metavar="CPU", help="one more column: as run on this processor of qemu's")
    bench = Bench(parser.parse_args())
    extra = f" as run on {bench.args.emulate} |" if bench.args.emulate else ""
    print(f"| model | file | as run |{extra} exact | bytes | speed |\n{'|---' * (7 if extra else 6)}|", flush=True)
    for name in bench.args.rows or ROWS:
        bench.row(name)


main()
