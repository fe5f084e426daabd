#!/usr/bin/env bash
# forward: our engine, the bare oneDNN primitives and ONNX Runtime on the same networks, alternating, best of rounds.
#
#   bench/forward.sh [net_batch...]     default: resnet50_1 resnet50_32 mobilenet_1 mobilenet_32
#
# Needs the program bench_forward (cmake -DCOMPRESSOR_BENCH=ON) and the referee's Python (scripts/referee).
# Environment: BENCH_FORWARD (build/release/bin/bench_forward), ROUNDS (5), SECONDS_EACH (1), THREADS (2), WORK
# (build/bench). On a machine that is busy with other work, measure one thread: two that wait for each other show the
# scheduler instead.
# Wanted: at least 0.9 of ONNX Runtime's speed, and at least 80 % of the primitives'.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=${BENCH_FORWARD:-$root/build/release/bin/bench_forward}
python=${COMPRESSOR_REFEREE:-$root/build/referee/bin/python}
rounds=${ROUNDS:-5}
threads=${THREADS:-2}
export OMP_NUM_THREADS=$threads
seconds=${SECONDS_EACH:-1}
work=${WORK:-$root/build/bench}
nets=("$@")
[[ $# -gt 0 ]] || nets=(resnet50_1 resnet50_32 mobilenet_1 mobilenet_32)

for needed in "$program" "$python"; do
  [[ -e $needed ]] || { echo "forward: $needed is not there" >&2; exit 1; }
done
mkdir -p "$work"
COMPRESSOR_BENCH_SAVE=$work "$program"

ours() { # kind net -> milliseconds
  "$program" --benchmark_filter="^$1/$2/" --benchmark_min_time="$seconds" --benchmark_format=csv 2>/dev/null |
    awk -F, '/real_time/ && NF > 3 && $1 != "name" { print $3 }'
}
theirs() { # net -> milliseconds
  "$python" "$root/scripts/referee.py" time "$work/$1.onnx" --rounds "$2" --threads "$threads" |
    awk -F'[:,]' '/"median_ms"/ { print $2 + 0 }'
}
best() { printf '%s\n' "$@" | sort -n | head -n 1; }

for net in "${nets[@]}"; do
  engine=() bare=() runtime=()
  for ((i = 0; i < rounds; ++i)); do
    engine+=("$(ours engine "$net")")
    bare+=("$(ours primitives "$net")")
    runtime+=("$(theirs "$net" "$([[ $net == *_32 ]] && echo 3 || echo 20)")")
  done
  awk -v n="$net" -v e="$(best "${engine[@]}")" -v b="$(best "${bare[@]}")" -v r="$(best "${runtime[@]}")" 'BEGIN {
    printf "%-13s engine %8.2f ms, primitives %8.2f ms (%3.0f %%, wanted 80), ONNX Runtime %8.2f ms (%.2fx, wanted 0.90)\n",
           n, e, b, 100 * b / e, r, r / e
  }'
done
