"""httpx2 by itself."""

import httpx2

from tests.clients.cases.httpx_like import cases

client = cases("httpx2", httpx2)
