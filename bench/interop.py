"""Compares Parley with transformers and sentence-transformers on random checkpoints, and loads what Parley writes.

    pip install torch transformers sentence-transformers
    go build -o /tmp/parley ./cmd/parley
    python bench/interop.py --parley /tmp/parley [--folder MODEL]...

For each checkpoint: the vectors that Parley gives passages and queries of the folder, against SparseEncoder's in float32;
then the folder that `parley model convert` makes of it, loaded with AutoModelForMaskedLM and SparseEncoder: its logits
and vectors against the original's. A value x may differ by 1e-4 * max(1, |x|). The last column is the worst difference,
in units of max(1, |x|); a difference beyond the limit ends the script with code 1. --folder adds checkpoints from disk.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import torch
from sentence_transformers import SparseEncoder
from sentence_transformers.sparse_encoder.modules import Router, SparseStaticEmbedding, SpladePooling, Transformer
from transformers import (
    AutoModelForMaskedLM, AutoTokenizer, BertConfig, BertForMaskedLM, BertModel, BertTokenizerFast, DistilBertConfig, DistilBertForMaskedLM, DistilBertModel,
)

LIMIT = 1e-4
POSITIONS = 48

WORDS = """the a of in and who what when where why how did was were is are it he she they tower bridge river town king queen
built made old new stone water first last war peace light music found ##s ##ed ##ing ##er ##est ##ly ##ness under over""".split()
CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,?!'\"-()é"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

TEXTS = [
    "who built the old tower", "When was the bridge made?", "a", "", "It was FOUND under water, in 1889 (they said).", "café résumé",
    "the king's music", "xyz 東京 tower", "the river " * 40, "why not? " * 9,
]


def write_vocabulary(path):
    tokens = SPECIAL + list(CHARACTERS) + ["##" + c for c in CHARACTERS if c.isalnum()] + WORDS
    tokens = list(dict.fromkeys(tokens))
    with open(path, "w", encoding="utf-8") as f:
        f.write("".join(t + "\n" for t in tokens))
    return len(tokens)


def randomise(model, generator):
    """Weights that leave nothing at zero or one, where a mistake would not show."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            scale = 0.3 if p.dim() > 1 else 0.2
            p.copy_(torch.randn(p.shape, generator=generator) * scale + (1 if "norm" in name.lower() and name.endswith("weight") else 0))


def network(family, size, generator, bare=False, **settings):
    sizes = dict(vocab_size=size, max_position_embeddings=POSITIONS)
    if family == "bert":
        config = BertConfig(hidden_size=36, num_hidden_layers=2, num_attention_heads=3, intermediate_size=50, **sizes, **settings)
        model = BertModel(config) if bare else BertForMaskedLM(config)
    else:
        config = DistilBertConfig(dim=36, n_layers=2, n_heads=3, hidden_dim=50, **sizes, **settings)
        model = DistilBertModel(config) if bare else DistilBertForMaskedLM(config)
    randomise(model, generator)
    if bare:  # hidden states stay near the embeddings, as a made-up head expects of them
        with torch.no_grad():
            for name, p in model.named_parameters():
                if p.dim() > 1 and "word_embeddings" not in name:
                    p.mul_(0.02)
    model.tie_weights()
    return model.eval()


def save(model, path, vocabulary, dtype=torch.float32, **how):
    model.to(dtype).save_pretrained(path, **how)
    BertTokenizerFast(vocabulary, model_max_length=POSITIONS).save_pretrained(path)
    return path


def transformer(path):
    return Transformer(path, transformer_task="fill-mask", model_kwargs={"dtype": torch.float32})


def checkpoints(root, vocabulary, size):
    """Yields names and folders."""
    generator = torch.Generator().manual_seed(7)
    for family in ("bert", "distilbert"):
        activation = "hidden_act" if family == "bert" else "activation"
        for tied in (True, False):
            for dtype in (torch.float32, torch.float16, torch.bfloat16):
                name = f"{family} {'tied' if tied else 'untied'} {str(dtype).removeprefix('torch.')}"
                yield name, save(network(family, size, generator, tie_word_embeddings=tied), os.path.join(root, name), vocabulary, dtype)
        for function in ("gelu_new", "gelu_pytorch_tanh", "gelu_fast", "relu", "silu", "tanh", "linear"):
            name = f"{family} {function}"
            yield name, save(network(family, size, generator, **{activation: function}), os.path.join(root, name), vocabulary)
        name = f"{family} shards"
        yield name, save(network(family, size, generator), os.path.join(root, name), vocabulary, max_shard_size="20KB")
        for pooling in ("max", "sum"):
            for function in ("relu", "log1p_relu"):
                name = f"{family} {pooling} {function}"
                folder = save(network(family, size, generator), os.path.join(root, "of " + name), vocabulary)
                SparseEncoder(modules=[transformer(folder), SpladePooling(pooling, activation_function=function)]).save(os.path.join(root, name))
                yield name, os.path.join(root, name)
    query = save(network("bert", size, generator), os.path.join(root, "query"), vocabulary)
    passage = save(network("distilbert", size, generator, tie_word_embeddings=False), os.path.join(root, "passage"), vocabulary)
    router = Router.for_query_document([transformer(query), SpladePooling("max")], [transformer(passage), SpladePooling("sum")])
    SparseEncoder(modules=[router]).save(os.path.join(root, "router"))
    yield "router", os.path.join(root, "router")
    static = SparseStaticEmbedding(AutoTokenizer.from_pretrained(query), torch.rand(size, generator=generator) + 0.1, frozen=True)
    router = Router.for_query_document([static], [transformer(passage), SpladePooling("max", activation_function="log1p_relu")])
    SparseEncoder(modules=[router]).save(os.path.join(root, "fixed weights"))
    yield "fixed weights", os.path.join(root, "fixed weights")
    for family in ("bert", "distilbert"):
        name = f"{family} without a head"
        yield name, save(network(family, size, generator, bare=True), os.path.join(root, name), vocabulary)


def collection(root):
    path = os.path.join(root, "collection")
    os.makedirs(path)
    with open(os.path.join(path, "corpus.jsonl"), "w", encoding="utf-8") as f:
        for i, text in enumerate(TEXTS):
            f.write(json.dumps({"id": str(i), "text": text or " "}) + "\n")
    with open(os.path.join(path, "turns.jsonl"), "w", encoding="utf-8") as f:
        for i, text in enumerate(TEXTS):
            f.write(json.dumps({"id": str(i), "conversation": str(i), "turn": 1, "question": text or " "}) + "\n")
    return path


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"{' '.join(command)}: {done.stderr}")


def parley_vectors(parley, data, folder, out, vocabulary, *how):
    run(parley, "encode", "--quiet", "--collection", data, "--encoder", folder, "--format", "jsonl", "-o", out, *how)
    vectors = torch.zeros(len(TEXTS), len(vocabulary))
    with open(out, encoding="utf-8") as f:
        for line in f:
            record = json.loads(line)
            for term, weight in record["vector"].items():
                vectors[int(record["id"]), vocabulary[term]] = weight
    os.remove(out)
    return vectors


def distance(a, b):
    if a.shape != b.shape:
        return float("inf")
    return ((a - b).abs() / b.abs().clamp(min=1)).max().item()


def encoder(folder):
    return SparseEncoder(folder, model_kwargs={"dtype": torch.float32}, device="cpu")


def vectors_of(model):
    return [getattr(model, side)(TEXTS, convert_to_sparse_tensor=False).cpu().float() for side in ("encode_query", "encode_document")]


def logits(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model, info = AutoModelForMaskedLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    if info["missing_keys"] or info["unexpected_keys"] or info["mismatched_keys"]:
        raise ValueError(f"{folder}: {info}")
    inputs = tokenizer(TEXTS, padding=True, truncation=True, return_tensors="pt")
    with torch.no_grad():
        return model.eval()(**inputs).logits * inputs["attention_mask"].unsqueeze(-1)


def compare(parley, data, root, name, folder):
    """Yields what was compared, and how far apart it was."""
    written = os.path.join(root, "written " + name)
    run(parley, "model", "convert", folder, "-o", written)
    again = encoder(written)
    original = again
    if "without a head" not in name:  # which transformers would make up at random
        original = encoder(folder)
        for (side, a), b in zip((("written, queries", vectors_of(again)[0]), ("written, passages", vectors_of(again)[1])), vectors_of(original)):
            yield side, distance(a, b)
        if os.path.exists(os.path.join(written, "config.json")):
            yield "written, logits", distance(logits(written), logits(folder))
    vocabulary = {t: i for t, i in original.tokenizer.get_vocab().items()}
    out = os.path.join(root, "vectors.jsonl")
    queries, passages = vectors_of(original)
    yield "queries", distance(parley_vectors(parley, data, folder, out, vocabulary, "--queries", "last"), queries)
    yield "passages", distance(parley_vectors(parley, data, folder, out, vocabulary), passages)
    if not (queries > 0).any() or not (passages > 0).any():
        raise ValueError(f"{name}: vectors without weights show nothing")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parley", required=True, help="the program")
    parser.add_argument("--folder", action="append", default=[], help="another checkpoint to compare")
    parser.add_argument("--only", default="", help="only checkpoints whose name has this")
    options = parser.parse_args()
    torch.set_num_threads(1)
    worst, failed = 0.0, 0
    with tempfile.TemporaryDirectory() as root:
        vocabulary = os.path.join(root, "vocab.txt")
        size = write_vocabulary(vocabulary)
        data = collection(root)
        found = list(checkpoints(root, vocabulary, size)) + [(os.path.basename(os.path.normpath(f)), f) for f in options.folder]
        for name, folder in found:
            if options.only not in name:
                continue
            for what, d in compare(os.path.abspath(options.parley), data, root, name, folder):
                worst, failed = max(worst, d), failed + (not d <= LIMIT)
                print(f"{name:32} {what:20} {d:.2e}{'' if d <= LIMIT else '  BEYOND THE LIMIT'}", flush=True)
    print(f"worst {worst:.2e}, limit {LIMIT:.0e}, {failed} beyond it")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
