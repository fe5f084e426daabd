#!/usr/bin/env bash
# prune_vgg19: 50 % weight pruning of a 574 MB VGG-19 against copying the file with fsync, alternating, medians.
# quantize_vgg19.sh runs it for weights of 8 bits.
#
#   bench/prune_vgg19.sh [LIGHT_VGG19.onnx] [more flags of prune]
#
# The topology (default: onnx_light/light_vgg19.onnx in COMPRESSOR_MODELS or ../shared/models) gets seeded weights
# first. COMMAND and BOUND: what runs, and its bound. Needs the referee's Python (scripts/referee) to make the file. Environment: COMPRESSOR (the program, default
# build/release/bin/compressor), ROUNDS (5), WORK (build/bench, on the disk to be measured).
# Wanted: ratio at most 1.5; peak memory at most 256 MB plus the largest tensor (411 MB).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
light=${COMPRESSOR_MODELS:-$root/../shared/models}/onnx_light/light_vgg19.onnx
if [[ $# -gt 0 && $1 != -* ]]; then
  light=$1
  shift
fi
program=${COMPRESSOR:-$root/build/release/bin/compressor}
python=${COMPRESSOR_REFEREE:-$root/build/referee/bin/python}
command=${COMMAND:-prune --granularity weight --ratio 0.5}
bound=${BOUND:-1.5}
rounds=${ROUNDS:-5}
work=${WORK:-$root/build/bench}
input=$work/vgg19.onnx

for needed in "$light" "$program" "$python" /usr/bin/time; do
  [[ -e $needed ]] || { echo "prune_vgg19: $needed is not there" >&2; exit 1; }
done
mkdir -p "$work"
[[ -e $input ]] || "$python" "$root/scripts/fill_weights.py" "$light" "$input"
cat "$input" >/dev/null  # both sides read from the page cache

# Both start alike, right after an unmeasured copy was made and removed: in a virtual machine, memory that was not used
# for some seconds goes back to the host, and the first to write into it again pays (measured: 5 s instead of 0.9 s for
# the copy alone).
settle() {
  rm -f "$work/pruned.onnx"
  cp --reflink=never "$input" "$work/copy.onnx"
  sync "$work/copy.onnx"
  rm -f "$work/copy.onnx"
  sync -f "$work"
}
microseconds() { echo "${EPOCHREALTIME/./}"; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

copy_times=() prune_times=() peaks=()
for ((i = 0; i < rounds; ++i)); do
  settle
  start=$(microseconds)
  cp --reflink=never "$input" "$work/copy.onnx"
  sync "$work/copy.onnx"
  copy_times+=($(($(microseconds) - start)))

  settle
  start=$(microseconds)
  /usr/bin/time -f %M -o "$work/peak" "$program" $command -q "$input" -o "$work/pruned.onnx" "$@" >/dev/null
  prune_times+=($(($(microseconds) - start)))
  peaks+=("$(tail -n 1 "$work/peak")")
  echo "round $((i + 1)): copy ${copy_times[-1]} us, ${command%% *} ${prune_times[-1]} us, peak ${peaks[-1]} KiB" >&2
done
rm -f "$work/copy.onnx" "$work/pruned.onnx" "$work/peak"

copy=$(printf '%s\n' "${copy_times[@]}" | median)
prune=$(printf '%s\n' "${prune_times[@]}" | median)
peak=$(printf '%s\n' "${peaks[@]}" | sort -n | tail -n 1)
awk -v c="$copy" -v p="$prune" -v m="$peak" -v r="$rounds" -v b="$bound" -v n="${command%% *}" 'BEGIN {
  printf "copy with fsync %.2f s, %s %.2f s, ratio %.2f (at most %.1f); peak memory %.0f MB (medians of %d, largest peak)\n",
         c / 1e6, n, p / 1e6, p / c, b, m * 1024 / 1e6, r
}'
