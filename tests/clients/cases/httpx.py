"""httpx by itself."""

import httpx

from tests.clients.cases.httpx_like import cases

client = cases("httpx", httpx)
