#!/usr/bin/env bash
# What pruning saves, and what it costs, by its rule: the table of docs/encoders.md. The feature student learns without
# regulariser from CANARD's questions and three fifths of the training half of QReCC, and searches for the other two.
#
#   bench/prune.sh DATA VOCAB OUT      (as for bench/conversations.sh)
set -euo pipefail
data=$(realpath "$1") vocab=$(realpath "$2") out=$(realpath -m "$3")
mkdir -p "$out/prune"
cd "$(dirname "$0")/.."
CGO_ENABLED=0 go build -o "$out/parley" ./cmd/parley
parley() { "$out/parley" "$@" --quiet; }
canard=$data/canard-train-rewrites at=$out/prune
[ -e "$out/qrecc-b" ] || parley collection split "$data/qrecc-dev2k-answers" --fraction .5 --seed 1 --passages own -o "$out/qrecc-a,$out/qrecc-b" >&2
[ -e "$out/train.index" ] || parley index --collection "$out/qrecc-a" --vocab "$vocab" -o "$out/train.index"
[ -e "$at/dev" ] || parley collection split "$out/qrecc-a" --fraction .6 --seed 1 -o "$at/fit,$at/dev" >&2
[ -e "$at/student" ] || parley train --index "$out/train.index" --turns "$canard,$at/fit" --exclude "$canard/overlap-with-qrecc-dev2k.txt" --df-l1 0 -o "$at/student" >&2
runs=()
for rule in top-k=-1 value-per-cost={.1,.2,.5,1} threshold={.2,.4} mass={.95,.85,.7}; do
  run=$at/$rule.run
  [ -e "$run" ] || parley search --index "$out/train.index" --collection "$at/dev" --encoder "$at/student" --unseen "--query-$rule" -o "$run"
  runs+=("$run")
done
parley eval "$at/dev" "${runs[@]}" --costs --format markdown
