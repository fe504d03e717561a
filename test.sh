#!/bin/sh
# Every check: lint, types, import contract, tests, in a virtual environment of its own (.venv-test). A second call sets
# nothing up again. PYTHON names another interpreter; arguments go to pytest.
#
#   ./test.sh            everything; takes gigabytes (PyTorch, Ray, OpenVINO, TensorRT for RTX)
#   ./test.sh --fast     lint, types, import contract and unit tests with the base install alone (.venv-fast)
#   ./test.sh -m full    every network and target at full size
set -eu
cd "$(dirname "$0")"

. ./setup.sh

# check BIN PLATFORMS [MYPY'S WORDS]: what Windows and macOS lack is seen by their own types.
check() {
    bin=$1 platforms=$2
    shift 2
    "$bin/ruff" check .
    "$bin/ruff" format --check .
    checks=
    for platform in $platforms; do
        "$bin/mypy" --platform "$platform" --cache-dir ".mypy_cache/$platform" "$@" &
        checks="$checks $!"
    done
    "$bin/lint-imports"
    for one in $checks; do
        wait "$one"
    done
}

if [ "${1:-}" = --fast ]; then
    shift
    set_up .venv-fast dev
    # Without torch and onnx their classes are unknown, and so is what derives from them.
    check "$PWD/.venv-fast/bin" linux --ignore-missing-imports --allow-subclassing-any --allow-untyped-decorators \
        --no-warn-return-any --no-warn-unused-ignores
    exec "$PWD/.venv-fast/bin/pytest" -n "${WORKERS:-2}" --dist loadgroup -m "not slow and not full" tests/unit "$@"
fi

set_up .venv-test "dev,export,cuda,farm,heif,openvino,report,tensorrt-rtx,webrtc" \
    "some minutes, gigabytes: PyTorch, Ray, OpenVINO and TensorRT for RTX"
check "$PWD/.venv-test/bin" "linux win32 darwin"
exec "$PWD/.venv-test/bin/pytest" -n "${WORKERS:-2}" --dist loadgroup "$@"
