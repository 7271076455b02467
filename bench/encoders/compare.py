"""Measures Parley's encoder beside its peers: PyTorch with transformers, sentence-transformers and ONNX Runtime.

    python prepare.py VOCAB OUT COLLECTION...
    python compare.py OUT [--models 4x256,distilbert,bert-base] [--threads 1,2] [--rounds 3] [--parts tune,encode,memory,train]

All systems get the same weights and the same token ids on the same number of threads; in each round each is measured
once, one after the other, and the medians of the rounds are printed as Markdown. The peers get their texts sorted by
length and the size of batch that suits them best, which --parts tune looks for and keeps in OUT/batches.json. In the same
run the vectors of all are held against PyTorch's, and the losses of all training steps against each other.

It needs torch, transformers, sentence-transformers, onnx, onnxruntime and safetensors, and Go to build Parley.
"""

import argparse
import collections
import json
import os
import statistics
import subprocess
import sys
import tempfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = {"torch": "PyTorch", "sentence": "SparseEncoder", "onnx": "ONNX Runtime", "parley": "Parley"}
ENCODERS = list(NAMES)
KINDS = ["passages", "uniform", "histories", "questions"]
SIZES = {"passages": [4, 8, 16], "uniform": [2, 4, 8], "histories": [4, 8], "questions": [8, 16, 32]}
SIZES_OF_PARLEY = [1, 2, 4, 8]
STEP = {"queries": 20, "candidates": 17}  # of the recipe: 16 candidates and the positive one


def note(*words):
    print(*words, file=sys.stderr, flush=True)


class Child:
    """A process that answers requests."""

    def __init__(self, kind, out):
        command = [os.path.join(out, "parley-encoders")] if kind == "parley" else [sys.executable, os.path.join(HERE, "peers.py"), kind]
        self.kind = kind
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, stderr=subprocess.PIPE if kind != "parley" else None)

    def send(self, do, **request):
        print(json.dumps({"do": do, **request}), file=self.process.stdin, flush=True)

    def receive(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.kind} died: {(self.process.stderr.read() if self.process.stderr else '')[-2000:]}")
        return json.loads(line)

    def ask(self, do, **request):
        self.send(do, **request)
        return self.receive()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


class Table:
    """Times of rounds, by row and system."""

    def __init__(self):
        self.times = collections.defaultdict(list)

    def add(self, row, system, seconds, cpu=0.0):
        self.times[row, system].append((seconds, cpu))

    def median(self, row, system, which=0):
        return statistics.median(t[which] for t in self.times[row, system])

    def has(self, row, system):
        return (row, system) in self.times


def markdown(header, rows):
    print("| " + " | ".join(header) + " |")
    print("| " + " | ".join(["---"] + ["---:"] * (len(header) - 1)) + " |")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)


class Comparison:
    def __init__(self, o):
        self.o = o
        self.path = os.path.join(o.out, "batches.json")
        self.batches = json.load(open(self.path)) if os.path.exists(self.path) else {}

    def file(self, model, name):
        return os.path.join(self.o.out, model, name)

    def rounds(self, threads):
        """One less where fewer threads than the most take their time."""
        return self.o.rounds if threads == max(self.o.threads) else max(1, self.o.rounds - 1)

    def open(self, kinds, model, threads):
        children = [Child(kind, self.o.out) for kind in kinds]
        for c in children:
            c.send("load", model=self.file(model, ""), threads=threads)
        for c in children:
            c.receive()
        return children

    def ask_to_encode(self, model, child, kind, batch):
        return child.ask("encode", texts=self.file(model, kind + ".texts"), batch=batch, count=self.o.limit)

    def tune(self, model):
        """Looks for the size of batch that suits each system best, for each kind of text."""
        children = self.open(ENCODERS, model, max(self.o.threads))
        for c in children:
            self.ask_to_encode(model, c, "questions", 16)  # warms up
        for kind in KINDS:
            for c in children:
                times = {}
                for size in SIZES_OF_PARLEY if c.kind == "parley" else SIZES[kind]:
                    times[size] = self.ask_to_encode(model, c, kind, size)["encode"]
                self.batches[f"{model} {c.kind} {kind}"] = min(times, key=times.get)
                note(model, kind, NAMES[c.kind], {k: round(v, 2) for k, v in times.items()})
        for c in children:
            c.__exit__()
        with open(self.path, "w") as f:
            json.dump(self.batches, f, indent=1)

    def batch(self, model, system, kind):
        key = f"{model} {system} {kind}"
        if key not in self.batches and not self.o.limit:
            raise SystemExit(f"{self.path} has no size of batch for {key}: run with --parts tune first")
        return self.batches.get(key, 4)

    def check(self, model, children):
        """Holds the vectors of all systems against PyTorch's: the largest difference by max(1, |x|)."""
        worst = {}
        for kind in KINDS:
            vectors = {}
            for c in children:
                with tempfile.NamedTemporaryFile() as f:
                    c.ask("vectors", texts=self.file(model, kind + ".texts"), batch=2, count=4, to=f.name)
                    vectors[c.kind] = np.fromfile(f.name, "<f4").reshape(4, -1)
            reference = vectors["torch"]
            assert (reference > 0).any(1).all(), "the vectors are empty"
            for system, v in vectors.items():
                d = float((np.abs(v - reference) / np.maximum(1, np.abs(reference))).max())
                worst[system] = max(worst.get(system, 0), d)
        return worst

    def encode(self, model):
        table, worst = Table(), {}
        children = self.open(ENCODERS, model, max(self.o.threads))
        worst = self.check(model, children)
        bad = {k: v for k, v in worst.items() if v > 1e-3}
        if bad:
            raise SystemExit(f"{model}: the vectors differ from PyTorch's by {bad}: the systems do not do the same work")
        for threads in self.o.threads:
            for c in children:
                c.ask("threads", threads=threads)
            most = threads == max(self.o.threads)
            for c in children:
                self.ask_to_encode(model, c, "questions", self.batch(model, c.kind, "questions"))  # warms up
            for _ in range(self.rounds(threads)):
                for kind in KINDS if most else KINDS[:2]:
                    for c in children:
                        if most or c.kind != "sentence":
                            a = self.ask_to_encode(model, c, kind, self.batch(model, c.kind, kind))
                            table.add((threads, kind), c.kind, a["encode"], a["cpu"])
            note(model, threads, "threads encoded")
        for c in children:
            c.__exit__()
        self.print_encoding(model, table, worst)

    def print_encoding(self, model, table, worst):
        print(f"### Encoding, {model}\n")
        rows = []
        for threads in self.o.threads:
            for kind in KINDS:
                if not table.has((threads, kind), "parley"):
                    continue
                ids = json.load(open(self.file(model, kind + ".texts")))["ids"][: self.o.limit or None]
                tokens = sum(map(len, ids))
                parley, cpu = table.median((threads, kind), "parley"), table.median((threads, kind), "parley", 1)
                for system in [s for s in ENCODERS if table.has((threads, kind), s)]:
                    t = table.median((threads, kind), system)
                    all = [seconds for seconds, _ in table.times[(threads, kind), system]]
                    rows.append([
                        f"{kind}, {len(ids)} of {tokens / len(ids):.0f} tokens", str(threads), NAMES[system], str(self.batch(model, system, kind)),
                        f"{len(ids) / t:.1f}", f"{tokens / t:.0f}", f"{min(all):.2f}–{max(all):.2f}", f"{t / parley:.2f}", f"{table.median((threads, kind), system, 1) / cpu:.2f}",
                    ])
        markdown(["texts", "threads", "system", "batch", "texts/s", "tokens/s", "seconds", "time ÷ Parley's", "CPU time ÷ Parley's"], rows)
        print("Largest difference from PyTorch's vectors, by max(1, |x|): " + ", ".join(f"{NAMES[k]} {v:.1e}" for k, v in worst.items() if k != "torch") + ".\n", flush=True)

    def memory(self):
        rows = []
        for model in self.o.models:
            peaks = {}
            for system in ENCODERS:
                with self.open([system], model, max(self.o.threads))[0] as c:
                    for kind in KINDS[:2]:
                        self.ask_to_encode(model, c, kind, self.batch(model, system, kind))
                    peaks[system] = c.ask("memory")["peak"]
            rows.append([model] + [f"{peaks[s] / 2**20:.0f}" for s in ENCODERS] + [f"{peaks['torch'] / peaks['parley']:.1f}"])
            note(model, "memory measured")
        print("### Memory of encoding\n\nThe most memory (MiB resident) of a process that loads the model and encodes the passages and the uniform texts once.\n")
        markdown(["model"] + [NAMES[s] for s in ENCODERS] + ["PyTorch ÷ Parley"], rows)

    def train(self, model):
        """Times the parts of a step on some of its queries, and puts a step together from them."""
        rows, losses = [], {}
        for texts in ["uniform", "true"]:
            for threads in self.o.threads if texts == "uniform" else [max(self.o.threads)]:
                table, peaks = self.steps(model, texts, threads, losses)
                cost = {s: self.cost(table, s) for s in ["recipe", "cached", "parley", "parley 17", "parley 256"]}
                more = sum(cost["parley 256"]) / sum(cost["parley 17"])
                note(model, texts, threads, f"threads: 256 candidates take {more:.3f} of the time of {STEP['candidates']}")
                for system, name in [("recipe", "PyTorch, the recipe"), ("cached", "PyTorch, frozen passages"), ("parley", "Parley, frozen passages"), ("parley 256", "the same, 256 candidates")]:
                    rows.append([
                        texts, str(threads), name, *[f"{1000 * x:.0f}" for x in cost[system]], f"{1000 * sum(cost[system]):.0f}",
                        f"{sum(cost[system]) / sum(cost['parley']):.2f}", f"{peaks[system] / 2**20:.0f}" if system in peaks else "",
                    ])
                note(model, texts, threads, "threads trained")
        n = len(json.load(open(self.file(model, "uniform.queries")))["ids"])
        print(f"### A training step, {model}\n\nTimed on {n} of the {STEP['queries']} queries, with their passages, and scaled: milliseconds.\n")
        markdown(["texts", "threads", "system", "passages", "queries", "optimiser", "step", "time ÷ Parley's", "MiB"], rows)
        print("Losses of the first step without dropout: " + "; ".join(f"{k} " + ", ".join(f"{v:.5f}" for v in l) for k, l in losses.items()) + ".\n", flush=True)

    def cost(self, table, system):
        """The seconds of passages, queries and optimiser in a step."""
        part = lambda name: table.median(system, name) if table.has(system, name) else 0
        return part("passages"), part("queries"), part("optimiser")

    def steps(self, model, texts, threads, losses):
        table, systems = Table(), ["recipe", "cached", "parley"]
        file = lambda name: self.file(model, f"{texts}.{name}")
        n, k = len(json.load(open(file("queries")))["ids"]), STEP["candidates"]
        wanted = k if texts == "uniform" else n * k  # passages to time; one query's are like the others' where all are as long
        children = {s: Child(s, self.o.out) for s in systems}
        for c in children.values():
            c.ask("train", model=self.file(model, ""), threads=threads, texts=file("queries"), passages=file("passages"), data=file("frozen"))
        for system, c in children.items():
            first = c.ask("step", queries=n, candidates=k, passages=k if system == "recipe" else 0, dropout=False)
            losses.setdefault(texts, []).append(first["loss"])
            if first.get("difference", 0) > 1e-3:
                raise SystemExit(f"{model}: the recipe's passages differ from the frozen ones by {first['difference']}")
        low, high = min(losses[texts]), max(losses[texts])
        if high - low > 1e-3 * max(1, abs(high)):
            raise SystemExit(f"{model}: the losses of the first step differ: {losses}")
        scale = {"passages": STEP["queries"] * k / wanted, "queries": STEP["queries"] / n, "optimiser": 1}
        for _ in range(self.rounds(threads)):
            for system, c in children.items():
                a = c.ask("step", queries=n, candidates=k, passages=wanted if system == "recipe" else 0, dropout=True)
                for name in a.keys() & scale.keys():
                    table.add(system, name, a[name] * scale[name])
        peaks = {s: c.ask("memory")["peak"] for s, c in children.items()}
        for candidates in [k, 256] * self.rounds(threads):
            a = children["parley"].ask("step", queries=n, candidates=candidates, dropout=True)
            for name in ["queries", "optimiser"]:
                table.add(f"parley {candidates}", name, a[name] * scale[name])
        for c in children.values():
            c.__exit__()
        return table, peaks


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out")
    listed = lambda s: s.split(",")
    p.add_argument("--models", type=listed, default=["4x256", "distilbert", "bert-base"])
    p.add_argument("--threads", type=lambda s: [int(n) for n in s.split(",")], default=[1, 2])
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--limit", type=int, default=0, help="encode only so many texts of each kind, to try the script out (default: all)")
    p.add_argument("--parts", type=listed, default=["encode", "train", "memory"])
    o = p.parse_args()
    subprocess.run(["go", "build", "-o", os.path.join(os.path.abspath(o.out), "parley-encoders"), "./bench/encoders"], cwd=os.path.join(HERE, "../.."), check=True)
    c = Comparison(o)
    for model in o.models:
        if "tune" in o.parts:
            c.tune(model)
        if "encode" in o.parts:
            c.encode(model)
        if "train" in o.parts:
            c.train(model)
    if "memory" in o.parts:
        c.memory()


if __name__ == "__main__":
    main()
