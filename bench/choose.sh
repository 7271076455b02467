#!/usr/bin/env bash
# Chooses the weight of the regulariser for docs/real-conversations.md on training conversations alone: the training
# half of QReCC is split again, students learn from the one part (and CANARD's questions) and search for the other.
#
#   bench/choose.sh DATA VOCAB OUT      (as for bench/conversations.sh)
set -euo pipefail
data=$(realpath "$1") vocab=$(realpath "$2") out=$(realpath -m "$3")
mkdir -p "$out/choose"
cd "$(dirname "$0")/.."
CGO_ENABLED=0 go build -o "$out/parley" ./cmd/parley
parley() { "$out/parley" "$@" --quiet; }
canard=$data/canard-train-rewrites at=$out/choose
[ -e "$out/qrecc-b" ] || parley collection split "$data/qrecc-dev2k-answers" --fraction .5 --seed 1 --passages own -o "$out/qrecc-a,$out/qrecc-b" >&2
[ -e "$out/train.index" ] || parley index --collection "$out/qrecc-a" --vocab "$vocab" -o "$out/train.index"
[ -e "$at/dev" ] || parley collection split "$out/qrecc-a" --fraction .6 --seed 1 -o "$at/fit,$at/dev" >&2
for student in mlp features; do
  runs=()
  for weight in 0 .05 .1 .2 .4; do
    name=$student-$weight
    [ -e "$at/$name" ] || parley train --index "$out/train.index" --turns "$canard,$at/fit" --exclude "$canard/overlap-with-qrecc-dev2k.txt" \
      --student $student --df-l1 $weight -o "$at/$name" >&2
    [ -e "$at/$name.run" ] || parley search --index "$out/train.index" --collection "$at/dev" --encoder "$at/$name" --unseen -o "$at/$name.run"
    runs+=("$at/$name.run")
  done
  printf '\n%s by weight of df_l1\n\n' "$student"
  parley eval "$at/dev" "${runs[@]}" --costs --format markdown
done
