#!/usr/bin/env bash
# models: our engine and ONNX Runtime on every model of a folder, alternating, the median of the best round of each.
#
#   bench/models.sh FOLDER|MODEL.onnx...     default: ../shared/models
#
# Needs the program (build/release) and the referee's Python (scripts/referee). Inputs are random, of the shapes that
# `compressor bench` takes for the model or that SHAPES has for it; both sides get the same shapes.
# Environment: COMPRESSOR (build/release/bin/compressor), COMPRESSOR_REFEREE, ROUNDS (3), SECONDS_EACH (0.5), THREADS
# (1: on a machine that is busy with other work two threads that wait for each other show the scheduler instead),
# WANTED (0.9: fails when a model is slower than that share of ONNX Runtime's speed; empty: never).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=${COMPRESSOR:-$root/build/release/bin/compressor}
python=${COMPRESSOR_REFEREE:-$root/build/referee/bin/python}
rounds=${ROUNDS:-3}
threads=${THREADS:-1}
seconds=${SECONDS_EACH:-0.5}
wanted=${WANTED-0.9}
export OMP_NUM_THREADS=$threads

# Models whose open axes ask for more than the default; any other sampling rate takes the second branch of the VAD.
declare -A SHAPES=(
  [lm_stories260K]="tokens:1x64"
  [ocr_ppocrv4_rec]="x:1x3x48x320"
  [vad_silero]="input:1x256 state:2x1x128"
)

for needed in "$program" "$python"; do
  [[ -e $needed ]] || { echo "models: $needed is not there" >&2; exit 1; }
done
[[ $# -gt 0 ]] || set -- "$root/../shared/models"
models=()
for given in "$@"; do
  if [[ -d $given ]]; then models+=("$given"/*.onnx); else models+=("$given"); fi
done

ours() { # model runs shape... -> {"median": seconds, ...}, one line
  local model=$1 runs=$2 options=()
  for shape in "${@:3}"; do options+=(--input-shape "$shape"); done
  "$program" bench --json -j "$threads" --warmup 2 --runs "$runs" "${options[@]}" "$model" 2>/dev/null
}
theirs() { # model runs shape... -> milliseconds
  local model=$1 runs=$2 options=()
  for shape in "${@:3}"; do options+=(--shape "${shape%:*}=${shape##*:}"); done
  "$python" "$root/scripts/referee.py" time "$model" --rounds "$runs" --threads "$threads" "${options[@]}" |
    awk -F'[:,]' '/"median_ms"/ { print $2 + 0 }'
}
milliseconds() { # JSON of ours -> milliseconds
  awk '/"median":/ && !seen++ { print $2 * 1000 }'
}
shapes_of() { # JSON of ours -> name:1x3 of every input that is no scalar
  "$python" -c 'import json, sys
for name, shape in json.load(sys.stdin)["models"][0]["inputs"].items():
    if shape: print(name + ":" + "x".join(map(str, shape)))'
}
best() { printf '%s\n' "$@" | sort -g | sed -n 1p; }

slow=0
printf '%-26s %12s %14s %8s\n' model "ours, ms" "ONNX Runtime" ratio
for model in "${models[@]}"; do
  name=$(basename "$model" .onnx)
  read -ra shapes <<<"${SHAPES[$name]:-}"
  if ! first=$(ours "$model" 3 "${shapes[@]}"); then
    printf '%-26s cannot be run\n' "$name"
    slow=1
    continue
  fi
  mapfile -t shapes < <(shapes_of <<<"$first")
  runs=$(milliseconds <<<"$first" | awk -v s="$seconds" '{ n = int(s * 1000 / $1); print (n < 3 ? 3 : (n > 2000 ? 2000 : n)) }')
  engine=() runtime=()
  for ((i = 0; i < rounds; ++i)); do
    engine+=("$(ours "$model" "$runs" "${shapes[@]}" | milliseconds)")
    runtime+=("$(theirs "$model" "$runs" "${shapes[@]}")")
  done
  line=$(awk -v n="$name" -v e="$(best "${engine[@]}")" -v r="$(best "${runtime[@]}")" 'BEGIN {
    printf "%-26s %12.3f %14.3f %7.2fx\n", n, e, r, r / e }')
  echo "$line"
  [[ -z $wanted ]] || awk -v w="$wanted" '{ sub("x", "", $NF); exit $NF < w }' <<<"$line" || slow=1
done
exit "$slow"
