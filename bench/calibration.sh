#!/usr/bin/env bash
# calibration: `compressor quantize --mode static --data` beside ONNX Runtime's histogram calibration, on the same samples.
#
#   bench/calibration.sh [MODEL[=CxHxW]...]     default: models/resnet8_fashion.onnx, and of ../shared what is there
#
# Ours is the whole command, from start to the file written; theirs is the calibrator alone (its session, its runs, its
# ranges), without Python's start. Memory is each process's peak. CIFAR networks get CIFAR's images where
# ../shared/data/cifar10 is there, all others seeded random numbers; =CxHxW sets the size of the model's input.
# Needs the program and the referee's Python (scripts/referee). Environment: COMPRESSOR (build/release/bin/compressor),
# COMPRESSOR_REFEREE (build/referee/bin/python), SAMPLES ("50 200"), OBSERVERS ("percentile entropy"), THREADS (2), WORK (build/bench).
# Wanted: at least 3x as fast, and under 400 MB at any number of samples.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=${COMPRESSOR:-$root/build/release/bin/compressor}
python=${COMPRESSOR_REFEREE:-$root/build/referee/bin/python}
threads=${THREADS:-2}
work=${WORK:-$root/build/bench}
models=("$@")
if [[ $# -eq 0 ]]; then
  models=("$root/models/resnet8_fashion.onnx")
  for name in cifar10_resnet20 imagenet_squeezenet_v1.1; do
    [[ -e $root/../shared/models/$name.onnx ]] && models+=("$root/../shared/models/$name.onnx")
  done
fi
for needed in "$program" "$python" /usr/bin/time; do
  [[ -e $needed ]] || { echo "calibration: $needed is not there" >&2; exit 1; }
done
mkdir -p "$work"
export OMP_NUM_THREADS=$threads

printf '%-28s %-10s %7s %9s %7s %9s %7s %8s\n' model observer samples 'ours s' 'MB' 'theirs s' 'MB' 'speedup'
missed=0
for entry in "${models[@]}"; do
  name=$(basename "${entry%%=*}" .onnx)
  for samples in ${SAMPLES:-50 200}; do
    "$python" "$root/bench/calibration.py" prepare "$entry" "$samples" "$root/../shared/data/cifar10" "$work/$name"
    for observer in ${OBSERVERS:-percentile entropy}; do
      /usr/bin/time -f '%e %M' -o "$work/ours.txt" "$program" quantize --mode static --observer "$observer" -q \
        --data "$work/$name.npz" --samples "$samples" -j "$threads" --force -o "$work/$name.int8.onnx" "$work/$name.onnx" >/dev/null
      /usr/bin/time -f '%M' -o "$work/theirs.txt" "$python" "$root/bench/calibration.py" calibrate "$work/$name.onnx" \
        "$work/$name.npz" "$observer" "$threads" >"$work/seconds.txt"
      read -r seconds memory <"$work/ours.txt"
      awk -v n="$name" -v o="$observer" -v k="$samples" -v a="$seconds" -v m="$memory" -v b="$(tail -n 1 "$work/seconds.txt")" \
        -v p="$(tail -n 1 "$work/theirs.txt")" 'BEGIN {
          good = b / a >= 3 && m / 1024 < 400
          printf "%-28s %-10s %7d %9.2f %7.0f %9.2f %7.0f %7.1fx%s\n", n, o, k, a, m / 1024, b, p / 1024, b / a, good ? "" : "  MISSED"
          exit !good
        }' || missed=1
    done
  done
done
exit $missed
