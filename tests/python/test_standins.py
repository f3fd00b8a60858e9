"""What stands in for PyYAML while vcrpy is imported: nobody notices, and PyYAML is imported when it is needed."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

PRELUDE = """
import importlib, pathlib, sys
from llm_vcr import codec, latecomers, standins
latecomers.import_vcr()
import vcr

def loaded():
    return [name for name in standins.FOR_VCR if name in sys.modules]

CASSETTE = {"version": 1, "interactions": [{
    "request": {"method": "GET", "uri": "http://h/", "body": None, "headers": {}},
    "response": {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": b"\\xff"}},
}]}
"""


def run(code: str, folder: Path, prelude: str = PRELUDE) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", prelude + textwrap.dedent(code)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_vcrpy_is_imported_and_nothing_of_pyyaml(tmp_path: Path) -> None:
    run(
        """
        assert not loaded()
        assert vcr.serializers.yamlserializer is vcr.VCR().serializers["yaml"]
        assert codec.is_yaml(vcr.serializers.yamlserializer)
        from vcr.serializers import yamlserializer
        assert yamlserializer is vcr.serializers.yamlserializer
        assert not loaded()
        import vcr.serializers.yamlserializer
        assert loaded() == [*standins.FOR_VCR] and codec.is_yaml(vcr.serializers.yamlserializer)
        assert vcr.serializers.yamlserializer is sys.modules["vcr.serializers.yamlserializer"]
        assert yamlserializer.deserialize is vcr.serializers.yamlserializer.deserialize
        assert not codec.is_yaml(vcr.VCR().serializers["json"])
        """,
        tmp_path,
    )


def test_it_does_for_vcrpy_what_it_stands_for(tmp_path: Path) -> None:
    run(
        """
        from vcr.persisters.filesystem import CassetteDecodeError, FilesystemPersister
        serializer = vcr.VCR().serializers["yaml"]
        text = serializer.serialize(CASSETTE)
        assert loaded() == [*standins.FOR_VCR]
        assert serializer.deserialize(text) == CASSETTE
        pathlib.Path("a.yaml").write_text(text, "utf-8")
        (request,), (response,) = FilesystemPersister.load_cassette("a.yaml", serializer)
        assert response["body"]["string"] == b"\\xff"
        import yaml
        try:
            vcr.serialize.deserialize("- !!python/object:os.system {}", serializer)
        except ValueError as error:
            assert isinstance(error.__cause__, yaml.constructor.ConstructorError)
        else:
            raise AssertionError
        # Whoever replaces something in the module has it replaced for vcrpy.
        importlib.import_module("vcr.serializers.yamlserializer").deserialize = lambda text: {"interactions": []}
        assert vcr.VCR().serializers["yaml"].deserialize("") == serializer.deserialize("") == {"interactions": []}
        """,
        tmp_path,
    )


def test_who_imports_pyyaml_meanwhile_has_the_real_one(tmp_path: Path) -> None:
    run(
        """
        latecomers.import_vcr()
        import yaml
        assert got and got[0] is yaml.constructor.SafeConstructor and got[1] is sys.modules["yaml.constructor"] is got[2].constructor
        assert got[2].SafeLoader is yaml.SafeLoader
        """,
        tmp_path,
        """
import sys
from llm_vcr import latecomers

got = []

class Meanwhile:
    def find_spec(self, name, path=None, target=None):
        if name == "vcr.record_mode":
            import yaml.constructor
            got.extend([yaml.constructor.SafeConstructor, sys.modules["yaml.constructor"], yaml])

sys.meta_path.insert(0, Meanwhile())
""",
    )


def test_pyyaml_that_is_there_stays(tmp_path: Path) -> None:
    run(
        """
        assert vars(vcr.serialize)["yaml"] is yaml is sys.modules["yaml"]
        """,
        tmp_path,
        f"import yaml\n{PRELUDE}",
    )
