"""Makes reference.zip: small random folders as transformers and sentence-transformers write them, and their vectors.

    pip install torch transformers==5.24.0 sentence-transformers==6.2.0
    python reference.py reference.zip

Each folder has a file expected.json: the texts, and the vectors that SparseEncoder gives them as queries and as documents,
an object of terms and weights each.
"""

import json
import os
import sys
import tempfile
import zipfile

import torch
from sentence_transformers import SparseEncoder
from sentence_transformers.sparse_encoder.modules import Router, SparseStaticEmbedding, SpladePooling, Transformer
from transformers import AutoTokenizer, BertConfig, BertForMaskedLM, BertTokenizerFast, DistilBertConfig, DistilBertForMaskedLM

TOKENS = "[PAD] [UNK] [CLS] [SEP] [MASK] the tower of paris who built ##s ##er ? , é old Old b ##u ##i ##l ##t".split()
TEXTS = ["who built the tower of Paris?", "the old towers, the Old builts", "é", "zzz tower", "the tower of paris " * 5]
POSITIONS = 12


def save(root, name, family, dtype, generator, shard="1GB", tokenizer={}, **settings):
    sizes = dict(vocab_size=len(TOKENS), max_position_embeddings=POSITIONS)
    if family == "bert":
        model = BertForMaskedLM(BertConfig(hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12, **sizes, **settings))
    else:
        model = DistilBertForMaskedLM(DistilBertConfig(dim=8, n_layers=2, n_heads=2, hidden_dim=12, **sizes, **settings))
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * 0.5)
    model.tie_weights()
    folder = os.path.join(root, name)
    model.to(dtype).save_pretrained(folder, max_shard_size=shard)
    with open(os.path.join(root, "vocab.txt"), "w", encoding="utf-8") as f:
        f.write("".join(t + "\n" for t in TOKENS))
    BertTokenizerFast(os.path.join(root, "vocab.txt"), model_max_length=POSITIONS, **tokenizer).save_pretrained(folder)
    return folder


def load(folder, **how):
    return Transformer(folder, transformer_task="fill-mask", model_kwargs={"dtype": torch.float32}, **how)


def expect(folder):
    model = SparseEncoder(folder, model_kwargs={"dtype": torch.float32}, device="cpu")
    tokens = model.tokenizer.convert_ids_to_tokens(range(len(TOKENS)))
    sides = {"texts": TEXTS}
    for side in ("query", "document"):
        vectors = getattr(model, "encode_" + side)(TEXTS, convert_to_sparse_tensor=False)
        sides[side] = [{tokens[i]: w for i, w in enumerate(v.tolist()) if w > 0} for v in vectors]
    with open(os.path.join(folder, "expected.json"), "w", encoding="utf-8") as f:
        json.dump(sides, f, ensure_ascii=False, indent=1)


def main():
    generator = torch.Generator().manual_seed(3)
    with tempfile.TemporaryDirectory() as root:
        plain = save(root, "bert", "bert", torch.float16, generator)
        untied = save(root, "untied", "bert", torch.float32, generator, tie_word_embeddings=False, hidden_act="gelu_new",
                      tokenizer={"do_lower_case": False})
        shards = save(root, "shards", "distilbert", torch.bfloat16, generator, shard="2KB")
        for folder in (plain, untied, shards):
            expect(folder)
        folders = [plain, untied, shards]
        for name, modules in {
            "splade": [load(shards), SpladePooling("sum", activation_function="log1p_relu")],
            "router": [Router.for_query_document([load(plain), SpladePooling("max")], [load(shards), SpladePooling("sum")])],
            "static": [Router.for_query_document(
                [SparseStaticEmbedding(AutoTokenizer.from_pretrained(plain), torch.rand(len(TOKENS), generator=generator), frozen=True)],
                [load(plain), SpladePooling("max", activation_function="log1p_relu")])],
        }.items():
            folder = os.path.join(root, name)
            SparseEncoder(modules=modules).save(folder)
            expect(folder)
            folders.append(folder)
        with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as z:
            for folder in folders:
                for at, _, files in sorted(os.walk(folder)):
                    for file in sorted(files):
                        if file != "README.md":
                            path = os.path.join(at, file)
                            info = zipfile.ZipInfo(os.path.relpath(path, root))
                            with open(path, "rb") as f:
                                z.writestr(info, f.read(), zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    main()
