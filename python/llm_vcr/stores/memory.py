"""Memory for bodies of megabytes: that of the ones that were played before."""

from __future__ import annotations

import gc
import sysconfig

LARGE = 1 << 20
"""So many bytes are worth looking for memory."""

# Without the GIL there are no generations: a look at the young objects would be one at all of them.
_GENERATIONS = not sysconfig.get_config_var("Py_GIL_DISABLED")


def let_go_of_answers() -> None:
    """Free the answers that nobody has any more; called before a large cassette is read.

    httpx's response and its stream hold each other, so that a body stays until the garbage collector comes, which counts objects and not
    bytes. The next body would be put into fresh memory, which the kernel hands out page by page: 1,027 faults for 4 MB, 3 ms of 5 and more,
    where a look at the young objects takes 0.05. (Asking the kernel for those pages at once leaves three quarters of that, asking for large
    ones half: what Python puts a ``bytes`` into is not aligned to them.)
    """
    if _GENERATIONS and gc.isenabled():
        gc.collect(1)
