"""The peers' side of the comparison of encoders: a process for each, which does what a line of JSON on its standard
input asks and answers with a line, as main.go does for Parley. Run by compare.py: peers.py torch|sentence|onnx|recipe|cached
"""

import json
import math
import os
import resource
import sys
import time

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import torch


def read(path):
    with open(path) as f:
        return json.load(f)


def batches(ids, size):
    """Batches of the sequences sorted by length, padded to the longest of each, with the places of their sequences."""
    order = sorted(range(len(ids)), key=lambda i: -len(ids[i]))
    for start in range(0, len(order), size):
        places = order[start : start + size]
        width = len(ids[places[0]])
        x = np.zeros((len(places), width), np.int64)
        mask = np.zeros((len(places), width), np.int64)
        for row, i in enumerate(places):
            x[row, : len(ids[i])] = ids[i]
            mask[row, : len(ids[i])] = 1
        yield places, x, mask


class Pooled(torch.nn.Module):
    """A masked-LM network whose output is the sparse vector, max over tokens of log(1 + relu(logit)), as cheaply as
    PyTorch can say it: padding repeats the state of the first token, which no maximum notices, so that no pass over
    the [B, L, V] logits masks them; and the logarithm is taken of the maxima."""

    def __init__(self, model, learns=False):
        super().__init__()
        self.model, self.learns = model, learns

    def head(self, h):
        m = self.model
        if m.config.model_type == "distilbert":
            return m.vocab_projector(m.vocab_layer_norm(m.activation(m.vocab_transform(h))))
        return m.cls(h)

    def forward(self, input_ids, attention_mask):
        h = self.model.base_model(input_ids=input_ids, attention_mask=attention_mask)[0]
        h = torch.where(attention_mask.unsqueeze(-1) > 0, h, h[:, :1])
        logits = self.head(h)
        highest = torch.max(logits, 1).values if self.learns else torch.amax(logits, 1)  # the faster one on the way back, and forward
        return torch.log1p(torch.relu(highest))


def load(path):
    from transformers import AutoModelForMaskedLM

    return AutoModelForMaskedLM.from_pretrained(path, dtype=torch.float32).eval()


class Encoder:
    """What the three encoders share. Their encode returns vectors only where they are wanted."""

    def __init__(self):
        self.cache = {}

    def texts(self, path):
        return self.cache.setdefault(path, read(path))

    def do_encode(self, r):
        t = self.texts(r["texts"])
        if r["count"]:
            t = {k: v[: r["count"]] for k, v in t.items()}
        begin, cpu = time.perf_counter(), time.process_time()
        self.encode(t, r["batch"])
        return {"encode": time.perf_counter() - begin, "cpu": time.process_time() - cpu}

    def do_vectors(self, r):
        t = {k: v[: r["count"]] for k, v in self.texts(r["texts"]).items()}
        self.encode(t, r["batch"], keep=True).astype("<f4").tofile(r["to"])
        return {}


class Torch(Encoder):
    def do_load(self, r):
        torch.set_num_threads(r["threads"])
        self.model = Pooled(load(r["model"]))
        return {}

    def do_threads(self, r):
        torch.set_num_threads(r["threads"])
        return {}

    def encode(self, t, size, keep=False):
        out = [None] * len(t["ids"])
        with torch.inference_mode():
            for places, x, mask in batches(t["ids"], size):
                v = self.model(torch.from_numpy(x), torch.from_numpy(mask))
                if keep:
                    for row, i in enumerate(places):
                        out[i] = v[row].numpy()
        return np.stack(out) if keep else None


class Sentence(Encoder):
    def do_load(self, r):
        from sentence_transformers import SparseEncoder

        torch.set_num_threads(r["threads"])
        self.model = SparseEncoder(r["model"], device="cpu")
        self.model.max_seq_length = 256
        return {}

    do_threads = Torch.do_threads

    def encode(self, t, size, keep=False):
        v = self.model.encode(t["texts"], batch_size=size, show_progress_bar=False)
        return v.to_dense().numpy() if keep else None


class Onnx(Encoder):
    def do_load(self, r):
        self.path = os.path.join(r["model"], "model.onnx")
        return self.do_threads(r)

    def do_threads(self, r):
        import onnxruntime

        o = onnxruntime.SessionOptions()
        o.intra_op_num_threads = r["threads"]
        o.inter_op_num_threads = 1
        self.session = None
        self.session = onnxruntime.InferenceSession(self.path, o, providers=["CPUExecutionProvider"])
        return {}

    def encode(self, t, size, keep=False):
        out = [None] * len(t["ids"])
        for places, x, mask in batches(t["ids"], size):
            v = self.session.run(None, {"input_ids": x, "attention_mask": mask})[0]
            if keep:
                for row, i in enumerate(places):
                    out[i] = v[row]
        return np.stack(out) if keep else None


def splade(logits, mask):
    """Pooling as public SPLADE code writes it, in training too."""
    return torch.max(torch.log(1 + torch.relu(logits)) * mask.unsqueeze(-1), dim=1).values


class Trainer:
    """A training step: queries forward and back, KLD of the scores of their candidates from the teacher's, AdamW.
    The recipe encodes the candidates anew in each step, with a frozen network; otherwise their vectors are at hand."""

    def __init__(self, recipe):
        self.recipe = recipe

    def do_train(self, r):
        from safetensors.numpy import load_file

        torch.set_num_threads(r["threads"])
        self.model = load(r["model"])
        if self.recipe:
            self.frozen = load(r["model"])
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=2e-5, weight_decay=0, fused=True)
        self.queries = read(r["texts"])["ids"]
        data = load_file(r["data"])
        ends, v = data["ends"], self.model.config.vocab_size
        self.passages = read(r["passages"])["ids"]
        self.vectors = torch.zeros(len(ends), v)
        for i, (start, end) in enumerate(zip([0, *ends[:-1]], ends)):
            self.vectors[i, torch.from_numpy(data["terms"][start:end]).long()] = torch.from_numpy(data["weights"][start:end])
        self.teacher = torch.from_numpy(data["teacher"])
        return {}

    def encode_queries(self, model, ids):
        (places, x, mask), = batches(ids, len(ids))
        x, mask = torch.from_numpy(x), torch.from_numpy(mask)
        if self.recipe:
            return places, splade(model(input_ids=x, attention_mask=mask).logits, mask)
        return places, Pooled(model, learns=True)(x, mask)

    def encode_passages(self, wanted, k):
        """The vectors of the first wanted passages, k at a time, as public code writes it."""
        out = torch.zeros(wanted, self.vectors.shape[1])
        with torch.no_grad():
            for start in range(0, wanted, k):
                for places, x, mask in batches(self.passages[start : min(start + k, wanted)], k):
                    x, mask = torch.from_numpy(x), torch.from_numpy(mask)
                    v = splade(self.frozen(input_ids=x, attention_mask=mask).logits, mask)
                    out[[start + i for i in places]] = v
        return out

    def do_step(self, r):
        n, k = r["queries"], r["candidates"]
        self.model.train(r["dropout"])
        answer, vectors = {}, self.vectors
        if self.recipe and r["passages"]:
            begin = time.perf_counter()
            encoded = self.encode_passages(r["passages"], k)
            answer["passages"] = time.perf_counter() - begin
            answer["difference"] = float((encoded - vectors[: r["passages"]]).abs().max())
        begin = time.perf_counter()
        places, q = self.encode_queries(self.model, self.queries[:n])
        at = torch.tensor([[(i * k + c) % len(vectors) for c in range(k)] for i in places])
        scores = torch.einsum("bv,bkv->bk", q, vectors[at])
        teacher = torch.log_softmax(self.teacher[at], 1)
        loss = torch.nn.functional.kl_div(torch.log_softmax(scores, 1), teacher, log_target=True, reduction="batchmean")
        loss.backward()
        answer["queries"], answer["loss"] = time.perf_counter() - begin, loss.item()
        begin = time.perf_counter()
        self.optimiser.step()
        self.optimiser.zero_grad()
        answer["optimiser"] = time.perf_counter() - begin
        return answer


def main():
    kind = sys.argv[1]
    peer = {"torch": Torch, "sentence": Sentence, "onnx": Onnx, "recipe": lambda: Trainer(True), "cached": lambda: Trainer(False)}[kind]()
    torch.manual_seed(1)
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print goes elsewhere
    for line in sys.stdin:
        r = json.loads(line)
        if r["do"] == "memory":
            answer = {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10}
        else:
            answer = getattr(peer, "do_" + r["do"])(r)
        print(json.dumps(answer), file=out, flush=True)


if __name__ == "__main__":
    main()
