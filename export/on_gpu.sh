#!/usr/bin/env bash
# Trains a network on a GPU that is at hand for minutes only.
#
#     python export/pack_pictures.py SPEC PICTURES -o FOLDER/pictures            before, where the pictures are
#     export/on_gpu.sh SPEC FOLDER MINUTES [DEVICE]                              there; again to go on
#
# In their place FOLDER may hold packed crops (pack_crops.py), FOLDER/NAME.crops. NAME is the spec's. FOLDER then
# holds the weights, their curve and the run's state, each written whole once a minute: a run that is cut off goes on
# by the same command. DEVICE is cuda, or cpu to try it out. The pace is said after ten seconds, so that a bad setting
# is seen at once.
set -euo pipefail

if [ $# -lt 3 ] || [ $# -gt 4 ]; then sed -n '4,10s/^# \{0,1\}//p' "$0" >&2; exit 2; fi
spec=$1 folder=$2 minutes=$3 device=${4:-cuda}
name=$(basename "$spec" .toml)
root=$(cd "$(dirname "$0")/.." && pwd)
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}

images=$folder/$name.crops
[ -f "$images" ] || images=$folder/pictures
go_on=()
[ ! -f "$folder/$name.resume.pt" ] || go_on=(--resume)
[ "$device" != cuda ] || nvidia-smi --query-gpu=name,memory.total --format=csv,noheader >&2
exec python -m edge_sr train "$spec" --images "$images" -o "$folder/$name.safetensors" \
    --device "$device" --minutes "$minutes" "${go_on[@]}"
