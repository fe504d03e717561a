#!/bin/sh
# What someone with a Jetson or an RTX card runs, once, in about ten minutes:
#     tests/gpu/first_run.sh tensorrt | tensorrt-rtx
# Needs pytest beside Edge SR. Writes first-run.json, to be attached to an issue. "rehearsal" instead of a flavour
# needs no GPU: ONNX Runtime computes in its place, on a device in memory that checks how it is used.
set -eu
cd "$(dirname "$0")/../.."
exec env PYTHONPATH="$PWD:$PWD/tests${PYTHONPATH:+:$PYTHONPATH}" "${PYTHON:-python3}" tests/gpu/first_run.py "$@"
