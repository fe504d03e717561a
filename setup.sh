# Sourced by demo.sh and test.sh: set_up FOLDER EXTRAS [WHAT IT TAKES] installs the project with the pinned versions of
# constraints.txt, unless FOLDER already holds exactly these sources.

# What the wheel is made of: a film or a page in the clone is none of it.
sources="edge_sr native cuda/kernels engines/targets calibration/recipes export/models pyproject.toml constraints.txt"

# shellcheck disable=SC2086 # several words on purpose
sources_hash() {
    find $sources -type f ! -path '*/__pycache__/*' ! -name '*.so' | LC_ALL=C sort | tr '\n' '\0' | xargs -0 cksum | cksum
}

set_up() {
    folder=$1 extras=$2
    wanted="$(sources_hash) $extras"
    [ "$(cat "$folder/installed" 2>/dev/null || true)" = "$wanted" ] && return
    echo "Setting up $folder: ${3:-a minute or two, about 350 MB} ..." >&2
    [ -x "$folder/bin/python" ] || "${PYTHON:-python3}" -m venv "$folder"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
        --constraint constraints.txt ".${extras:+[$extras]}" >&2
    echo "$wanted" > "$folder/installed"
}
