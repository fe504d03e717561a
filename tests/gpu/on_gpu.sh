#!/bin/sh
# All that the `cuda` backend has to show on a GPU, in about five minutes:
#     tests/gpu/on_gpu.sh [-o FOLDER]
# Needs an NVIDIA driver, `pip install '.[cuda,dev]'`, PyTorch for the comparison and compute-sanitizer for its checks;
# what is missing is said and left out. A step that fails, or takes longer than its limit, does not stop the rest.
# Writes FOLDER (gpu-report): a log and a JSON file for each step, and table.md, the README's table.
# "rehearsal" as the first word runs small sizes, for the emulated GPU of tests/cuda.
set -u
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-python3} SMALL="" SLOWER=1
[ "${1:-}" = rehearsal ] && { SMALL="--small" SLOWER=5; export EDGE_SR_TEST_SMALL=1; shift; }
[ "${1:-}" = -o ] && { REPORT=$2; shift 2; }
REPORT=${REPORT:-${OUT:-.}/gpu-report}
mkdir -p "$REPORT"
export PYTHONPATH="$PWD:$PWD/tests${PYTHONPATH:+:$PYTHONPATH}" EDGE_SR_CACHE="${EDGE_SR_CACHE:-$REPORT/cache}"
: > "$REPORT/steps.txt"

# step NAME SECONDS COMMAND...
step() {
    name=$1 limit=$(($2 * SLOWER))
    shift 2
    began=$(date +%s)
    timeout -k 5 "$limit" "$@" > "$REPORT/$name.log" 2>&1
    status=$?
    took=$(($(date +%s) - began))
    case $status in 0) said=passed ;; 124 | 137) said="stopped after $limit s" ;; *) said="failed ($status)" ;; esac
    echo "$name: $said, $took s" | tee -a "$REPORT/steps.txt"
}

step device 20 sh -c 'nvidia-smi --query-gpu=name,compute_cap,driver_version,clocks.max.sm --format=csv || true'
step doctor 40 sh -c "$PYTHON -m edge_sr doctor --json > '$REPORT/doctor.json'"
run_tests="$PYTHON -m pytest -q -s -n 0 -p no:cacheprovider tests/gpu/test_kernels.py"
step kernels-own 90 env EDGE_SR_TEST_KERNELS=own $run_tests
# What is compiled here takes its time: the kernels of one network.
for kind in turing ptx; do
    step "kernels-$kind" 60 env EDGE_SR_TEST_KERNELS=$kind $run_tests -k "instruction or nano or 16"
done
step times 60 "$PYTHON" tests/gpu/measure.py times $SMALL -o "$REPORT/times.json"
step pytorch 75 "$PYTHON" tests/gpu/measure.py pytorch $SMALL -o "$REPORT/pytorch.json"
step film 40 "$PYTHON" tests/gpu/measure.py film $SMALL -o "$REPORT/film.json"
step surfaces 60 "$PYTHON" tests/gpu/measure.py surfaces $SMALL -o "$REPORT/surfaces.json"
for model in diinn-edge diinn-nano; do
    size=1280x720
    [ -n "$SMALL" ] && size=48x32
    step "bench-$model" 30 sh -c "$PYTHON -m edge_sr bench $model --backend cuda --input-size $size --scale 2 \
        --json > '$REPORT/bench-$model.json'"
done
for tool in memcheck racecheck synccheck; do
    if command -v compute-sanitizer > /dev/null; then
        step "sanitizer-$tool" 45 compute-sanitizer --tool $tool --error-exitcode 9 --print-limit 5 \
            "$PYTHON" tests/gpu/measure.py once
    else
        echo "sanitizer-$tool: left out, compute-sanitizer is not installed" | tee -a "$REPORT/steps.txt"
    fi
done
step table 20 "$PYTHON" tests/gpu/measure.py table "$REPORT" -o "$REPORT/table.md"
cat "$REPORT/table.md"
! grep -q -e failed -e stopped "$REPORT/steps.txt"
