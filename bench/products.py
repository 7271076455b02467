#!/usr/bin/env python3
"""Sets matrix products of internal/f32 beside OpenBLAS's, one thread, by CPU time, in one run.

    bench/products.py [--rounds N] [--seconds S] [--kernels avx512,avx2] [--blas LIBRARY]

Needs Go and NumPy, whose bundled OpenBLAS it calls through cblas_sgemm (or give the path of another LIBRARY). The two
take turns, round by round, in random order; the table shows medians in GFLOP per second of CPU time, and in brackets the
ratio to OpenBLAS. What a call from Python costs is measured with products of 1×1×1 and taken off OpenBLAS's time. NumPy
is kept from asking for huge pages, so that both have the same memory.
"""
import argparse
import ctypes
import glob
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["NUMPY_MADVISE_HUGEPAGE"] = "0"
import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NO, YES, ROWS = 111, 112, 101  # of cblas.h
SHAPES = [(1024, 1024, 1024), (2560, 768, 768), (2560, 768, 3072), (2560, 128, 30522), (2560, 256, 256)]
KINDS = {"Mul": "A·B", "MulT": "A·Bᵀ", "TMul": "Aᵀ·B", "MulPacked": "A·Bᵀ, B packed before"}
SEQUENCES, LENGTH, HEADS, WIDTH = 10, 256, 12, 64
ATTENTION = {"MulT": "Q·Kᵀ", "Mul": "P·V", "TMul": "Pᵀ·D"}


def library(path):
    """Returns cblas_sgemm, the type of its integers, and what the library says of itself."""
    if not path:
        found = glob.glob(os.path.join(os.path.dirname(np.__file__), "..", "numpy.libs", "*openblas*"))
        if not found:
            sys.exit("NumPy brings no OpenBLAS here: give the path of one with --blas")
        path = found[0]
    blas = ctypes.CDLL(path)
    for prefix, suffix, integer in [("scipy_", "64_", ctypes.c_int64), ("scipy_", "", ctypes.c_int), ("", "64_", ctypes.c_int64), ("", "", ctypes.c_int)]:
        try:
            gemm = getattr(blas, prefix + "cblas_sgemm" + suffix)
            config = getattr(blas, prefix + "openblas_get_config" + suffix)
        except AttributeError:
            continue
        config.restype = ctypes.c_char_p
        return gemm, integer, config().decode().strip()
    sys.exit(path + " has no cblas_sgemm")


def product(gemm, integer, kind, c, a, b):
    """Returns a function without arguments that computes c, its arguments converted before."""
    m, n = c.shape
    k = a.shape[0] if kind == "TMul" else a.shape[1]
    pointer = lambda x: ctypes.c_void_p(x.ctypes.data)
    stride = lambda x: integer(x.strides[0] // 4)
    args = (ctypes.c_int(ROWS), ctypes.c_int(YES if kind == "TMul" else NO), ctypes.c_int(YES if kind in ("MulT", "MulPacked") else NO),
            integer(m), integer(n), integer(k), ctypes.c_float(1), pointer(a), stride(a), pointer(b), stride(b), ctypes.c_float(0), pointer(c), stride(c))
    return lambda: gemm(*args)


def check(kind, c, a, b):
    want = {"Mul": lambda: a[:64].astype(np.float64) @ b, "MulT": lambda: a[:64].astype(np.float64) @ b.T, "TMul": lambda: a.T[:64].astype(np.float64) @ b}
    if not np.allclose(c[:64], want.get(kind, want["MulT"])(), atol=1e-2):
        sys.exit("OpenBLAS was called wrongly: its product is not right")


def cases(gemm, integer):
    """Yields the Go benchmark's name, what it is, its operations, and OpenBLAS's calls for it."""
    rng = np.random.default_rng(1)
    normal = lambda *shape: rng.standard_normal(shape, dtype=np.float32)
    for m, k, n in SHAPES:
        for kind, title in KINDS.items():
            def make(m=m, k=k, n=n, kind=kind):
                a = normal(k, m) if kind == "TMul" else normal(m, k)
                b = normal(n, k) if kind in ("MulT", "MulPacked") else normal(k, n)
                c = np.zeros((m, n), np.float32)
                call = product(gemm, integer, kind, c, a, b)
                call()
                check(kind, c, a, b)
                return [call], (a, b, c)
            yield f"{m}x{k}x{n}", kind, f"{m}×{k}×{n} {title}", 2 * m * k * n, make
    for kind, title in ATTENTION.items():
        def make(kind=kind):
            query, key = normal(SEQUENCES * LENGTH, HEADS * WIDTH), normal(SEQUENCES * LENGTH, HEADS * WIDTH)
            scores = normal(SEQUENCES * HEADS * LENGTH, LENGTH)
            calls = []
            for i in range(SEQUENCES * HEADS):
                rows, cols = slice(i // HEADS * LENGTH, i // HEADS * LENGTH + LENGTH), slice(i % HEADS * WIDTH, i % HEADS * WIDTH + WIDTH)
                q, x, s = query[rows, cols], key[rows, cols], scores[i * LENGTH:(i + 1) * LENGTH]
                calls.append(product(gemm, integer, kind, *((s, q, x) if kind == "MulT" else (q, s, x))))
            return calls, (query, key, scores)
        yield "120x256x64x256", kind, f"120 × (256×64×256) {title}", 2 * SEQUENCES * HEADS * LENGTH * LENGTH * WIDTH, make


def of_blas(calls, overhead, operations, seconds):
    """Returns GFLOP per second of CPU time."""
    for call in calls:
        call()
    n, started = 0, time.process_time()
    while (spent := time.process_time() - started) < seconds:
        for call in calls:
            call()
        n += 1
    return operations * n / (spent - overhead * n * len(calls)) / 1e9


def of_go(binary, shape, kernels, kind, seconds):
    pattern = "/".join(f"^{part}$" for part in ("BenchmarkProducts", shape, kernels, kind))
    out = subprocess.run([binary, "-test.run", "^$", "-test.bench", pattern, "-test.benchtime", f"{seconds}s", "-test.cpu", "1"],
                         check=True, capture_output=True, text=True, cwd=os.path.join(ROOT, "internal", "f32")).stdout
    found = re.search(r"([\d.]+) GFLOP/cpu-s", out)
    if not found:
        sys.exit(f"no benchmark {pattern}: this processor may have no kernels {kernels}\n{out}")
    return float(found[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=.3, help="of each measurement")
    parser.add_argument("--kernels", default="avx512,avx2")
    parser.add_argument("--blas", default="", metavar="LIBRARY")
    parser.add_argument("--only", default="", help="a regular expression for the names of rows")
    o = parser.parse_args()
    gemm, integer, config = library(o.blas)
    sets = o.kernels.split(",")
    one = np.ones((1, 1), np.float32)
    empty = product(gemm, integer, "Mul", one.copy(), one, one)
    started = time.process_time()
    for _ in range(100000):
        empty()
    overhead = (time.process_time() - started) / 100000
    with tempfile.TemporaryDirectory() as folder:
        binary = os.path.join(folder, "f32.test")
        subprocess.run(["go", "test", "-c", "-o", binary, "./internal/f32"], check=True, cwd=ROOT)
        print(f"{config}; a call from Python takes {overhead * 1e6:.2f} µs\n")
        print("| M×K×N | OpenBLAS | " + " | ".join(sets) + " |")
        print("| --- | --- |" + " --- |" * len(sets), flush=True)
        for shape, kind, title, operations, make in cases(gemm, integer):
            if not re.search(o.only, title):
                continue
            calls, _keep = make()
            figures = {name: [] for name in ["OpenBLAS", *sets]}
            for _ in range(o.rounds):
                for name in random.sample(list(figures), len(figures)):
                    figures[name].append(of_blas(calls, overhead, operations, o.seconds) if name == "OpenBLAS" else of_go(binary, shape, name, kind, o.seconds))
            median = {name: statistics.median(of) for name, of in figures.items()}
            cells = [f"{median[name]:.0f} ({median[name] / median['OpenBLAS']:.2f})" for name in sets]
            print(f"| {title} | {median['OpenBLAS']:.0f} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
