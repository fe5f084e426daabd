#!/usr/bin/env python3
"""The referee: asks ONNX Runtime, the outside judge of the tests, whether a model loads, what it answers, and how two models differ.

Run it with the Python that scripts/referee makes (build/referee/bin/python). Two faces of the same calls:

  referee.py serve                      one JSON object a line on stdin, one JSON object a line on stdout
  referee.py check|run|compare|time|optimized|accuracy the same, for people; prints one JSON object, exits 0 when "ok" is true

A request names its call: {"call": "check", "model": "m.onnx"}. An answer has "ok"; when that is false, "error" says why.
"id", if a request has one, comes back with its answer. The server never dies on a bad model: the work is done in a
child process, which is started again when a model crashes it. A number that is not finite is written as 1e308 (or
-1e308), so that it fails any bound and the line stays JSON.

  check    {model}                      -> loads, load_error, checker ("ok" or the complaint of onnx.checker: advice only),
                                           ir_version, opsets, inputs, outputs
  run      {model, [seed, shapes, dims, feeds, save]}
                                        -> inputs, outputs: [{name, dtype, shape, finite, mean, absmax}]
  compare  {a, b, [seed, samples, shapes, dims, feeds]}
                                        -> max_abs, max_rel, sqnr_db, agree, shapes_equal, finite, outputs: [the same for each]
  time     {model, [seed, rounds, shapes, dims]}
                                        -> median_ms, fastest_ms of as many rounds (10), after one that does not count
  optimized {model}                     -> ops: {operator: how many} of the graph as ONNX Runtime runs it
  accuracy {model, dataset, [path, limit, batch, scale, mean, std]}
                                        -> top1 (percent), correct, count
  ping     {}                           -> versions

Common options: opt ("all", the default, "extended", "basic", "none": ONNX Runtime's graph optimisations), threads (2).
Random inputs: floats are normal, integers 0..7, booleans either; the same seed gives the same inputs. A symbolic
dimension is 1 when it comes first in any input, 64 as the height or width of a 4-D input, 3 as its channels, 8 elsewhere, unless
`shapes` ({input: [..]}) or `dims` ({symbol: size}) says otherwise.
max_rel is max|a-b| / max(1e-6, max|a|). agree is the share of positions whose arg-max along the last axis is the same.
"""

import argparse
import json
import math
import os
import subprocess
import sys

FASHION = "/usr/share/datasets/fashion-mnist"
PRESETS = {  # dataset: default path, scale, mean, std
    "fashion-mnist": (FASHION, 255.0, [0.2860], [0.3530]),
    "mnist": (None, 255.0, [0.0], [1.0]),
    "cifar10": (None, 255.0, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
}


class Refused(Exception):
    """A request that cannot be carried out; its text is the answer's error."""


# ---- sessions and inputs -------------------------------------------------------------------------------------------

def libraries():
    import numpy
    import onnxruntime
    return numpy, onnxruntime


def session(path, req, save_as=None):
    _, ort = libraries()
    if not os.path.isfile(path):
        raise Refused(f"no such file: {path}")
    ort.set_default_logger_severity(4)  # what goes wrong is in the answer
    o = ort.SessionOptions()
    o.log_severity_level = 4
    o.intra_op_num_threads = int(req.get("threads") or 2)
    o.inter_op_num_threads = 1
    levels = {
        "none": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
        "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
        "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
        "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
    }
    level = req.get("opt") or "all"
    if level not in levels:
        raise Refused(f"opt must be one of {', '.join(levels)}")
    o.graph_optimization_level = levels[level]
    if save_as:
        o.optimized_model_filepath = save_as
    return ort.InferenceSession(path, o, providers=["CPUExecutionProvider"])


def describe(args):
    return [{"name": a.name, "type": a.type, "shape": list(a.shape or [])} for a in args]


def element_type(ort_type):
    np, _ = libraries()
    if not ort_type.startswith("tensor("):
        raise Refused(f"an input of type {ort_type} needs feeds")
    name = ort_type[7:-1]
    known = {"float": np.float32, "double": np.float64, "float16": np.float16, "bool": np.bool_, "string": np.object_}
    if name in known:
        return np.dtype(known[name])
    try:
        return np.dtype(name)
    except TypeError:
        raise Refused(f"cannot make random {name} values; give feeds") from None


def make_inputs(sess, req, seed):
    """Seeded random inputs for every input of the session that `feeds` does not give."""
    np, _ = libraries()
    shapes, dims = req.get("shapes") or {}, req.get("dims") or {}
    given = {}
    if req.get("feeds"):
        with np.load(req["feeds"], allow_pickle=False) as z:
            given = {k: z[k] for k in z.files}
    for name in list(shapes) + list(given):
        if name not in [i.name for i in sess.get_inputs()]:
            raise Refused(f"the model has no input named '{name}'")
    rng = np.random.default_rng(seed)
    symbols = {i.shape[0]: 1 for i in sess.get_inputs() if i.shape and isinstance(i.shape[0], str)}
    symbols.update(dims)
    out = {}
    for i in sess.get_inputs():
        if i.name in given:
            out[i.name] = given[i.name]
            continue
        if i.name in shapes:
            shape = [int(d) for d in shapes[i.name]]
        else:
            shape = []
            for k, d in enumerate(i.shape or []):
                if isinstance(d, int):
                    shape.append(d)
                elif d in symbols:
                    shape.append(int(symbols[d]))
                elif k == 0:
                    shape.append(1)
                elif len(i.shape) == 4:
                    shape.append(3 if k == 1 else 64)
                else:
                    shape.append(8)
        t = element_type(i.type)
        if t.kind == "f":
            out[i.name] = rng.standard_normal(shape).astype(t)
        elif t.kind in "iu":
            out[i.name] = rng.integers(0, 8, shape).astype(t)
        elif t.kind == "b":
            out[i.name] = rng.integers(0, 2, shape).astype(t)
        else:
            out[i.name] = np.full(shape, "a", dtype=object)
    return out


def answers(sess, feed):
    """The outputs as (name, array), sequences flattened into name[0], name[1].."""
    np, _ = libraries()
    flat = []

    def add(name, v):
        if isinstance(v, (list, tuple)):
            for k, x in enumerate(v):
                add(f"{name}[{k}]", x)
        elif isinstance(v, dict):
            add(name, [v[k] for k in sorted(v)])
        elif v is not None:
            flat.append((name, np.asarray(v)))

    for o, v in zip(sess.get_outputs(), sess.run(None, feed)):
        add(o.name, v)
    return flat


def as_float(a):
    np, _ = libraries()
    return a.astype(np.float64) if a.dtype.kind in "fiub" else None


# ---- calls ---------------------------------------------------------------------------------------------------------

def call_ping(req):
    np, ort = libraries()
    import onnx
    return {"onnxruntime": ort.__version__, "onnx": onnx.__version__, "numpy": np.__version__,
            "python": sys.version.split()[0]}


def call_check(req):
    import onnx
    path = req["model"]
    if not os.path.isfile(path):
        raise Refused(f"no such file: {path}")
    r = {"loads": False, "load_error": "", "checker": "ok"}
    try:
        onnx.checker.check_model(path)
    except Exception as e:  # the checker and the parser below raise many kinds
        r["checker"] = str(e).strip()[:1000]
    try:
        m = onnx.load(path, load_external_data=False)
        r["ir_version"] = m.ir_version
        r["opsets"] = {o.domain: o.version for o in m.opset_import}
        r["nodes"] = len(m.graph.node)
    except Exception as e:
        r["checker"] = f"not an ONNX file: {e}"[:1000]
    try:
        s = session(path, req)
        r["loads"] = True
        r["inputs"], r["outputs"] = describe(s.get_inputs()), describe(s.get_outputs())
    except Refused:
        raise
    except Exception as e:
        r["load_error"] = str(e).strip()[:2000]
    return r


def call_run(req):
    np, _ = libraries()
    s = session(req["model"], req)
    feed = make_inputs(s, req, int(req.get("seed") or 0))
    outs = answers(s, feed)
    r = {"inputs": [{"name": k, "dtype": str(v.dtype), "shape": list(v.shape)} for k, v in feed.items()], "outputs": []}
    for name, a in outs:
        o = {"name": name, "dtype": str(a.dtype), "shape": list(a.shape), "finite": True, "mean": 0.0, "absmax": 0.0}
        f = as_float(a)
        if f is not None and f.size:
            o.update(finite=bool(np.isfinite(f).all()), mean=float(f.mean()), absmax=float(np.abs(f).max()))
        r["outputs"].append(o)
    r["finite"] = all(o["finite"] for o in r["outputs"])
    if req.get("save"):
        np.savez(req["save"], **{name: a for name, a in outs})
        r["save"] = req["save"]
    return r


def call_time(req):
    import time
    s = session(req["model"], req)
    feed = make_inputs(s, req, int(req.get("seed") or 0))
    rounds = int(req.get("rounds") or 10)
    times = []
    for _ in range(max(1, rounds) + 1):
        start = time.perf_counter()
        s.run(None, feed)
        times.append((time.perf_counter() - start) * 1e3)
    times = sorted(times[1:])
    return {"median_ms": times[len(times) // 2], "fastest_ms": times[0]}


def call_optimized(req):
    import collections
    import tempfile
    import onnx
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "optimized.onnx")
        session(req["model"], req, save_as=path)
        graph = onnx.load(path, load_external_data=False).graph
    return {"ops": dict(collections.Counter(n.op_type for n in graph.node))}


def feed_for(sess, feed):
    """The same feed for another model: by name, else by position; cast where the model wants another element type."""
    ins = sess.get_inputs()
    by_name = all(i.name in feed for i in ins)
    if not by_name and len(ins) != len(feed):
        raise Refused(f"the inputs differ: {[i.name for i in ins]} and {list(feed)}")
    out = {}
    for i, v in zip(ins, list(feed.values()) + [None] * len(ins)):
        x = feed[i.name] if by_name else v
        t = element_type(i.type)
        out[i.name] = x if x.dtype == t else x.astype(t)
    return out


class Difference:
    """The difference of one output, gathered over samples."""

    def __init__(self, name_a, name_b):
        self.names = name_a, name_b
        self.max_abs = self.absmax = self.signal = self.noise = 0.0
        self.finite_a = self.finite_b = self.same_shape = True
        self.same = self.positions = 0
        self.shapes = None

    def add(self, a, b):
        np, _ = libraries()
        self.shapes = list(a.shape), list(b.shape)
        if a.shape != b.shape:
            self.same_shape, self.max_abs = False, math.inf
            return
        x, y = as_float(a), as_float(b)
        if x is None or y is None:  # strings: equal or not
            if not (a == b).all():
                self.max_abs = math.inf
            return
        if not x.size:
            return
        fx, fy = np.isfinite(x), np.isfinite(y)
        self.finite_a &= bool(fx.all())
        self.finite_b &= bool(fy.all())
        both = fx & fy
        # outside `both` only the same infinity, or NaN beside NaN, counts as equal
        apart = ~both & ~((x == y) | (np.isnan(x) & np.isnan(y)))
        if apart.any():
            self.max_abs = math.inf
        d = np.where(both, x, 0) - np.where(both, y, 0)
        self.max_abs = max(self.max_abs, float(np.abs(d).max()))
        self.absmax = max(self.absmax, float(np.abs(np.where(fx, x, 0)).max()))
        self.signal += float((np.where(both, x, 0) ** 2).sum())
        self.noise += float((d ** 2).sum())
        if x.ndim and x.shape[-1] > 1:
            eq = np.nan_to_num(x).argmax(-1) == np.nan_to_num(y).argmax(-1)
            self.same += int(eq.sum())
            self.positions += int(eq.size)

    def result(self):
        rel = self.max_abs / max(1e-6, self.absmax)
        if self.noise == 0:
            sqnr = math.inf
        else:
            sqnr = 10 * math.log10(self.signal / self.noise) if self.signal > 0 else -math.inf
        if math.isinf(self.max_abs):
            sqnr = -math.inf
        r = {"a": self.names[0], "b": self.names[1], "max_abs": self.max_abs, "max_rel": rel, "sqnr_db": sqnr,
             "agree": self.same / self.positions if self.positions else (1.0 if self.max_abs == 0 else 0.0),
             "absmax_a": self.absmax, "shapes_equal": self.same_shape, "finite": self.finite_a and self.finite_b}
        if self.shapes:
            r["shape_a"], r["shape_b"] = self.shapes
        return r


def call_compare(req):
    sa, sb = session(req["a"], req), session(req["b"], req)
    seed, samples = int(req.get("seed") or 0), int(req.get("samples") or 1)
    diffs, counts = [], None
    for k in range(samples):
        feed = make_inputs(sa, req, seed + k)
        oa, ob = answers(sa, feed), answers(sb, feed_for(sb, feed))
        counts = len(oa), len(ob)
        if not diffs:
            diffs = [Difference(x[0], y[0]) for x, y in zip(oa, ob)]
        for d, x, y in zip(diffs, oa, ob):
            d.add(x[1], y[1])
    outs = [d.result() for d in diffs]
    if counts[0] != counts[1]:
        raise Refused(f"{counts[0]} outputs against {counts[1]}")
    return {"max_abs": max((o["max_abs"] for o in outs), default=0.0),
            "max_rel": max((o["max_rel"] for o in outs), default=0.0),
            "sqnr_db": min((o["sqnr_db"] for o in outs), default=math.inf),
            "agree": min((o["agree"] for o in outs), default=1.0),
            "shapes_equal": all(o["shapes_equal"] for o in outs),
            "finite": all(o["finite"] for o in outs),
            "same_names": [i.name for i in sa.get_inputs()] == [i.name for i in sb.get_inputs()]
                          and [o.name for o in sa.get_outputs()] == [o.name for o in sb.get_outputs()],
            "samples": samples, "outputs": outs}


def read_idx(path):
    import gzip
    import struct
    np, _ = libraries()
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as f:
        data = f.read()
    rank = data[3]
    shape = struct.unpack(f">{rank}I", data[4:4 + 4 * rank])
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def load_dataset(name, path):
    """Images as N x C x H x W bytes, and labels."""
    np, _ = libraries()
    if name == "cifar10":
        files = [path]
        if os.path.isdir(path):
            files = [f for f in ("test_batch.bin", "test_first5000.bin") if os.path.isfile(os.path.join(path, f))][:1]
            files = [os.path.join(path, f) for f in files]
        if not files or not os.path.isfile(files[0]):
            raise Refused(f"no test_batch.bin or test_first5000.bin at {path}")
        raw = np.fromfile(files[0], np.uint8).reshape(-1, 3073)
        return raw[:, 1:].reshape(-1, 3, 32, 32), raw[:, 0].astype(np.int64)

    def one(stem):
        for end in (".gz", ""):
            if os.path.isfile(os.path.join(path, stem + end)):
                return read_idx(os.path.join(path, stem + end))
        raise Refused(f"no {stem}[.gz] in {path}")

    return one("t10k-images-idx3-ubyte")[:, None], one("t10k-labels-idx1-ubyte").astype(np.int64)


def numbers(v, default):
    if v is None:
        return default
    return [float(x) for x in v] if isinstance(v, (list, tuple)) else [float(v)]


def call_accuracy(req):
    np, _ = libraries()
    name = req["dataset"]
    if name not in PRESETS:
        raise Refused(f"dataset must be one of {', '.join(PRESETS)}")
    path, scale, mean, std = PRESETS[name]
    path = req.get("path") or path
    if not path:
        raise Refused(f"{name} needs a path")
    scale = float(req.get("scale") or scale)
    mean, std = numbers(req.get("mean"), mean), numbers(req.get("std"), std)
    images, labels = load_dataset(name, path)
    if req.get("limit"):
        images, labels = images[:int(req["limit"])], labels[:int(req["limit"])]
    s = session(req["model"], req)
    if len(s.get_inputs()) != 1:
        raise Refused("the model must have one input")
    i = s.get_inputs()[0]
    t = element_type(i.type)
    fixed = i.shape[0] if i.shape and isinstance(i.shape[0], int) else 0
    batch = fixed or int(req.get("batch") or 100)
    last = len(i.shape) == 4 and i.shape[3] == images.shape[1] and i.shape[1] != images.shape[1]
    m, d = (np.asarray(v, np.float32).reshape(1, -1, 1, 1) for v in (mean, std))
    correct = 0
    for k in range(0, len(images), batch):
        x = (images[k:k + batch].astype(np.float32) / np.float32(scale) - m) / d
        n = len(x)
        if fixed and n < fixed:
            x = np.concatenate([x, np.repeat(x[-1:], fixed - n, 0)])
        if last:
            x = x.transpose(0, 2, 3, 1)
        elif len(i.shape) == 2:
            x = x.reshape(len(x), -1)
        y = s.run(None, {i.name: np.ascontiguousarray(x.astype(t))})[0]
        correct += int((y.reshape(len(x), -1)[:n].argmax(1) == labels[k:k + batch]).sum())
    return {"dataset": name, "top1": round(100.0 * correct / len(images), 4), "correct": correct, "count": len(images)}


CALLS = {"ping": call_ping, "check": call_check, "run": call_run, "compare": call_compare, "time": call_time, "optimized": call_optimized,
         "accuracy": call_accuracy}


# ---- answering -----------------------------------------------------------------------------------------------------

def plain(v):
    """The answer as JSON can hold it."""
    if isinstance(v, dict):
        return {str(k): plain(x) for k, x in v.items()}
    if isinstance(v, (list, tuple)):
        return [plain(x) for x in v]
    if isinstance(v, float) and not math.isfinite(v):
        return -1e308 if v < 0 else 1e308
    return v


def answer(req):
    r = {}
    try:
        if not isinstance(req, dict):
            raise Refused("a request is a JSON object")
        if "id" in req:
            r["id"] = req["id"]
        name = req.get("call")
        if name not in CALLS:
            raise Refused(f"call must be one of {', '.join(CALLS)}")
        r = {**r, "ok": True, **plain(CALLS[name](req))}
    except Refused as e:
        r.update(ok=False, error=str(e))
    except KeyError as e:
        r.update(ok=False, error=f"missing or unknown: {e}")
    except Exception as e:  # whatever a model makes the libraries raise is an answer, not the end of the server
        r.update(ok=False, error=f"{type(e).__name__}: {e}"[:2000])
    return r


def worker():
    """Answers requests in a process of its own; native prints go to stderr so that stdout holds answers alone."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        if not line.strip():
            continue
        try:
            req = json.loads(line)
        except ValueError as e:
            reply = {"ok": False, "error": f"not JSON: {e}"}
        else:
            reply = answer(req)
        out.write(json.dumps(reply) + "\n")
        out.flush()


def serve():
    """Passes lines to the worker, and starts another when a model kills it."""
    child = None
    for line in sys.stdin:
        if not line.strip():
            continue
        if child is None:
            child = subprocess.Popen([sys.executable, os.path.abspath(__file__), "worker"], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True, encoding="utf-8")
        reply = ""
        try:
            child.stdin.write(line if line.endswith("\n") else line + "\n")
            child.stdin.flush()
            reply = child.stdout.readline()
        except BrokenPipeError:
            pass
        if not reply.endswith("\n"):
            code = child.wait()
            child = None
            how = f"signal {-code}" if code < 0 else f"exit {code}"
            r = {"ok": False, "error": f"the request crashed ONNX Runtime ({how})"}
            try:
                r = {"id": json.loads(line)["id"], **r}
            except (ValueError, KeyError, TypeError):
                pass
            reply = json.dumps(r) + "\n"
        sys.stdout.write(reply)
        sys.stdout.flush()
    if child:
        child.stdin.close()
        child.wait()


# ---- for people ----------------------------------------------------------------------------------------------------

def pair_shape(text):
    name, sep, dims = text.rpartition("=")
    if not sep:
        raise argparse.ArgumentTypeError("use NAME=1x3x32x32")
    return name, [int(d) for d in dims.replace(",", "x").split("x") if d]


def pair_dim(text):
    name, sep, d = text.rpartition("=")
    if not sep:
        raise argparse.ArgumentTypeError("use SYMBOL=SIZE")
    return name, int(d)


def floats(text):
    return [float(x) for x in text.split(",")]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = p.add_subparsers(dest="call", required=True, metavar="serve|ping|check|run|compare|time|optimized|accuracy")
    sub.add_parser("serve")
    sub.add_parser("worker")
    sub.add_parser("ping")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--opt", choices=["all", "extended", "basic", "none"])
    common.add_argument("--threads", type=int)
    inputs = argparse.ArgumentParser(add_help=False)
    inputs.add_argument("--seed", type=int)
    inputs.add_argument("--shape", type=pair_shape, action="append", default=[], metavar="NAME=1x3x32x32")
    inputs.add_argument("--dim", type=pair_dim, action="append", default=[], metavar="SYMBOL=SIZE")
    inputs.add_argument("--feeds", metavar="FILE.npz", help="inputs by name, in place of random ones")
    q = sub.add_parser("check", parents=[common])
    q.add_argument("model")
    q = sub.add_parser("time", parents=[common, inputs])
    q.add_argument("model")
    q.add_argument("--rounds", type=int)
    q = sub.add_parser("optimized", parents=[common])
    q.add_argument("model")
    q = sub.add_parser("run", parents=[common, inputs])
    q.add_argument("model")
    q.add_argument("--save", metavar="FILE.npz")
    q = sub.add_parser("compare", parents=[common, inputs])
    q.add_argument("a")
    q.add_argument("b")
    q.add_argument("--samples", type=int)
    q = sub.add_parser("accuracy", parents=[common])
    q.add_argument("model")
    q.add_argument("--dataset", required=True, choices=list(PRESETS))
    q.add_argument("--path")
    q.add_argument("--limit", type=int)
    q.add_argument("--batch", type=int)
    q.add_argument("--scale", type=float)
    q.add_argument("--mean", type=floats, metavar="M[,M,M]")
    q.add_argument("--std", type=floats, metavar="S[,S,S]")
    req = vars(p.parse_args())
    if req["call"] == "serve":
        return serve()
    if req["call"] == "worker":
        return worker()
    if "shape" in req:
        req["shapes"], req["dims"] = dict(req.pop("shape")), dict(req.pop("dim"))
    r = answer(req)
    print(json.dumps(r, indent=2))
    sys.exit(0 if r["ok"] else 1)


if __name__ == "__main__":
    main()
