#!/bin/sh
# Sets up a virtual environment in .venv-test and runs every check: lint, types, import contract, tests.
# A second call sets nothing up again. PYTHON names another interpreter; arguments go to pytest.
set -eu
cd "$(dirname "$0")"

. ./setup.sh
set_up .venv-test "dev,export,openvino,report,tensorrt-rtx,webrtc"

bin="$PWD/.venv-test/bin"
"$bin/ruff" check .
"$bin/ruff" format --check .
"$bin/mypy"
"$bin/lint-imports"
exec "$bin/pytest" -n "${WORKERS:-2}" --dist loadgroup "$@"
