"""Makes what compare.py compares on: networks with random weights, texts, and the frozen passages of training.

    python prepare.py VOCAB OUT COLLECTION...

VOCAB is BERT's uncased vocab.txt (30,522 tokens), COLLECTION a folder with corpus.jsonl and turns.jsonl as
docs/collection-format.md says. OUT gets everything that is made; what is there already is not made again. It needs
torch, transformers, onnx and safetensors.
"""

import json
import os
import random
import shutil
import sys

import numpy as np
import torch
from peers import Pooled, batches, load

LONGEST = 256
# Tokens of the passages, about: enough for some seconds of the network's work. The other texts have a share of that.
TOKENS = {"4x256": 6000, "distilbert": 2000, "bert-base": 2000}
SHARE = {"passages": 1, "questions": 0.25, "histories": 0.5}
NEIGHBOURS = 8
# Queries that a step is timed on, of the recipe's 20: larger networks get a part, whose time is scaled.
QUERIES = {"4x256": 10, "distilbert": 4, "bert-base": 2}
CANDIDATES = 17  # 16 and the positive one


def configurations():
    from transformers import BertConfig, BertForMaskedLM, DistilBertConfig, DistilBertForMaskedLM

    return {
        "4x256": (BertForMaskedLM, BertConfig(hidden_size=256, num_hidden_layers=4, num_attention_heads=4, intermediate_size=1024)),
        "distilbert": (DistilBertForMaskedLM, DistilBertConfig()),
        "bert-base": (BertForMaskedLM, BertConfig()),
    }


def tokenizer(vocab):
    from transformers import BertTokenizerFast

    return BertTokenizerFast(vocab, do_lower_case=True)


def read_jsonl(path):
    with open(path) as f:
        return [json.loads(line) for line in f]


def read_texts(collections):
    """The texts of all kinds: passages, questions, and histories, newest first."""
    texts = {"passages": [], "questions": [], "histories": []}
    for folder in collections:
        for p in read_jsonl(os.path.join(folder, "corpus.jsonl")):
            texts["passages"].append(((p.get("title") or "") + " " + p["text"]).strip())
        said = {}
        for t in read_jsonl(os.path.join(folder, "turns.jsonl")):
            before = said.setdefault(t["conversation"], [])
            texts["questions"].append(t["question"])
            texts["histories"].append(" [SEP] ".join([t["question"], *reversed(before)]))
            before += [t["question"]] + ([t["answer"]] if t.get("answer") else [])
    return texts


def sequences(tok, texts):
    return tok(texts, truncation=True, max_length=LONGEST)["input_ids"]


def sample(tok, texts, tokens, rng):
    """Texts with about so many tokens, of the lengths that a collection sorted by length has: groups of NEIGHBOURS at
    even distances in the order of lengths. So batches of the peers have next to no padding, as over a whole collection."""
    texts = rng.sample(texts, min(len(texts), 4000))
    ids = sequences(tok, texts)
    order = sorted(range(len(texts)), key=lambda i: len(ids[i]))
    mean = sum(map(len, ids)) / len(ids)
    groups = max(1, round(tokens / mean / NEIGHBOURS))
    chosen = []
    for g in range(groups):
        middle = int(len(order) * (g + 0.5) / groups)
        start = min(max(0, middle - NEIGHBOURS // 2), len(order) - NEIGHBOURS)
        chosen += order[start : start + NEIGHBOURS]
    rng.shuffle(chosen)
    return {"texts": [texts[i] for i in chosen], "ids": [ids[i] for i in chosen]}


def uniform(tok, texts, count, rng):
    """Texts that are cut at LONGEST tokens: passages one behind the other until they have more."""
    chosen = []
    while len(chosen) < count:
        text = ""
        while len(text) < 12 * LONGEST:
            text += rng.choice(texts) + " "
        chosen.append(text)
    return {"texts": chosen, "ids": sequences(tok, chosen)}


def save(path, value):
    with open(path + ".new", "w") as f:
        json.dump(value, f)
    os.replace(path + ".new", path)


def make_model(name, path, vocab, calibrate):
    """A network with random weights, whose decoder's bias makes about 1 % of the terms of a vector weigh something,
    as in trained ones."""
    cls, config = configurations()[name]
    torch.manual_seed(1)
    model = cls(config).eval()
    highest = []
    with torch.inference_mode():
        for _, x, mask in batches(calibrate, 1):
            highest.append(model(input_ids=torch.from_numpy(x), attention_mask=torch.from_numpy(mask)).logits[0].amax(0))
        shift = torch.quantile(torch.cat(highest)[::7], 0.99)
        model.get_output_embeddings().bias.sub_(shift)
    model.save_pretrained(path + ".new")
    tokenizer(vocab).save_pretrained(path + ".new")
    shutil.copy(vocab, path + ".new/vocab.txt")
    export(model, path + ".new/model.onnx")
    os.rename(path + ".new", path)


def export(model, path):
    model.set_attn_implementation("eager")
    x = torch.randint(1000, 2000, (2, 16))
    mask = torch.ones_like(x)
    mask[1, 9:] = 0
    dynamic = {0: "batch", 1: "length"}
    torch.onnx.export(
        Pooled(model), (x, mask), path, input_names=["input_ids", "attention_mask"], output_names=["vectors"],
        dynamic_axes={"input_ids": dynamic, "attention_mask": dynamic, "vectors": {0: "batch"}}, dynamo=False, opset_version=17,
    )


def freeze(model, ids, path, rng):
    """The vectors of passages, and what a teacher scores them."""
    from safetensors.numpy import save_file

    vectors = [None] * len(ids)
    with torch.inference_mode():
        for places, x, mask in batches(ids, 4):
            v = Pooled(model)(torch.from_numpy(x), torch.from_numpy(mask))
            for row, i in enumerate(places):
                vectors[i] = v[row].numpy()
    terms = [np.flatnonzero(v).astype(np.int32) for v in vectors]
    save_file({
        "ends": np.cumsum([len(t) for t in terms]).astype(np.int32),
        "terms": np.concatenate(terms),
        "weights": np.concatenate([v[t] for v, t in zip(vectors, terms)]).astype(np.float32),
        "teacher": np.array([rng.gauss(0, 2) for _ in vectors], np.float32),
    }, path)


def main():
    vocab, out, *collections = sys.argv[1:]
    os.makedirs(out, exist_ok=True)
    tok, texts = tokenizer(vocab), read_texts(collections)
    for name in configurations():
        rng = random.Random(1)
        folder = os.path.join(out, name)
        kinds = {k: sample(tok, v, TOKENS[name] * SHARE[k], rng) for k, v in texts.items()}
        kinds["uniform"] = uniform(tok, texts["passages"], -(-TOKENS[name] // LONGEST // NEIGHBOURS) * NEIGHBOURS, rng)
        n, rng = QUERIES[name], random.Random(2)
        training = {
            "uniform": (uniform(tok, texts["passages"], n, rng), uniform(tok, texts["passages"], n * CANDIDATES, rng)),
            "true": (
                {"ids": sequences(tok, rng.choices(texts["histories"], k=n))},
                {"ids": sequences(tok, rng.choices(texts["passages"], k=n * CANDIDATES))},
            ),
        }
        if not os.path.exists(folder):
            make_model(name, folder, vocab, kinds["passages"]["ids"][:8])
        for kind, t in kinds.items():
            save(os.path.join(folder, kind + ".texts"), t)
        model = None
        for kind, (queries, passages) in training.items():
            save(os.path.join(folder, kind + ".queries"), queries)
            save(os.path.join(folder, kind + ".passages"), passages)
            data = os.path.join(folder, kind + ".frozen")
            if not os.path.exists(data):
                model = model or load(folder)
                freeze(model, passages["ids"], data, rng)
        print(name, {k: (len(t["ids"]), sum(map(len, t["ids"]))) for k, t in kinds.items()}, file=sys.stderr)


if __name__ == "__main__":
    main()
