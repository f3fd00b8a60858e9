"""Clients that are imported after vcrpy: whenever, wherever and however that happens, an open cassette has them.

Each test is a script in an interpreter of its own, as here everything has been imported.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.fake_provider import FakeProvider

PRELUDE = '''
import asyncio, importlib, importlib.util, sys, threading, types
from unittest import mock
from llm_vcr import latecomers
latecomers.import_vcr()
import llm_vcr, vcr.patch

URL, FOLDER = sys.argv[1:]
KEY = {"authorization": "Bearer k"}
VCR = llm_vcr.VCR()


def use(name="a", **options):
    return VCR.use_cassette(f"{FOLDER}/{name}.yaml", **options)


def by_aiohttp(query=""):
    import aiohttp
    async def call():
        async with aiohttp.ClientSession(headers=KEY) as session, session.post(f"{URL}?{query}", json={"a": 1}) as answer:
            return await answer.text()
    return asyncio.run(call())


def by_httpx(query="", library="httpx"):
    with importlib.import_module(library).Client(headers=KEY, verify=False) as client:
        return client.post(f"{URL}?{query}", json={"a": 1}).text


def by_httpx2(query=""):
    return by_httpx(query, "httpx2")


def by_async_httpx(query=""):
    async def call():
        import httpx
        async with httpx.AsyncClient(headers=KEY, verify=False) as client:
            return (await client.post(f"{URL}?{query}", json={"a": 1})).text
    return asyncio.run(call())


def by_requests(query=""):
    import requests
    return requests.post(f"{URL}?{query}", json={"a": 1}, headers=KEY, timeout=20).text


def by_tornado(query=""):
    from tornado.httpclient import AsyncHTTPClient
    async def call():
        answer = await AsyncHTTPClient(force_instance=True).fetch(f"{URL}?{query}", method="POST", headers=KEY, body='{"a": 1}')
        return answer.body.decode()
    return asyncio.run(call())


def patched():
    """What stands in the clients that have been imported, and what vcr.patch says is their own."""
    places = {
        "aiohttp": ("ClientSession", "_request", "_AiohttpClientSessionRequest"),
        "httpx": ("HTTPTransport", "handle_request", "_HttpxHttpTransport_handle_request"),
        "httpx2": ("HTTPTransport", "handle_request", "_Httpx2HttpTransport_handle_request"),
        "tornado.simple_httpclient": ("SimpleAsyncHTTPClient", "fetch_impl", "_SimpleAsyncHTTPClient_fetch_impl"),
    }
    return {
        module: getattr(getattr(sys.modules[module], owner), name) is not getattr(vcr.patch, kept)
        for module, (owner, name, kept) in places.items() if module in sys.modules
    }
'''
CLIENTS = ("aiohttp", "httpx", "async_httpx", "httpx2", "requests", "tornado")


def run(script: str, url: str, folder: Path, prelude: str = PRELUDE) -> str:
    """What the script prints."""
    command = [sys.executable, "-W", "error", "-c", prelude + textwrap.dedent(script), url, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def url(provider: FakeProvider) -> str:
    return f"{provider.url}/plain/echo"


def test_vcrpy_comes_without_the_clients_that_nobody_has_imported(url: str, tmp_path: Path) -> None:
    run(
        """
        with use():
            pass
        assert not [name for name in latecomers.CLIENTS.values() if name in sys.modules]
        assert latecomers.awaited() == set(latecomers.CLIENTS)
        assert "urllib3" in sys.modules
        """,
        url,
        tmp_path,
    )


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_that_comes_inside_a_cassette_records_and_replays(client: str, url: str, provider: FakeProvider, tmp_path: Path) -> None:
    script = f"""
        with use("inside", record_mode=MODE) as cassette:
            print(by_{client}())
        assert len(cassette) == cassette.play_count + (MODE == "once") * 1 == 1, cassette
        with use("next", record_mode=MODE) as cassette:
            print(by_{client}("again"))
        assert len(cassette) == 1
        assert not any(patched().values())
    """
    told = run(f"MODE = 'once'\n{textwrap.dedent(script)}", url, tmp_path)
    assert provider.count == 2
    provider.stop()
    assert run(f"MODE = 'none'\n{textwrap.dedent(script)}", url, tmp_path) == told


@pytest.mark.parametrize("client", CLIENTS)
def test_of_several_open_cassettes_the_innermost_has_it_first(client: str, url: str, provider: FakeProvider, tmp_path: Path) -> None:
    run(
        f"""
        with use("outermost") as outermost, use("outer") as outer:
            with use("inner") as inner:
                by_{client}("inner")
                assert (len(outermost), len(outer), len(inner)) == (0, 0, 1)
            with use("another") as another:
                by_{client}("another")
            by_{client}("outer")
            assert (len(outermost), len(outer), len(inner), len(another)) == (0, 1, 1, 1)
        assert not any(patched().values())
        by_{client}("live")
        """,
        url,
        tmp_path,
    )
    assert provider.count == 4


@pytest.mark.parametrize("client", CLIENTS)
def test_vcrpy_knows_all_that_it_would_have_known(client: str, url: str, tmp_path: Path) -> None:
    told = """
        own = lambda one: f"{getattr(one, '__module__', '')}.{getattr(one, '__qualname__', getattr(one, '__name__', ''))}"
        print(sorted((name, own(one)) for name, one in vars(vcr.patch).items() if not name.startswith("__")))
    """
    asked = "".join(f"\nby_{one}()" for one in (client, *CLIENTS))
    late = run(f"with use():{textwrap.indent(asked, '    ')}\n{textwrap.dedent(told)}", url, tmp_path)
    assert late == run(told, url, tmp_path, "import vcr.patch\n")


def test_whatever_asks_vcrpy_for_a_name_gets_it(url: str, tmp_path: Path) -> None:
    run(
        """
        with use():
            from vcr.patch import _AiohttpClientSessionRequest
            import aiohttp
            assert _AiohttpClientSessionRequest.__qualname__ == "ClientSession._request"
            assert patched() == {"aiohttp": True}
        with mock.patch("vcr.patch.httpx2", None):
            import httpx2
        assert vcr.patch.httpx2 is httpx2
        assert not hasattr(vcr.patch, "_nothing_of_the_kind")
        assert "tornado" not in sys.modules
        """,
        url,
        tmp_path,
    )


def test_stubs_may_be_imported_before_their_client(url: str, provider: FakeProvider, tmp_path: Path) -> None:
    run(
        """
        with use() as cassette:
            from vcr.stubs.aiohttp_stubs import MockClientResponse
            from vcr.stubs import aiohttp_stubs
            assert aiohttp_stubs is sys.modules["vcr.stubs.aiohttp_stubs"]
            assert type(aiohttp_stubs.__loader__) is type(aiohttp_stubs.__spec__.loader) is type(vcr.patch.__loader__)
            assert aiohttp_stubs.Request is not vcr.Request
            by_aiohttp()
            assert len(cassette) == 1
        assert aiohttp_stubs.Request is vcr.Request
        """,
        url,
        tmp_path,
    )
    assert provider.count == 1


def test_a_thread_that_imports_a_client_has_it_patched_at_once(url: str, provider: FakeProvider, tmp_path: Path) -> None:
    run(
        """
        calls = [by_aiohttp, by_httpx, by_httpx2, by_requests, by_tornado]
        start = threading.Barrier(4 * len(calls))

        def work(call, number):
            start.wait(60)
            call(f"{call.__name__}{number}")

        with use() as cassette:
            threads = [threading.Thread(target=work, args=[call, number]) for call in calls for number in range(4)]
            for one in threads:
                one.start()
            for one in threads:
                one.join(60)
            assert len(cassette) == 4 * len(calls), len(cassette)
        assert not any(patched().values())
        """,
        url,
        tmp_path,
    )
    assert provider.count == 20


def test_clients_that_come_while_cassettes_open_and_close_are_never_unpatched(url: str, provider: FakeProvider, tmp_path: Path) -> None:
    run(
        """
        over = threading.Event()
        seen = []

        def others():
            # Opened and closed inside of the one that is open all the time.
            number = 0
            while not over.is_set():
                with use(f"other{number}"):
                    seen.append(patched())
                number += 1

        with use() as cassette:
            thread = threading.Thread(target=others)
            thread.start()
            for name in ("httpx2", "tornado.simple_httpclient", "aiohttp", "httpx"):
                importlib.import_module(name)
                assert patched()[name]
            over.set()
            thread.join(60)
            assert not thread.is_alive()
            assert all(patched().values())
        assert not any(patched().values())
        """,
        url,
        tmp_path,
    )


def test_it_may_be_imported_by_a_coroutine(url: str, provider: FakeProvider, tmp_path: Path) -> None:
    run(
        """
        @VCR.use_cassette(f"{FOLDER}/async.yaml", inject_cassette=True)
        async def main(cassette):
            async def one(number):
                import aiohttp
                async with aiohttp.ClientSession(headers=KEY) as session, session.get(f"{URL}?{number}") as answer:
                    return await answer.text()
            with use() as inner:
                await asyncio.gather(*map(one, range(3)))
            await one("outer")
            assert (len(inner), len(cassette)) == (3, 1)
        asyncio.run(main())
        """,
        url,
        tmp_path,
    )
    assert provider.count == 4


def test_to_look_for_a_client_is_not_to_import_it(url: str, tmp_path: Path) -> None:
    run(
        """
        with use():
            for name in ("aiohttp", "httpx", "httpx2", "requests", "tornado.simple_httpclient"):
                spec = importlib.util.find_spec(name)
                assert name not in sys.modules and latecomers.is_awaited(name.partition(".")[0])
                assert spec.origin.endswith(".py") and "import" in spec.loader.get_source(name)
                module = importlib.import_module(name)
                # As everybody else's: resources, sources and reloads are found by it.
                assert type(module.__loader__) is type(module.__spec__.loader) is type(vcr.patch.__loader__)
                assert module.__spec__.origin == spec.origin
        assert importlib.util.find_spec("no_such_client") is None
        """,
        url,
        tmp_path,
    )


def test_a_client_that_cannot_be_imported_says_so_itself_and_may_be_tried_again(url: str, tmp_path: Path) -> None:
    run(
        """
        import os
        broken = f"{FOLDER}/broken/httpx2"
        os.makedirs(broken)
        with open(f"{broken}/__init__.py", "w") as file:
            file.write("raise ImportError('not today')")
        sys.path.insert(0, f"{FOLDER}/broken")
        with use():
            for _ in range(2):
                try:
                    import httpx2
                except ImportError as error:
                    assert str(error) == "not today"
                else:
                    raise AssertionError
                assert latecomers.is_awaited("httpx2")
            sys.path.pop(0)
            importlib.invalidate_caches()
            sys.modules["httpx2._models"] = None
            try:
                import httpx2
            except ImportError as error:
                assert "httpx2._models" in str(error)
            else:
                raise AssertionError
            del sys.modules["httpx2._models"]
            # What it has imported of its own before it failed is still there.
            assert [one for one in sys.modules if one.startswith("httpx2.")]
            import httpx2
            assert patched() == {"httpx2": True}
        assert patched() == {"httpx2": False}
        """,
        url,
        tmp_path,
    )


def test_copies_that_come_and_go_are_patched_each(url: str, provider: FakeProvider, tmp_path: Path) -> None:
    run(
        """
        with use() as cassette:
            with mock.patch.dict(sys.modules):
                import aiohttp
                first = aiohttp
                by_aiohttp("first")
            assert "aiohttp" not in sys.modules and latecomers.is_awaited("aiohttp")
            with use("without"):
                pass
            by_aiohttp("second")
            assert sys.modules["aiohttp"] is not first
            assert patched() == {"aiohttp": True}
            # Only the package is thrown away: its classes are those that are patched already.
            del sys.modules["aiohttp"]
            by_aiohttp("third")
            assert sys.modules["aiohttp"].ClientSession._request is sys.modules["aiohttp.client"].ClientSession._request
            importlib.reload(sys.modules["aiohttp"])
            by_aiohttp("reloaded")
            with use("inner") as inner:
                by_aiohttp("inner")
            assert (len(cassette), len(inner)) == (4, 1)
        assert patched() == {"aiohttp": False}
        assert first.ClientSession._request.__module__ == "aiohttp.client"
        with use("after") as after:
            by_aiohttp("after")
        assert len(after) == 1
        """,
        url,
        tmp_path,
    )
    assert provider.count == 6


def test_what_stands_in_for_a_client_is_none(url: str, provider: FakeProvider, tmp_path: Path) -> None:
    run(
        """
        for fake in (None, types.ModuleType("aiohttp"), mock.MagicMock()):
            with mock.patch.dict(sys.modules, {"aiohttp": fake}), use():
                pass
        with use():
            with mock.patch.dict(sys.modules, {"aiohttp": None}):
                try:
                    by_aiohttp()
                except ImportError:
                    pass
        with use() as cassette:
            by_aiohttp()
            assert len(cassette) == 1
        """,
        url,
        tmp_path,
    )
    assert provider.count == 1


def test_a_lazy_module_is_patched_when_it_is_loaded(url: str, tmp_path: Path) -> None:
    run(
        """
        def lazily(name):
            spec = importlib.util.find_spec(name)
            spec.loader = importlib.util.LazyLoader(spec.loader)
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            spec.loader.exec_module(module)
            return module

        with use():
            module = lazily("httpx2")
            assert module.HTTPTransport.handle_request is not vcr.patch._Httpx2HttpTransport_handle_request
            assert patched() == {"httpx2": True}
        assert patched() == {"httpx2": False}
        """,
        url,
        tmp_path,
    )


def test_a_stock_cassette_has_every_client_as_ever(url: str, provider: FakeProvider, tmp_path: Path) -> None:
    run(
        """
        with use("ours") as ours:
            with vcr.use_cassette(f"{FOLDER}/stock.yaml") as stock:
                assert not latecomers.awaited() - {"requests"}
                for call in (by_aiohttp, by_httpx, by_httpx2, by_requests, by_tornado):
                    call()
                assert (len(stock), len(ours)) == (5, 0)
            assert all(patched().values())
            by_aiohttp("ours")
            assert len(ours) == 1
        assert not any(patched().values())
        with vcr.use_cassette(f"{FOLDER}/alone.yaml") as stock:
            by_aiohttp()
            assert len(stock) == 1
        """,
        url,
        tmp_path,
    )
    assert provider.count == 7


def test_what_a_user_skips_is_not_patched(url: str, provider: FakeProvider, tmp_path: Path) -> None:
    run(
        """
        with use(skip_patchers=["httpx2", "aiohttp"]) as cassette:
            by_httpx2()
            by_aiohttp()
            by_httpx()
            assert patched() == {"httpx2": False, "aiohttp": False, "httpx": True}
            assert len(cassette) == 1
        """,
        url,
        tmp_path,
    )
    assert provider.count == 3


def test_a_set_of_patches_is_built_once_again_when_a_client_has_come(url: str, tmp_path: Path) -> None:
    run(
        """
        import gc
        seen = []
        for number in range(9):
            gc.collect()
            with use(str(number)):
                if number == 3:
                    import httpx2
                if number > 3:
                    assert patched() == {"httpx2": True}
                seen.append(id(vcr.patch.httplib.HTTPConnection))
        assert len({*seen[1:4]}) == len({*seen[5:]}) == 1
        """,
        url,
        tmp_path,
    )


def test_a_client_keeps_nothing_of_the_cassette_in_which_it_came(url: str, tmp_path: Path) -> None:
    run(
        """
        import inspect
        from vcr.stubs import VCRConnection
        with use():
            before = {*map(id, sys.modules.values())}
            for name in latecomers.CLIENTS.values():
                importlib.import_module(name)
            new = [name for name, one in sys.modules.items() if id(one) not in before]  # requests has names of its own for urllib3
            is_of_vcr = lambda one: inspect.isclass(one) and issubclass(one, VCRConnection)
            kept = [
                (name, attribute)
                for name in new if not name.startswith(("vcr.", "llm_vcr."))
                for attribute, one in [*vars(sys.modules[name]).items()]
                if is_of_vcr(one) or (inspect.isclass(one) and any(map(is_of_vcr, vars(one).values())))
            ]
            assert len(new) > 200 and not kept, kept
        """,
        url,
        tmp_path,
    )


def test_other_finders_before_and_behind_are_asked(url: str, tmp_path: Path) -> None:
    run(
        """
        asked = []

        class Polite:
            # As wrapt's: it asks all others, and wraps what they find.
            busy = False

            def find_spec(self, name, path=None, target=None):
                if self.busy or name != "httpx2":
                    return None
                Polite.busy = True
                try:
                    spec = importlib.util.find_spec(name)
                finally:
                    Polite.busy = False
                inner = spec.loader

                class Loader:
                    def __getattr__(self, attribute):
                        return getattr(inner, attribute)

                    def exec_module(self, module):
                        inner.exec_module(module)
                        asked.append(name)

                spec.loader = Loader()
                return spec

        for place in (0, 1):
            sys.meta_path.insert(place, Polite())
            with use():
                with mock.patch.dict(sys.modules):
                    import httpx2
                    assert patched() == {"httpx2": True}
            assert sys.meta_path[0].__class__.__module__ == "llm_vcr.latecomers"
        assert asked and {*asked} == {"httpx2"}
        """,
        url,
        tmp_path,
    )


def test_a_copy_that_somebody_makes_for_themselves_is_theirs(url: str, tmp_path: Path) -> None:
    run(
        """
        import copy
        with use():
            for name in ("tornado.simple_httpclient", "httpx2"):
                spec = copy.copy(importlib.util.find_spec(name))
                private = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(private)
                importlib.import_module(name)
                assert patched()[name]
        assert not any(patched().values())
        """,
        url,
        tmp_path,
    )


def test_a_client_is_there_while_the_import_system_puts_it_in_its_place(url: str, tmp_path: Path) -> None:
    run(
        """
        told = []

        def look(client):
            # It is taken out of the modules and put there again after this, before anybody else can import it.
            module = sys.modules.pop("httpx2")
            told.append(latecomers.is_awaited("httpx2"))
            sys.modules["httpx2"] = module

        end = latecomers.on_arrival(latecomers.Step.TRY, look)
        import httpx2
        end()
        assert told == [False]
        with mock.patch.dict(sys.modules):
            del sys.modules["httpx2"]
            assert latecomers.is_awaited("httpx2")
        """,
        url,
        tmp_path,
    )


def test_vcrpy_that_cannot_be_imported_leaves_nothing_behind(url: str, tmp_path: Path) -> None:
    run(
        """
        import sys
        from llm_vcr import latecomers
        before = [*sys.meta_path]
        sys.modules["vcr.matchers"] = None
        for _ in range(2):
            try:
                latecomers.import_vcr()
            except ImportError as error:
                assert "vcr" in str(error)
            else:
                raise AssertionError
            assert sys.meta_path == before and not latecomers.awaited()
            sys.modules.pop("vcr.patch", None)
        del sys.modules["vcr.matchers"]
        latecomers.import_vcr()
        assert latecomers.awaited() == {*latecomers.CLIENTS}
        """,
        url,
        tmp_path,
        "",
    )


def test_who_has_imported_vcrpy_before_has_it_complete(url: str, provider: FakeProvider, tmp_path: Path) -> None:
    run(
        """
        assert not latecomers.awaited()
        assert all(name in sys.modules for name in latecomers.CLIENTS.values())
        assert not [one for one in sys.meta_path if type(one).__module__.startswith("llm_vcr")]
        with use() as cassette:
            by_aiohttp()
        assert len(cassette) == 1
        """,
        url,
        tmp_path,
        f"import vcr\n{PRELUDE}",
    )
    run(
        """
        import sys, llm_vcr
        llm_vcr.VCR()
        assert "aiohttp" in sys.modules
        assert not [one for one in sys.meta_path if type(one).__module__.startswith("llm_vcr")]
        """,
        url,
        tmp_path,
        "",
    )


def test_a_client_that_was_imported_before_does_not_wait(url: str, tmp_path: Path) -> None:
    run(
        """
        assert latecomers.awaited() == {"aiohttp", "tornado", "requests"}
        assert "_HttpxHttpTransport_handle_request" in vars(vcr.patch)
        """,
        url,
        tmp_path,
        f"import httpx, httpx2\n{PRELUDE}",
    )


@pytest.mark.parametrize(("client", "companion"), [("httpx", "pyreqwest"), ("requests", "socks"), ("tornado", "pycurl")])
def test_a_client_does_not_wait_beside_what_is_imported_with_it(client: str, companion: str, url: str, tmp_path: Path) -> None:
    (tmp_path / companion).mkdir()
    (tmp_path / companion / "__init__.py").write_text("raise ImportError", "utf-8")
    run(
        f"assert latecomers.awaited() == {{*latecomers.CLIENTS}} - {{{client!r}}}",
        url,
        tmp_path,
        f"import sys; sys.path.append('.')\n{PRELUDE}",
    )


def test_what_is_taken_back_for_a_while_imports_nobody(url: str, tmp_path: Path) -> None:
    # vcrpy does so for each connection of httplib2's.
    said = run(
        """
        import contextlib

        def taken_back():
            with contextlib.ExitStack() as stack:
                for patcher in vcr.patch.reset_patchers():
                    stack.enter_context(patcher)
                imported = [name for name in ("aiohttp", "httpx", "httpx2", "requests", "tornado") if name in sys.modules]
                return imported, patched().get("httpx")

        with use():
            print(taken_back())
            by_httpx("one")
            print(taken_back(), patched()["httpx"])
        """,
        url,
        tmp_path,
    )
    assert said.splitlines() == ["([], None)", "(['httpx'], False) True"]
