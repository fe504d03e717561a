#!/usr/bin/env bash
# Trains a network on a GPU that is at hand for minutes only.
#
#     python export/pack_crops.py SPEC PICTURES -o FOLDER/NAME.crops --mb 50     before, where the pictures are
#     export/on_gpu.sh SPEC FOLDER MINUTES [DEVICE]                              there; again to go on
#
# NAME is the spec's. FOLDER then holds the weights, their curve and the run's state, each written whole once a
# minute: a run that is cut off goes on by the same command. DEVICE is cuda, or cpu to try it out. The pace is said
# after ten seconds, so that a bad setting is seen at once.
set -euo pipefail

if [ $# -lt 3 ] || [ $# -gt 4 ]; then sed -n '4,9s/^# \{0,1\}//p' "$0" >&2; exit 2; fi
spec=$1 folder=$2 minutes=$3 device=${4:-cuda}
name=$(basename "$spec" .toml)
root=$(cd "$(dirname "$0")/.." && pwd)
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}

go_on=()
[ ! -f "$folder/$name.resume.pt" ] || go_on=(--resume)
[ "$device" != cuda ] || nvidia-smi --query-gpu=name,memory.total --format=csv,noheader >&2
exec python -m edge_sr train "$spec" --images "$folder/$name.crops" -o "$folder/$name.safetensors" \
    --device "$device" --minutes "$minutes" "${go_on[@]}"
