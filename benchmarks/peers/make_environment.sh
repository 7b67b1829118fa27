#!/usr/bin/env bash
# Makes build/peers/.venv: what benchmarks/prediction_against_peers.py compares leanseg with, and what leanseg's own
# networks need there to be run by torch. Nothing of it gets into leanseg's environment. Called again, it does nothing
# unless a file beside it has changed.
#
#     benchmarks/peers/make_environment.sh [PYTHON]
#
# nnU-Net names timm (through dynamic-network-architectures), which brings torchvision, which brings another torch. Both
# are used by networks that nobody asks for here, so those packages come alone and what they really need comes from
# requirements.txt. Every version is in constraints.txt.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
environment=$root/build/peers/.venv
python=$environment/bin/python
made=$environment/.made
state=$(cat "$here"/make_environment.sh "$here"/*.txt "$root/constraints.txt" | sha256sum | cut -d' ' -f1)

if [ -f "$made" ] && [ "$(cat "$made")" = "$state" ]; then
    exit 0
fi
rm -f "$made"
test -x "$python" || "${1:-python3.11}" -m venv "$environment"
install=("$python" -m pip install --quiet --disable-pip-version-check -c "$here/constraints.txt" -c "$root/constraints.txt")
"${install[@]}" torch
"${install[@]}" -r "$here/requirements.txt"
"${install[@]}" --no-deps -r "$here/requirements_alone.txt"
if "$python" -m pip show --quiet torchvision timm 2>/dev/null; then
    echo 'torchvision or timm got in' >&2
    exit 1
fi
"$python" -c 'from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor' >/dev/null
echo "$state" > "$made"
