#!/usr/bin/env python3
"""Writes reference.json: values and gradients of every term of the objective, by torch's automatic differentiation in
double precision. The terms are written down here as their papers and package documentation define them, and not as the Go code computes them.

    python3 distill/objective/testdata/reference.py > distill/objective/testdata/reference.json
"""

import json
import math
import random

import torch

torch.set_default_dtype(torch.float64)
VOCABULARY = 9


def rounded(x):
    return json.loads(json.dumps(x), parse_float=lambda s: float(f"{float(s):.9g}"))


def vector(rng):
    terms = sorted(rng.sample(range(VOCABULARY), rng.randrange(6)))
    # Weights that float32 holds exactly.
    return {"terms": terms, "weights": [rng.randrange(1, 2048) / 1024 for _ in terms]}


def turn(rng):
    k = rng.randrange(3, 8)
    others = rng.randrange(0, k - 1)
    own = k - others
    taught = own if rng.random() < 0.7 else rng.randrange(own + 1)
    query = vector(rng)
    return {
        "number": rng.randrange(6),
        "query": query,
        "teacher_query": vector(rng),
        "cost": [rng.randrange(1024) / 1024 for _ in query["terms"]],
        "scores": [rng.gauss(0, 4) for _ in range(k)],
        "others": others,
        "teacher": [rng.gauss(0, 4) for _ in range(taught)],
        "log_inclusion": [math.log(rng.uniform(0.05, 1)) for _ in range(rng.randrange(own + 1))],
        "norms": [rng.uniform(0, 5) for _ in range(own)],
        "positives": sorted(rng.sample(range(own), min(own, rng.randrange(4)))),
    }


def dense(v):
    out = torch.zeros(VOCABULARY)
    out[v["terms"]] = torch.tensor(v["weights"], dtype=torch.float64)
    return out


class Turn:
    """A turn as tensors; the leaves are scores, weights and, of the batch, ln of the temperature's factor."""

    def __init__(self, t):
        self.scores = torch.tensor(t["scores"], requires_grad=True)
        self.weights = torch.tensor(t["query"]["weights"], dtype=torch.float64, requires_grad=True)
        self.query = torch.zeros(VOCABULARY).index_add(0, torch.tensor(t["query"]["terms"], dtype=torch.long), self.weights)
        self.target = dense(t["teacher_query"])
        self.target_terms = t["teacher_query"]["terms"]
        self.number = max(1, t["number"])
        self.cost = torch.tensor(t["cost"], dtype=torch.float64)
        self.teacher = torch.tensor(t["teacher"], dtype=torch.float64)
        self.own = len(t["scores"]) - t["others"]
        log_pi = t["log_inclusion"] + [0.0] * (len(t["scores"]) - len(t["log_inclusion"]))
        self.log_pi = torch.tensor(log_pi)
        self.norms = torch.tensor(t["norms"], dtype=torch.float64)
        self.positives = t["positives"]

    def negatives(self, which):
        lo, hi = {"turn": (0, self.own), "batch": (self.own, len(self.scores)), "both": (0, len(self.scores))}[which]
        return [d for d in range(lo, hi) if d not in self.positives]


ZERO = torch.zeros(())


def kld(temperature, reverse=False, alpha=None):
    def loss(t, _):
        n = len(t.teacher)
        if n == 0:
            return ZERO
        student = torch.log_softmax(t.scores[:n] / temperature - t.log_pi[:n], 0)
        teacher = torch.log_softmax(t.teacher / temperature - t.log_pi[:n], 0)
        if reverse:
            return torch.nn.functional.kl_div(teacher, student, reduction="sum", log_target=True)
        if alpha is None or not t.positives:
            return torch.nn.functional.kl_div(student, teacher, reduction="sum", log_target=True)
        positive, negative, gamma, by_student = alpha
        p = (student if by_student else teacher).exp()
        is_positive = torch.tensor([d in t.positives for d in range(n)])
        a = torch.where(is_positive, positive * (1 - p) ** gamma, negative * p**gamma)
        return (a * teacher.exp() * (teacher - student)).sum()

    return loss


def contrast(temperature, negatives="both", joint=False):
    def loss(t, log_t):
        if not t.positives:
            return ZERO
        logits = t.scores / (temperature * torch.exp(log_t)) - t.log_pi
        neg = logits[t.negatives(negatives)]
        if joint:
            pos = logits[t.positives]
            return torch.logsumexp(torch.cat([pos, neg]), 0) - torch.logsumexp(pos, 0)
        each = [
            torch.nn.functional.cross_entropy(torch.cat([logits[p : p + 1], neg])[None], torch.tensor([0])) for p in t.positives
        ]
        return torch.stack(each).mean()

    return loss


def margin_mse(t, _):
    n = len(t.teacher)
    pairs = [
        torch.nn.functional.mse_loss(t.scores[p] - t.scores[d], t.teacher[p] - t.teacher[d])
        for p in t.positives
        for d in t.negatives("turn")
        if p < n and d < n
    ]
    return torch.stack(pairs).mean() if pairs else ZERO


def hinge(margin, negatives="both"):
    def loss(t, _):
        neg = t.negatives(negatives)
        if not t.positives or not neg:
            return ZERO
        p = torch.tensor([p for p in t.positives for _ in neg])
        d = torch.tensor([d for _ in t.positives for d in neg])
        return torch.nn.functional.margin_ranking_loss(t.scores[p], t.scores[d], torch.ones(len(p)), margin=margin)

    return loss


def asymmetric(t, _):
    if not t.target_terms:
        return ZERO
    return (torch.relu(t.target - t.query)[t.target_terms] ** 2).mean()


def distance(sign, relevant):
    def loss(t, _):
        chosen = [d for d in range(t.own) if (d in t.positives) == relevant]
        if not t.positives or not chosen:
            return ZERO
        return sign * ((t.query**2).sum() + t.norms[chosen] - 2 * t.scores[chosen]).mean()

    return loss


def saturating(scale, exponential=False):
    def loss(t, _):
        g = 1 - torch.exp(-t.weights / scale) if exponential else t.weights / (t.weights + scale)
        return (t.cost * g).sum()

    return loss


def entropy(t, _):
    return torch.distributions.Categorical(probs=t.weights).entropy() if len(t.weights) else ZERO


def effective_terms(t, _):
    return entropy(t, _).exp() if len(t.weights) else ZERO


def by_turn(loss, power):
    return lambda t, log_t: t.number**power * loss(t, log_t)


def flops(turns):
    return (torch.stack([t.query for t in turns]).mean(0) ** 2).sum()


# name: loss of a turn, ln of the learned factor of its temperature
TERMS = {
    "kld": (kld(1), 0),
    "kld at 5": (kld(5), 0),
    "kld reverse": (kld(2, reverse=True), 0),
    "kld generalised": (kld(2, alpha=(2, 0.5, 0, False)), 0),
    "kld balanced": (kld(2, alpha=(1, 1, 2, False)), 0),
    "kld balanced by student": (kld(2, alpha=(1, 0.7, 2, True)), 0),
    "kld balanced by student, 1": (kld(2, alpha=(1, 0.7, 1, True)), 0),
    "infonce": (contrast(1), 0),
    "infonce at .08": (contrast(0.08), 0),
    "infonce of the turn": (contrast(2, "turn"), 0),
    "infonce of the batch": (contrast(2, "batch"), 0),
    "infonce learned": (contrast(2), 0.3),
    "cross_entropy": (contrast(1, joint=True), 0),
    "cross_entropy of the batch": (contrast(1, "batch", joint=True), 0),
    "cross_entropy learned": (contrast(2, "turn", joint=True), -0.7),
    "margin_mse": (margin_mse, 0),
    "hinge": (hinge(3), 0),
    "hinge of the turn": (hinge(3, "turn"), 0),
    "vector_mse": (lambda t, _: VOCABULARY * torch.nn.functional.mse_loss(t.query, t.target), 0),
    "vector_l1": (lambda t, _: torch.linalg.vector_norm(t.query - t.target, ord=1), 0),
    "asymmetric": (asymmetric, 0),
    "positive_mse": (distance(1, True), 0),
    "negative_mse": (distance(-1, False), 0),
    "flops": (None, 0),
    "l1": (lambda t, _: t.query.sum(), 0),
    "l1 by turn": (by_turn(lambda t, _: t.query.sum(), 2), 0),
    "df_l1": (lambda t, _: (t.cost * t.weights).sum(), 0),
    "df_saturating": (saturating(0.5), 0),
    "df_saturating, exponential": (saturating(2, exponential=True), 0),
    "entropy": (entropy, 0),
    "l0": (effective_terms, 0),
    "l0 by turn": (by_turn(effective_terms, 0.5), 0),
}


def gradient(of, shape):
    return of.grad.tolist() if of.grad is not None else [0.0] * shape


def evaluate(batch, loss, log_t):
    turns = [Turn(t) for t in batch["turns"]]
    size = batch["of"] or len(turns)
    factor = torch.tensor(float(log_t), requires_grad=True)
    value = flops(turns) if loss is None else sum(loss(t, factor) for t in turns) / size
    if value.requires_grad:
        value.backward()
    return {
        "value": value.item(),
        "by_scores": [gradient(t.scores, len(t.scores)) for t in turns],
        "by_weights": [gradient(t.weights, len(t.weights)) for t in turns],
        "by_log_temperature": factor.grad.item() if factor.grad is not None else 0.0,
    }


def main():
    rng = random.Random(20)
    batches = rounded([{"of": of, "turns": [turn(rng) for _ in range(n)]} for of, n in ((0, 4), (9, 3))])
    terms = {name: [evaluate(b, *term) for b in batches] for name, term in TERMS.items()}
    print(json.dumps({"batches": batches, "terms": rounded(terms)}))


main()
