"""``python -m llm_vcr.cli`` is ``llm-vcr``."""

from llm_vcr.cli import main

if __name__ == "__main__":
    main(prog_name="llm-vcr")
