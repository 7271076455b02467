"""Writes the reference of golden_test.go: small random networks, computed by transformers in double precision.

    pip install torch transformers safetensors numpy
    python internal/bert/testdata/golden.py

With a folder as argument it makes networks of the field's sizes there instead, in f32, f16 and bf16 (3 GB, a few minutes), for

    go test ./internal/bert -run TestAgainstTransformers -golden FOLDER

Each file NAME.safetensors holds a network's weights under transformers' names, a batch without padding (ids, ends, types), and under
"want." its hidden states, logits and weights of terms, the gradient of a loss by these weights, and the gradients of all tensors by it.
The loss is (1-w)·KLD + w·InfoNCE + λ·L1 over the scores of random passages. golden.json holds their sizes and functions.
"""

import json
import math
import pathlib
import sys

import numpy
import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertForMaskedLM, DistilBertConfig, DistilBertForMaskedLM

HERE = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__ + "/..").resolve()

# hidden_act by the name of the activation in internal/f32.
ACTIVATIONS = {"gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "relu": "relu", "silu": "silu"}

CASES = {
    "bert": dict(family="bert", vocabulary=97, hidden=24, layers=2, heads=3, inner=40, positions=16, types=2, epsilon=1e-12, act="gelu"),
    "bert-odd": dict(family="bert", vocabulary=61, hidden=21, layers=3, heads=7, inner=29, positions=11, types=2, epsilon=1e-5, act="gelu_new", scale=.5),
    "bert-untied": dict(family="bert", vocabulary=131, hidden=18, layers=1, heads=1, inner=33, positions=12, types=1, epsilon=1e-5, act="relu", untied=True, saturation="double-log"),
    "bert-sum": dict(family="bert", vocabulary=53, hidden=16, layers=2, heads=4, inner=24, positions=12, types=2, epsilon=1e-7, act="gelu_pytorch_tanh", pooling="sum"),
    "bert-lexical": dict(family="bert", vocabulary=29, hidden=20, layers=2, heads=5, inner=24, positions=14, types=2, epsilon=1e-12, act="gelu", kind="lexical"),
    "distilbert": dict(family="distilbert", vocabulary=89, hidden=28, layers=2, heads=4, inner=36, positions=16, types=0, epsilon=1e-12, act="gelu"),
    "distilbert-untied": dict(family="distilbert", vocabulary=7, hidden=15, layers=1, heads=5, inner=64, positions=9, types=0, epsilon=1e-12, act="relu", untied=True, scale=.6),
    "distilbert-sum": dict(family="distilbert", vocabulary=71, hidden=12, layers=3, heads=2, inner=10, positions=10, types=0, epsilon=1e-12, act="silu", pooling="sum", saturation="double-log"),
}

BASE = dict(vocabulary=30522, positions=512, epsilon=1e-12, act="gelu", scale=.03, lengths=[256, 3, 60, 17])
SMALL = dict(BASE, family="bert", hidden=256, layers=4, heads=4, inner=1024, types=2)
DISTIL = dict(BASE, family="distilbert", hidden=768, layers=6, heads=12, inner=3072, types=0)
BERT = dict(BASE, family="bert", hidden=768, layers=12, heads=12, inner=3072, types=2)

LARGE = {
    "4x256-f32": dict(SMALL, lengths=[512, 90, 1]),
    "4x256-f16-sum": dict(SMALL, pooling="sum", dtype="float16"),
    "4x256-multilingual-bf16": dict(SMALL, vocabulary=119547, dtype="bfloat16", act="gelu_new", untied=True),
    "distilbert-f32": dict(DISTIL, lengths=[512, 40]),
    "distilbert-f16": dict(DISTIL, dtype="float16", act="relu", saturation="double-log"),
    "bert-base-f32": BERT,
    "bert-base-bf16": dict(BERT, dtype="bfloat16", act="gelu_pytorch_tanh", epsilon=1e-5),
}


def network(case):
    """Returns a network of random weights, each of which matters."""
    common = dict(vocab_size=case["vocabulary"], max_position_embeddings=case["positions"], tie_word_embeddings=not case.get("untied", False),
                  attn_implementation="eager", pad_token_id=0)
    if case["family"] == "bert":
        model = BertForMaskedLM(BertConfig(hidden_size=case["hidden"], num_hidden_layers=case["layers"], num_attention_heads=case["heads"],
                                           intermediate_size=case["inner"], type_vocab_size=case["types"], layer_norm_eps=case["epsilon"],
                                           hidden_act=case["act"], **common))
    else:
        model = DistilBertForMaskedLM(DistilBertConfig(dim=case["hidden"], n_layers=case["layers"], n_heads=case["heads"], hidden_dim=case["inner"],
                                                       activation=case["act"], **common))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += torch.randn_like(parameter) * case.get("scale", .3)
        if case["family"] == "bert" and case.get("untied"):
            model.cls.predictions.bias.copy_(model.cls.predictions.decoder.bias)
        for parameter in model.parameters():
            parameter.copy_(parameter.to(stored(case)))
    return model.double().eval()


def stored(case):
    return getattr(torch, case.get("dtype", "float32"))


def saturated(logits, case):
    x = torch.log1p(torch.relu(logits))
    return torch.log1p(x) if case.get("saturation") == "double-log" else x


def pooled(weights, case):
    return weights.sum(0) if case.get("pooling") == "sum" else weights.max(0).values


def distinct(logits, case):
    """Which terms have a winner, or logits below and above 0, that arithmetic in single precision cannot mistake."""
    if case.get("pooling") == "sum":
        return (logits.abs() > 1e-4).all(0)
    best = torch.topk(torch.nn.functional.pad(logits, (0, 0, 0, 1), value=-1e9), 2, dim=0).values
    return (best[0] - best[1] > 1e-4) & (best[0].abs() > 1e-4)


def loss_of(vectors):
    """KLD + contrastive + L1 over the scores of random passages."""
    b, v = vectors.shape
    passages = torch.relu(torch.randn(b * 4, v).double() - .5)
    teacher = torch.randn(b, 4).double() * 2
    scores = vectors @ passages.T / math.sqrt(v)
    own = torch.stack([scores[i, 4 * i:4 * i + 4] for i in range(b)])
    kld = torch.nn.functional.kl_div(own.log_softmax(1), teacher.log_softmax(1), log_target=True, reduction="batchmean")
    contrastive = torch.nn.functional.cross_entropy(scores / .8, 4 * torch.arange(b))
    return .9 * kld + .1 * contrastive + .01 * vectors.abs().sum(1).mean()


def run(name, case):
    torch.manual_seed(sum(name.encode()))
    model = network(case)
    lengths = case.get("lengths", [case["positions"], 1, 5, 3])
    ids = [torch.randint(1, case["vocabulary"], (n,)) for n in lengths]
    types = [torch.randint(0, max(case["types"], 1), (n,)) for n in lengths]
    width = max(lengths)
    pad = lambda rows: torch.stack([torch.nn.functional.pad(row, (0, width - len(row))) for row in rows])
    mask = pad([torch.ones(n, dtype=torch.long) for n in lengths])
    inputs = dict(input_ids=pad(ids), attention_mask=mask, output_hidden_states=True)
    if case["types"]:
        inputs["token_type_ids"] = pad(types)
    out = model(**inputs)
    ragged = lambda rows: torch.cat([rows[i, :n] for i, n in enumerate(lengths)])

    skip, token = [], None
    if case.get("kind") == "lexical":
        skip = [3, 5]
        token = torch.nn.Linear(case["hidden"], 1).double()
        with torch.no_grad():
            token.bias.fill_(1)
        vectors = []
        for i, row in enumerate(ids):
            weights = saturated(token(out.hidden_states[-1][i, :len(row)])[:, 0], case)
            spread = torch.zeros(len(row), case["vocabulary"]).double()
            spread[torch.arange(len(row)), row] = weights
            spread[:, skip] = 0
            vectors.append(pooled(spread, case))
        vectors = torch.stack(vectors)
    else:
        vectors = torch.stack([pooled(saturated(out.logits[i, :n], case), case) for i, n in enumerate(lengths)])
    vectors.retain_grad()
    clear = torch.ones_like(vectors)
    if token is None:
        clear = torch.stack([distinct(out.logits[i, :n], case) for i, n in enumerate(lengths)])
    loss_of(vectors * clear).backward()

    tensors = {"ids": torch.cat(ids).int(), "types": torch.cat(types).int(), "ends": torch.tensor(numpy.cumsum(lengths)).int()}
    named = dict(model.named_parameters())
    if token is not None:
        named = {n: p for n, p in named.items() if not n.startswith("cls.")} | {"tok_proj." + n: p for n, p in token.named_parameters()}
    if "cls.predictions.decoder.bias" in named:  # the one that acts where the decoder is not tied
        named["cls.predictions.bias"] = named.pop("cls.predictions.decoder.bias")
    for n, parameter in named.items():
        tensors[n] = parameter.detach().to(stored(case))
        tensors["want.grad." + n] = parameter.grad
    for i, states in enumerate(out.hidden_states):
        tensors[f"want.hidden.{i}"] = ragged(states.detach())
    if token is None:
        tensors["want.logits"] = ragged(out.logits.detach())
    tensors["want.weights"] = vectors.detach()
    tensors["want.slopes"] = vectors.grad
    tensors = {n: (t.float() if t.dtype == torch.float64 else t).contiguous().clone() for n, t in tensors.items()}
    save_file(tensors, HERE / f"{name}.safetensors")
    print(name, "terms", [int((row > 0).sum()) for row in vectors], "bytes", (HERE / f"{name}.safetensors").stat().st_size)
    return dict(case, act=ACTIVATIONS[case["act"]], skip=skip)


configs = {name: run(name, case) for name, case in (LARGE if len(sys.argv) > 1 else CASES).items()}
(HERE / "golden.json").write_text("{\n" + ",\n".join(f"  {json.dumps(n)}: {json.dumps(c)}" for n, c in configs.items()) + "\n}\n")
