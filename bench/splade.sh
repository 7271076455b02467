#!/usr/bin/env bash
# Makes a SPLADE of a small BERT and distils a student for conversations from it, on training data alone, and measures
# both beside the built-in students on BM25: the figures of docs/splade.md.
#
#   bench/splade.sh DATA VOCAB WEIGHTS OUT
#
# DATA, VOCAB and OUT are those of bench/conversations.sh, whose split of QReCC and whose indexes are used. WEIGHTS is
# a folder of transformers over VOCAB, such as all-MiniLM-L6-v2's. What is there already is not made again. SHARE (.05) is the share of CANARD's training conversations that the students learn from, so that all of it
# takes half an hour on two cores. Students are trained with three seeds, the SPLADE with one.
set -euo pipefail
data=$(realpath "$1") vocab=$(realpath "$2") weights=$(realpath "$3") out=$(realpath -m "$4") share=${SHARE:-.05}
mkdir -p "$out"
cd "$(dirname "$0")/.."
CGO_ENABLED=0 go build -o "$out/parley" ./cmd/parley
parley() { "$out/parley" "$@" --quiet; }
canard=$data/canard-train-rewrites

once() { # once FILE COMMAND...: runs the command unless it has made FILE, and tells how long it took
  local file=$1 start=$SECONDS
  shift
  [ -e "$file" ] && return
  "$@" >&2
  echo "$(basename "$file"): $((SECONDS - start)) s" >&2
}

# Half of the QReCC conversations train, half test, as in bench/conversations.sh.
once "$out/qrecc-b" parley collection split "$data/qrecc-dev2k-answers" --fraction .5 --seed 1 --passages own -o "$out/qrecc-a,$out/qrecc-b"
once "$out/canard-a" parley collection split "$canard" --fraction "$share" --seed 1 --exclude "$canard/overlap-with-qrecc-dev2k.txt" -o "$out/canard-a,$out/canard-b"

# The SPLADE: rewrites of the training half and their passages, with negatives from BM25.
once "$out/train.index/index.json" parley index --collection "$out/qrecc-a" --vocab "$vocab" -o "$out/train.index"
once "$out/negatives.run" parley search --index "$out/train.index" --collection "$out/qrecc-a" --query rewrite --k 30 -o "$out/negatives.run"
once "$out/splade/config.json" parley train encoder --from "$weights" --collection "$out/qrecc-a" --run "$out/negatives.run" \
  --plan bench/splade-encoder.yaml -o "$out/splade"

# Its student for conversations: passages frozen in an index that the SPLADE made. features and mlp learn from the
# same turns, over BM25.
once "$out/splade-train.index/index.json" parley index --collection "$out/qrecc-a" --encoder "$out/splade" -o "$out/splade-train.index"
turns=$out/canard-a,$out/qrecc-a
for seed in 1 2 3; do
  once "$out/splade-student-$seed/config.json" parley train --index "$out/splade-train.index" --turns "$turns" \
    --plan bench/splade-student.yaml --from "$out/splade" --seed $seed -o "$out/splade-student-$seed"
  for student in features mlp; do
    once "$out/small-$student-$seed/config.json" parley train --index "$out/train.index" --turns "$turns" --student $student --seed $seed -o "$out/small-$student-$seed"
  done
done

search() { # search COLLECTION INDEX NAME FLAGS...
  local collection=$1 index=$2 run=$out/splade-runs/$(basename "$1")/$3
  shift 3
  mkdir -p "$(dirname "$run")"
  once "$run.cost.json" parley search --index "$index" --collection "$collection" "$@" --k 1000 -o "$run"
}
measure() { # measure TITLE COLLECTION SOURCE "MODE..." FLAGS...: SOURCE is the collection whose passages are searched
  local title=$1 collection=$2 source=$3 modes=$4 systems=()
  shift 4
  local name runs
  name=$(basename "$source") runs=$out/splade-runs/$(basename "$collection")
  once "$out/$name.index/index.json" parley index --collection "$source" --vocab "$vocab" -o "$out/$name.index"
  once "$out/$name.splade.index/index.json" parley index --collection "$source" --encoder "$out/splade" -o "$out/$name.splade.index"
  for seed in 1 2 3; do
    search "$collection" "$out/$name.splade.index" splade-student-$seed --encoder "$out/splade-student-$seed" "$@"
    for student in mlp features; do
      search "$collection" "$out/$name.index" "bm25-$student-$seed" --encoder "$out/small-$student-$seed" "$@"
    done
  done
  systems+=("splade-student=$runs/splade-student-1,$runs/splade-student-2,$runs/splade-student-3")
  for mode in last questions history $modes; do
    search "$collection" "$out/$name.splade.index" "splade-${mode/:/-}" --query "$mode" "$@"
    systems+=("$runs/splade-${mode/:/-}")
  done
  for student in mlp features; do
    systems+=("bm25-$student=$runs/bm25-$student-1,$runs/bm25-$student-2,$runs/bm25-$student-3")
  done
  for mode in last questions history $modes; do
    search "$collection" "$out/$name.index" "bm25-${mode/:/-}" --query "$mode" "$@"
    systems+=("$runs/bm25-${mode/:/-}")
  done
  printf '\n### %s\n\n' "$title"
  parley eval "$collection" "${systems[@]}" --costs --format markdown
}
measure "canard-dev" "$data/canard-dev-answers" "$data/canard-dev-answers" rewrite --unseen
measure "QReCC, test half" "$out/qrecc-b" "$data/qrecc-dev2k-answers" rewrite --unseen
measure "mtrag-lite" "$data/mtrag-lite" "$data/mtrag-lite" ""
