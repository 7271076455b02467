#!/usr/bin/env bash
# Trains students on real conversations and measures them beside every other way to ask: the figures of
# docs/real-conversations.md.
#
#   bench/conversations.sh DATA VOCAB OUT
#
# DATA holds collections as docs/collection-format.md says: canard-train-rewrites (training questions with rewrites),
# qrecc-dev2k-answers, canard-dev-answers and mtrag-lite. VOCAB is BERT's uncased vocab.txt. OUT gets everything
# that is made; what is there already is not made again.
set -euo pipefail
data=$(realpath "$1") vocab=$(realpath "$2") out=$(realpath -m "$3")
mkdir -p "$out"
cd "$(dirname "$0")/.."
CGO_ENABLED=0 go build -o "$out/parley" ./cmd/parley
parley() { "$out/parley" "$@" --quiet; }
canard=$data/canard-train-rewrites

once() { # once FILE COMMAND...: runs the command unless it has made FILE
  local file=$1
  shift
  [ -e "$file" ] || "$@" >&2
}

# Half of the QReCC conversations train, half test. The training index holds the passages of the training half alone.
once "$out/qrecc-b" parley collection split "$data/qrecc-dev2k-answers" --fraction .5 --seed 1 --passages own -o "$out/qrecc-a,$out/qrecc-b"
once "$out/train.index/index.json" parley index --collection "$out/qrecc-a" --vocab "$vocab" -o "$out/train.index"
for name in canard-dev-answers qrecc-dev2k-answers mtrag-lite; do
  once "$out/$name.index/index.json" parley index --collection "$data/$name" --vocab "$vocab" -o "$out/$name.index"
done

train() { # train NAME FLAGS...
  local name=$1
  shift
  [ -e "$out/$name/config.json" ] && return
  local start=$SECONDS
  parley train --index "$out/train.index" --turns "$canard,$out/qrecc-a" --exclude "$canard/overlap-with-qrecc-dev2k.txt" "$@" -o "$out/$name" >&2
  echo "$name: trained in $((SECONDS - start)) s" >&2
}
weight=.1 # of the regulariser: bench/choose.sh
for seed in 1 2 3; do
  for student in features mlp; do
    train "$student-$seed" --student $student --seed $seed --df-l1 0
    train "$student-df-$seed" --student $student --seed $seed --df-l1 $weight
  done
done

search() { # search COLLECTION INDEX NAME FLAGS...
  local collection=$1 index=$2 run=$out/runs/$(basename "$1")/$3
  shift 3
  once "$run.cost.json" parley search --index "$index" --collection "$collection" "$@" --k 1000 -o "$run"
}
searches() { # searches COLLECTION INDEX "MODE..." FLAGS...
  local collection=$1 index=$2 modes=$3
  shift 3
  for mode in last questions history $modes; do
    search "$collection" "$index" "${mode/:/-}" --query "$mode" "$@"
  done
  for student in features features-df mlp mlp-df; do
    for seed in 1 2 3; do
      search "$collection" "$index" "$student-$seed" --encoder "$out/$student-$seed" "$@"
    done
  done
}
table() { # table TITLE COLLECTION "MODE..." FLAGS...: the MLP student first, to compare the others with
  local title=$1 collection=$2 modes=$3 runs=$out/runs/$(basename "$2") systems=()
  shift 3
  for student in mlp mlp-df features features-df; do
    systems+=("$student=$runs/$student-1,$runs/$student-2,$runs/$student-3")
  done
  for mode in last questions history $modes; do
    systems+=("$runs/${mode/:/-}")
  done
  printf '\n### %s\n\n' "$title"
  parley eval "$collection" "${systems[@]}" --costs --format markdown "$@"
}

dev=$data/canard-dev-answers qrecc=$out/qrecc-b mtrag=$data/mtrag-lite
searches "$dev" "$out/canard-dev-answers.index" rewrite --unseen
searches "$qrecc" "$out/qrecc-dev2k-answers.index" "rewrite rewrite:chatgpt-fewshot rewrite:chatgpt-selfedit" --unseen
searches "$mtrag" "$out/mtrag-lite.index" "rewrite:mtrag-official-llm rewrite:qwen3-30b"
grep '"track": "MTRAG-UN"' "$mtrag/turns.jsonl" | sed -E 's/^\{"id": "([^"]+)".*/\1/' >"$out/mtrag-un.txt"

table "canard-dev" "$dev" rewrite
table "QReCC, test half" "$qrecc" "rewrite rewrite:chatgpt-fewshot rewrite:chatgpt-selfedit"
table "mtrag-lite, all judged turns" "$mtrag" ""
table "mtrag-lite, MTRAG-UN" "$mtrag" "" --topics "$out/mtrag-un.txt"
table "mtrag-lite, MTRAG-human: the turns that its official LLM rewrote" "$mtrag" rewrite:mtrag-official-llm --topics "$out/runs/mtrag-lite/rewrite-mtrag-official-llm"
table "mtrag-lite, MTRAG-human: the turns that qwen3-30b rewrote" "$mtrag" rewrite:qwen3-30b --topics "$out/runs/mtrag-lite/rewrite-qwen3-30b"
