#!/usr/bin/env bash
# train_step: our training step of ResNet-20 and PyTorch's in both of its layouts, alternating, best of rounds.
#
#   bench/train_step.sh
#
# Needs the program bench_train_step (cmake -DCOMPRESSOR_BENCH=ON) and, for the peer, a Python with torch, named by
# COMPRESSOR_TORCH. Environment: BENCH_TRAIN_STEP (build/release/bin/bench_train_step), ROUNDS (3), THREADS (2).
# Wanted: at least 1.1 times as fast as PyTorch with channels last, 1.3 times as its default layout.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=${BENCH_TRAIN_STEP:-$root/build/release/bin/bench_train_step}
rounds=${ROUNDS:-3}
threads=${THREADS:-2}
export OMP_NUM_THREADS=$threads
[[ -x $program ]] || { echo "train_step: $program is not there" >&2; exit 1; }

ours() {
  "$program" --benchmark_filter='^train_step/128/0/' --benchmark_min_time=1 --benchmark_repetitions=3 \
    --benchmark_format=csv 2>/dev/null | awk -F, '$1 ~ /real_time"?$/ { print $3 }' | sort -n | head -n 1
}
best() { printf '%s\n' "$@" | sort -n | head -n 1; }

mine=() last=() plain=()
for ((i = 0; i < rounds; ++i)); do
  mine+=("$(ours)")
  [[ -n ${COMPRESSOR_TORCH:-} ]] || continue
  last+=("$("$COMPRESSOR_TORCH" "$root/bench/train_step_torch.py" channels_last 128 "$threads" 5)")
  plain+=("$("$COMPRESSOR_TORCH" "$root/bench/train_step_torch.py" default 128 "$threads" 5)")
done
ours=$(best "${mine[@]}")
echo "ResNet-20, batch 128, $threads threads: ours $ours ms"
if [[ -z ${COMPRESSOR_TORCH:-} ]]; then
  echo "COMPRESSOR_TORCH names no Python with torch: nothing to compare with"
  exit 0
fi
for peer in "channels-last $(best "${last[@]}")" "default $(best "${plain[@]}")"; do
  awk -v ours="$ours" '{ printf "PyTorch %s %s ms: %.2f times\n", $1, $2, $2 / ours }' <<<"$peer"
done
