#!/bin/sh
# All that the `cuda` backend has to show on a GPU, in about three minutes, and in four at the most:
#     tests/gpu/on_gpu.sh [-o FOLDER]
# Needs an NVIDIA driver, `pip install '.[cuda,dev]'`, PyTorch for the comparison and compute-sanitizer for its checks;
# what is missing is said and left out. A step that fails, or takes longer than its limit, does not stop the rest.
# Checks, and what is only prepared, run beside one another; what is timed runs alone, after them.
# Writes FOLDER (gpu-report): a log and a JSON file for each step, and table.md, the README's table.
# "rehearsal" as the first word runs small sizes, for the emulated GPU of tests/cuda.
set -u
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-python3} SMALL="" SLOWER=1
[ "${1:-}" = rehearsal ] && { SMALL="--small" SLOWER=8; export EDGE_SR_TEST_SMALL=1; shift; }
[ "${1:-}" = -o ] && { REPORT=$2; shift 2; }
REPORT=${REPORT:-${OUT:-.}/gpu-report}
mkdir -p "$REPORT/cache"
REPORT=$(cd "$REPORT" && pwd)
export PYTHONPATH="$PWD:$PWD/tests${PYTHONPATH:+:$PYTHONPATH}" EDGE_SR_CACHE="${EDGE_SR_CACHE:-$REPORT/cache}"
# Compiled networks: made beside the checks, found again when they are timed.
export TORCHINDUCTOR_CACHE_DIR="$REPORT/cache/inductor"
: > "$REPORT/steps.txt"
ENDS=$(($(date +%s) + 225 * SLOWER))

say() { echo "$1" | tee -a "$REPORT/steps.txt"; }

# step NAME SECONDS COMMAND...
step() {
    name=$1 limit=$(($2 * SLOWER)) began=$(date +%s)
    shift 2
    [ "$limit" -le $((ENDS - began)) ] || limit=$((ENDS - began))
    [ "$limit" -gt 0 ] || { say "$name: stopped before it began, no time is left"; return; }
    timeout -k 5 "$limit" "$@" > "$REPORT/$name.log" 2>&1
    status=$?
    took=$(($(date +%s) - began))
    case $status in 0) said=passed ;; 124 | 137) said="stopped after $limit s" ;; *) said="failed ($status)" ;; esac
    say "$name: $said, $took s"
}

# check NAME SECONDS COMMAND...: a step beside others. What it measures on a busy GPU, it keeps for itself.
check() {
    (export EDGE_SR_CACHE="$REPORT/cache/checks" OPENBLAS_NUM_THREADS=2; step "$@") &
}

step device 20 sh -c 'nvidia-smi --query-gpu=name,compute_cap,driver_version,clocks.max.sm --format=csv || true'

check doctor 40 sh -c "$PYTHON -m edge_sr doctor --json > '$REPORT/doctor.json'"
run_tests="$PYTHON -m pytest -q -s -n 0 -p no:cacheprovider tests/gpu/test_kernels.py"
check kernels-own 90 env EDGE_SR_TEST_KERNELS=own $run_tests
# What is compiled here takes its time: the kernels of one network.
for kind in turing ptx; do
    check "kernels-$kind" 90 env EDGE_SR_TEST_KERNELS=$kind $run_tests -k "instruction or nano or 16"
done
for tool in memcheck racecheck synccheck; do
    # A driver's answer that it lacks a function of a later one is no error.
    quiet=""
    [ $tool = memcheck ] && quiet="--report-api-errors no"
    if command -v compute-sanitizer > /dev/null; then
        check "sanitizer-$tool" 90 compute-sanitizer --tool $tool $quiet --error-exitcode 9 --print-limit 5 \
            "$PYTHON" tests/gpu/measure.py once
    else
        say "sanitizer-$tool: left out, compute-sanitizer is not installed"
    fi
done
check source 60 "$PYTHON" tests/gpu/measure.py source $SMALL -o "$REPORT/cache/film.mp4"
check pytorch-compile 90 "$PYTHON" tests/gpu/measure.py pytorch $SMALL --rounds 1 -o "$REPORT/cache/pytorch.json"
wait
# Which of several ways is the fastest was not found out by a GPU at rest.
[ -d "$TORCHINDUCTOR_CACHE_DIR" ] && find "$TORCHINDUCTOR_CACHE_DIR" -name '*.best_config' -delete

step times 45 "$PYTHON" tests/gpu/measure.py times $SMALL -o "$REPORT/times.json"
source="$REPORT/cache/film.mp4"
step film 35 "$PYTHON" tests/gpu/measure.py film $SMALL --source "$source" -o "$REPORT/film.json"
step pytorch 60 "$PYTHON" tests/gpu/measure.py pytorch $SMALL -o "$REPORT/pytorch.json"
step surfaces 40 "$PYTHON" tests/gpu/measure.py surfaces $SMALL --source "$source" -o "$REPORT/surfaces.json"
for model in diinn-edge diinn-nano; do
    size=1280x720
    [ -n "$SMALL" ] && size=48x32
    step "bench-$model" 25 sh -c "$PYTHON -m edge_sr bench $model --backend cuda --input-size $size --scale 2 \
        --json > '$REPORT/bench-$model.json'"
done

ENDS=$((ENDS + 10))
step table 10 "$PYTHON" tests/gpu/measure.py table "$REPORT" -o "$REPORT/table.md"
cat "$REPORT/table.md"
! grep -q -e failed -e stopped "$REPORT/steps.txt"
