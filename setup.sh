# Sourced by demo.sh and test.sh: set_up FOLDER EXTRAS installs the project with the pinned versions of
# constraints.txt, unless FOLDER already holds exactly these sources.

sources_hash() {
    { git rev-parse HEAD; git diff HEAD; git ls-files --others --exclude-standard -z | xargs -0 cat; } 2>/dev/null |
        git hash-object --stdin
}

set_up() {
    folder=$1 extras=$2
    wanted="$(sources_hash) $extras"
    [ "$(cat "$folder/installed" 2>/dev/null || true)" = "$wanted" ] && return
    [ -x "$folder/bin/python" ] || "${PYTHON:-python3}" -m venv "$folder"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
        --constraint constraints.txt ".${extras:+[$extras]}" >&2
    echo "$wanted" > "$folder/installed"
}
