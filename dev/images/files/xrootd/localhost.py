# mypy: ignore-errors
"""Passes connections to 127.0.0.1:443 on to the development cluster's front door.

libcurl, by which XRootD asks the identity provider and other storages, takes every name below .localhost for
the machine that it runs on (RFC 6761), whatever DNS says; and below vre.localhost are the cluster's names,
because browsers do the same.
"""

import asyncio

FRONT_DOOR = ("any.vre.localhost", 443)


async def pour(reader, writer):
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def pass_on(reader, writer):
    try:
        there = await asyncio.open_connection(*FRONT_DOOR)
    except OSError:
        writer.close()
        return
    await asyncio.gather(pour(reader, there[1]), pour(there[0], writer))


async def main():
    try:
        server = await asyncio.start_server(pass_on, "127.0.0.1", FRONT_DOOR[1])
    except OSError:
        return  # not in the development cluster
    await server.serve_forever()


asyncio.run(main())
