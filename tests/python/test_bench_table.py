"""The tables of the documents: what is missed is bold, and each document has their place once."""

import json

import pytest

from benches.python import document

FIGURES = {
    "vcrpy": "9.4.2",
    "machine": "2 cores",
    "replay": [
        {"name": "quick", "got": {"stock": 5.0, "cassetter": 2.0, "redis": 1.1}, "goal": {"stock": 2.2, "cassetter": 1}},
        {"name": "slow", "got": {"stock": 1.5, "redis": 1.5}, "goal": {"stock": 2.2}},
    ],
    "yaml": [{"name": "files", "got": {"pyyaml": 15.0, "cassetter": 3.0}, "goal": {"pyyaml": 12, "cassetter": 3.5}}],
    "suites": [{"name": "whole", "got": {"stock": 120.0, "ms": 1.3}, "goal": {"cassetter": 1, "ms": 1.2}}],
    "limits": [{"name": "memory", "got": {"limit": 2.5}, "goal": {"limit": 3}}],
}


def test_what_is_missed_is_bold():
    lines = document.table(FIGURES).splitlines()
    assert "| quick | 5.0 × | ≥ 2.2 × | 2.0 × | ≥ 1 × | 1.10 × |" in lines
    assert "| slow | **1.5 ×** | ≥ 2.2 × | – | – | **1.50 ×** |" in lines
    assert "| files | 15.0 × | ≥ 12 × PyYAML's C loader | **3.0 ×** | ≥ 3.5 × |  |" in lines
    assert "| whole | 120 × | – | – | ≥ 1 × |  |" in lines
    assert "| whole, a test | **1.30 ms** | 1.2 ms |" in lines
    assert "| memory | 2.50 × | 3 × |" in lines


def test_each_document_gets_the_tables_between_its_comments(tmp_path, monkeypatch):
    monkeypatch.setattr(document, "ROOT", tmp_path)
    (tmp_path / "benches").mkdir()
    for name in document.PLACES:
        (tmp_path / name).write_text(f"before\n{document._BEGIN}\noutdated\n{document._END}\nafter\n", "utf-8")
    document.write(FIGURES)
    for name in document.PLACES:
        text = (tmp_path / name).read_text("utf-8")
        assert text.startswith("before\n")
        assert text.endswith("\nafter\n")
        assert document.table(FIGURES) in text
        assert "outdated" not in text


def test_a_document_without_the_place_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(document, "ROOT", tmp_path)
    (tmp_path / "README.md").write_text("nothing\n", "utf-8")
    with pytest.raises(ValueError, match=r"README\.md has 0 places"):
        document.write(FIGURES)


def test_the_documents_say_what_the_figures_say():
    figures = json.loads(document.FIGURES.read_text("utf-8"))
    for name in document.PLACES:
        assert document.table(figures) in (document.ROOT / name).read_text("utf-8"), "run `python -m benches.python.document --write`"
