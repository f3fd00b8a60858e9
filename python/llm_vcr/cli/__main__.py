"""``python -m llm_vcr.cli`` is ``llm-vcr``."""

from llm_vcr.cli import main

main(prog_name="llm-vcr")
