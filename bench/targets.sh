#!/usr/bin/env bash
# Asks for three costs of queries and measures what is got: the table of docs/training.md. The feature student learns from
# CANARD's questions and the training half of QReCC, whose held-out conversations steer it. Then it is calibrated to each
# index that is searched, with the queries of the training half once more, and searches for other conversations.
#
#   bench/targets.sh DATA VOCAB OUT      (as for bench/conversations.sh)
set -euo pipefail
data=$(realpath "$1") vocab=$(realpath "$2") out=$(realpath -m "$3")
mkdir -p "$out/targets"
cd "$(dirname "$0")/.."
CGO_ENABLED=0 go build -o "$out/parley" ./cmd/parley
parley() { "$out/parley" "$@" --quiet; }
canard=$data/canard-train-rewrites at=$out/targets
[ -e "$out/qrecc-b" ] || parley collection split "$data/qrecc-dev2k-answers" --fraction .5 --seed 1 --passages own -o "$out/qrecc-a,$out/qrecc-b" >&2
[ -e "$out/train.index" ] || parley index --collection "$out/qrecc-a" --vocab "$vocab" -o "$out/train.index"
for name in canard-dev-answers qrecc-dev2k-answers; do
  [ -e "$out/$name.index" ] || parley index --collection "$data/$name" --vocab "$vocab" -o "$out/$name.index"
done

search() { # search NAME COLLECTION INDEX TARGET SEED
  local model=$at/$4-$5 run=$at/$1/$4-$5
  [ -e "$run" ] || parley search --index "$3" --collection "$2" --encoder "$model" --unseen -o "$run"
  [ -e "$model-$1" ] || parley model prune "$model" --flops "$4" --turns "$out/qrecc-a" --index "$3" -o "$model-$1" >&2
  [ -e "$run-calibrated" ] || parley search --index "$3" --collection "$2" --encoder "$model-$1" --unseen -o "$run-calibrated"
}
mkdir -p "$at/canard" "$at/qrecc"
for target in .1 .2 .4; do
  for seed in 1 2 3; do
    if [ ! -e "$at/$target-$seed" ]; then
      printf 'seed: %s\nvalidation: {share: .2}\nobjective: {target: {flops: %s, conversations: answered}}\n' $seed $target >"$at/plan.yaml"
      parley train --index "$out/train.index" --turns "$canard,$out/qrecc-a" --exclude "$canard/overlap-with-qrecc-dev2k.txt" \
        --plan "$at/plan.yaml" -o "$at/$target-$seed" | grep ^target
    fi
    search canard "$data/canard-dev-answers" "$out/canard-dev-answers.index" $target $seed
    search qrecc "$out/qrecc-b" "$out/qrecc-dev2k-answers.index" $target $seed
  done
done
for test in canard:$data/canard-dev-answers qrecc:$out/qrecc-b; do
  name=${test%%:*} systems=()
  for target in .1 .2 .4; do
    for how in "" -calibrated; do
      systems+=("$target$how=$at/$name/$target-1$how,$at/$name/$target-2$how,$at/$name/$target-3$how")
    done
  done
  printf '\n%s\n\n' "$name"
  parley eval "${test#*:}" "${systems[@]}" --costs --format markdown
done
