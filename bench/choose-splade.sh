#!/usr/bin/env bash
# Chooses the learning rate and the temperature of the transformer in bench/splade.sh, which has made the
# SPLADE and its index, on training conversations alone: the training half of QReCC is split again, students learn
# from the one part (and some of CANARD's questions) and search for the other.
#
#   bench/choose-splade.sh DATA VOCAB WEIGHTS OUT      (as for bench/splade.sh); SETTINGS lists RATE:TEMPERATURE
set -euo pipefail
data=$(realpath "$1") out=$(realpath -m "$4")
at=$out/choose-splade canard=$data/canard-train-rewrites
mkdir -p "$at"
parley() { "$out/parley" "$@" --quiet; }
[ -e "$at/dev" ] || parley collection split "$out/qrecc-a" --fraction .6 --seed 1 -o "$at/fit,$at/dev" >&2
[ -e "$at/some" ] || parley collection split "$canard" --fraction .03 --seed 2 --exclude "$canard/overlap-with-qrecc-dev2k.txt" -o "$at/some,$at/rest" >&2

try() { # try LEARNING_RATE TEMPERATURE
  local name=$at/rate-$1-temperature-$2
  printf 'student: {kind: splade}\nobjective: {kld: {temperature: %s}}\noptimiser: {epochs: 1, learning_rate: %s, warm_up: .05}\n' "$2" "$1" >"$name.yaml"
  [ -e "$name/config.json" ] || parley train --index "$out/splade-train.index" --turns "$at/some,$at/fit" --plan "$name.yaml" --from "$out/splade" -o "$name" >&2
  [ -e "$name.run" ] || parley search --index "$out/splade-train.index" --collection "$at/dev" --encoder "$name" --unseen -o "$name.run"
  runs+=("$name.run")
}
runs=()
for mode in history last questions rewrite; do
  [ -e "$at/$mode.run" ] || parley search --index "$out/splade-train.index" --collection "$at/dev" --query $mode --unseen -o "$at/$mode.run"
  runs+=("$at/$mode.run")
done
for setting in ${SETTINGS:-5e-5:1 1e-4:1 3e-4:1 5e-5:3 1e-4:3}; do
  try "${setting%:*}" "${setting#*:}"
done
parley eval "$at/dev" "${runs[@]}" --costs --format markdown
