#!/usr/bin/env bash
# quantize_vgg19: a 574 MB VGG-19 stored in 8 bits against copying the file with fsync; see prune_vgg19.sh.
# Wanted: ratio at most 1.0; peak memory at most 256 MB plus the largest tensor (411 MB).
set -euo pipefail
COMMAND=${COMMAND:-quantize} BOUND=${BOUND:-1.0} exec "$(dirname "${BASH_SOURCE[0]}")/prune_vgg19.sh" "$@"
