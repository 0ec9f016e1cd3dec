"""A slow link as a program: `slow_link.py ADDRESS DELAY_MS PORT=HOST:PORT ...`.

Forwards TCP; everything arrives, each way, so much later and in order.
"""

import asyncio
import contextlib
import functools
import sys
import time

_AHEAD = 256
"""Chunks under way in one direction: a link has room, and what sends too fast waits."""


async def _delayed(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, delay_s: float
) -> None:
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_AHEAD)

    async def arrive() -> None:
        while True:
            due, data = await under_way.get()
            await asyncio.sleep(due - time.monotonic())
            if not data:
                target.close()
                return
            target.write(data)
            await target.drain()

    arriving = asyncio.create_task(arrive())
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            await under_way.put((time.monotonic() + delay_s, data))
    await under_way.put((time.monotonic() + delay_s, b""))
    with contextlib.suppress(OSError):
        await arriving


async def _serve(
    host: str,
    port: int,
    delay_s: float,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    try:
        far_reader, far_writer = await asyncio.open_connection(host, port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(
        _delayed(reader, far_writer, delay_s), _delayed(far_reader, writer, delay_s)
    )


async def main(address: str, delay_ms: str, *ways: str) -> None:
    """Forward until killed."""
    servers = []
    for way in ways:
        at, target = way.split("=")
        host, port = target.split(":")
        serve = functools.partial(_serve, host, int(port), int(delay_ms) / 1000)
        servers.append(await asyncio.start_server(serve, address, int(at)))
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
