#!/bin/sh
# Sets up a virtual environment in .venv and upscales the sample film to 2.5 times its size.
# A second call sets nothing up again. PYTHON names another interpreter.
set -eu
cd "$(dirname "$0")"

film=tests/samples/bunny.mp4
[ -f "$film" ] || {
    echo "$film is missing: take a clone or the whole source archive, or upscale a film of yours" >&2
    exit 4
}

. ./setup.sh
set_up .venv ""

exec .venv/bin/edge-sr upscale "$film" -o bunny-upscaled.mp4 --scale 2.5 --overwrite "$@"
