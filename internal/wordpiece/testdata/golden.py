"""Makes golden.jsonl.gz: hostile texts and the ids that the reference gives them.

    pip install tokenizers==0.23.3
    python golden.py golden.txt golden.jsonl.gz VOCAB      # VOCAB: vocab.txt of bert-base-uncased

The first line is the version of the reference, digests of the words that it makes around every code point, and digests
of its ids for the texts below under another vocabulary; every further line is a text and its ids under golden.txt.
"""

import gzip
import hashlib
import json
import random
import sys

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def reference(path, lowercase):
    """The tokenizer of a BERT model with this vocabulary, without what adds special tokens."""
    with open(path, encoding="utf-8", newline="\n") as f:
        vocab = {line.rstrip("\n"): i for i, line in enumerate(f)}
    t = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=100))
    t.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.add_special_tokens([AddedToken(s, normalized=False, special=True) for s in SPECIAL if s in vocab])
    return t


def digest(lowercase):
    """SHA-256 over the words that the reference makes of every code point between letters and between combining marks."""
    normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    splitter = pre_tokenizers.BertPreTokenizer()
    h = hashlib.sha256()
    for block in range(0, 0x110000, 0x100):
        if 0xD800 <= block < 0xE000:
            continue
        text = "".join(f"a{chr(c)}b a\u302e{chr(c)}\U0001d165b " for c in range(block, block + 0x100))
        words = splitter.pre_tokenize_str(normalizer.normalize_str(text))
        h.update("".join(w + "\n" for w, _ in words).encode())
    return h.hexdigest()


# Ranges of code points that go wrong elsewhere, each drawn from with equal probability.
RANGES = [
    (0x00, 0x7F),  # ASCII with its controls
    (0x20, 0x7E),
    (0x61, 0x7A),
    (0x41, 0x5A),
    (0x80, 0x24F),  # Latin with C1 controls
    (0x250, 0x36F),  # IPA, modifiers, combining marks
    (0x370, 0x3FF),  # Greek, with sigmas and the question mark that decomposes to a semicolon
    (0x400, 0x52F),  # Cyrillic
    (0x590, 0x6FF),  # Hebrew, Arabic
    (0x900, 0xDFF),  # Indic scripts, with spacing marks
    (0xE00, 0xFFF),  # Thai, Lao, Tibetan
    (0x1000, 0x10FF),
    (0x1100, 0x11FF),  # Hangul jamo
    (0x1680, 0x18AF),  # with code points that changed category since Unicode 8
    (0x1AB0, 0x1AFF),
    (0x1C80, 0x1CFF),
    (0x1DC0, 0x1DFF),
    (0x1E00, 0x1FFF),
    (0x2000, 0x206F),  # spaces, joiners, directions
    (0x20A0, 0x20FF),
    (0x2100, 0x23FF),
    (0x2C00, 0x2E7F),
    (0x2E80, 0x303F),  # with the spacing combining marks U+302E and U+302F
    (0x3040, 0x30FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xA640, 0xA6FF),
    (0xA720, 0xA7FF),
    (0xA800, 0xABFF),
    (0xAC00, 0xD7FF),  # Hangul syllables
    (0xE000, 0xF8FF),  # private use
    (0xF900, 0xFAFF),  # compatibility ideographs
    (0xFB00, 0xFDFF),
    (0xFE00, 0xFE6F),
    (0xFF00, 0xFFFF),  # full width, U+FFFD, noncharacters
    (0x10000, 0x107FF),
    (0x10900, 0x10FFF),
    (0x11000, 0x119FF),
    (0x16A00, 0x16FFF),
    (0x1D100, 0x1D1FF),  # musical symbols with combining classes
    (0x1D400, 0x1D7FF),
    (0x1E000, 0x1E9FF),
    (0x1F000, 0x1FAFF),  # emoji
    (0x20000, 0x323AF),  # ideographs, also those the reference does not set apart
    (0x2F800, 0x2FA1F),
    (0xE0000, 0xE01FF),  # tags, variation selectors
    (0xF0000, 0x10FFFF),
]

# Pieces that mean something next to each other.
PIECES = SPECIAL + [
    "[SEP", "SEP]", "[[SEP]]", "[sep]", "[ SEP ]", "[UNK][UNK]", "##", "##s", "#", "###ing",
    "İ", "ı", "I", "i\u0307", "Σ", "ς", "ΑΣ", "ß", "ẞ", "ﬁ", "Å", "\u212b", "\u212a", "é", "e\u0301", "\u0301", "\u0345",
    "\u302e", "\u302f", "\U0001d165", "\U0001d16d", "\u0327\u0301", "\u0301\u0327", "\u034f", "\u1885", "\u1734", "\u200d",
    "\u200b", "\u00ad", "\ufeff", "\u2028", "\u00a0", "\u3000", "\u0085", "\x00", "\ufffd", "\x1c", "\x7f", "\t", "\n",
    "\r\n", "한국어", "각", "\u1100\u1161\u11a8", "العربية", "हिन्दी", "क्षि", "ภาษาไทย", "中文", "日本語", "がぎ", "か\u3099", "👩‍👩‍👧", "🇩🇪", "👍🏽",
    "\ufe0f", "don't", "naïve", "Straße", "U.S.", "1,000.5", "x²", "№", "…", "—", "‐", "a" * 99, "a" * 100, "a" * 101,
    "é" * 50, "e\u0301" * 100, "İ" * 51, "각" * 34, "a" * 60 + "\u200b" + "b" * 41, "tokenization", "unbelievable", "THE", "The",
]  # fmt: skip


def text(r, words):
    """A random text: pieces, code points of a few ranges, words of the vocabulary, with and without spaces."""
    ranges = r.sample(RANGES, r.randint(1, 4))
    parts = []
    for _ in range(r.choice([1, 2, 4, 8, 16, 32])):
        kind = r.random()
        if kind < 0.3:
            parts.append(r.choice(PIECES))
        elif kind < 0.6:
            parts.append(r.choice(words))
        else:
            low, high = r.choice(ranges)
            parts.append("".join(chr(r.randint(low, high)) for _ in range(r.randint(1, 6))))
        if r.random() < 0.5:
            parts.append(" ")
    return "".join(c for c in "".join(parts) if not "\ud800" <= c <= "\udfff")


def digest_ids(encode, texts):
    """SHA-256 over the ids of texts, a line each."""
    return hashlib.sha256("".join(" ".join(map(str, encode(s))) + "\n" for s in texts).encode()).hexdigest()


def encoder(path, lowercase):
    t = reference(path, lowercase)
    return lambda s: t.encode(s, add_special_tokens=False).ids


def main(vocabulary, output, other, count=2500):
    r = random.Random(1)
    with open(vocabulary, encoding="utf-8", newline="\n") as f:
        words = [line.rstrip("\n").removeprefix("##") for line in f]
    texts = PIECES + ["", " ", "".join(PIECES), " ".join(PIECES)] + [text(r, words) for _ in range(int(count))]
    uncased, cased = encoder(vocabulary, True), encoder(vocabulary, False)
    with open(other, "rb") as f:
        other_digest = hashlib.sha256(f.read()).hexdigest()
    head = {
        "tokenizers": tokenizers.__version__,
        "uncased": digest(True),
        "cased": digest(False),
        "other": {
            "vocabulary": other_digest,
            "uncased": digest_ids(encoder(other, True), texts),
            "cased": digest_ids(encoder(other, False), texts),
        },
    }
    with open(output, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, 0) as f:
        for line in [head] + [{"text": s, "uncased": uncased(s), "cased": cased(s)} for s in texts]:
            f.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")


main(*sys.argv[1:])
