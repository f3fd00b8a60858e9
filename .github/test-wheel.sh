#!/bin/sh
# Tests the wheel in dist/ in a fresh environment, with nothing of the checkout left that could be imported in its place.
# Usage: .github/test-wheel.sh DIRECTORY-FOR-THE-ENVIRONMENT
set -eu
rm -rf python
python -m venv "$1"
python="$1/bin/python"
[ -e "$python" ] || python="$1/Scripts/python.exe"
"$python" -m pip install --upgrade 'pip>=25.1'
"$python" -m pip install dist/*.whl
"$python" -m pip install --group test
"$python" -c 'import llm_vcr; print(llm_vcr.__file__); assert "site-packages" in llm_vcr.__file__'
"$python" -m pytest -n auto -p no:cacheprovider
