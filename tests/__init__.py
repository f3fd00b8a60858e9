"""Tests of llm_vcr; a package so that `python -m tests.fake_provider` and `from tests.fake_provider import …` work."""
