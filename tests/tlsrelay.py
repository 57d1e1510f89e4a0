"""TLS for a SIPp that has none (Debian's): a relay between plain TCP and TLS, in a thread of its own.

It writes TLS where SIPp wrote TCP into Via and Contact, and the other way round, so that both ends see what they
expect. Nothing else is changed.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from pathlib import Path
from types import TracebackType

Place = tuple[str, int]
_PLAIN, _SECURE = (b"SIP/2.0/TCP", b"transport=TCP"), (b"SIP/2.0/TLS", b"transport=TLS")


def context(directory: Path, name: str, *, server: bool) -> ssl.SSLContext:
    """NAME.pem, NAME.key and ca.pem of a directory, as `Pki.write_tls` leaves them; the other end is verified."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    made.load_cert_chain(directory / f"{name}.pem", directory / f"{name}.key")
    made.load_verify_locations(directory / "ca.pem")
    made.verify_mode = ssl.CERT_REQUIRED
    return made


class TlsRelay:
    """Listens at `local` and connects to `remote` for each connection; `into` is whether the far side speaks TLS.

    `source` is the address that it connects from. Where it cannot connect, it closes.
    """

    def __init__(
        self, local: Place, remote: Place, context: ssl.SSLContext, *, into: bool, source: str, name: str = ""
    ) -> None:
        self.local, self._remote, self._context, self._into = local, remote, context, into
        self._source, self._name = source, name
        self._listening = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> TlsRelay:
        self._thread.start()
        assert self._listening.wait(10), f"nobody listens at {self.local}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._listening.set()
        self._loop.run_forever()
        for task in self._tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._loop.close()

    async def _listen(self) -> None:
        tls = None if self._into else self._context
        self._server = await asyncio.start_server(self._serve, *self.local, ssl=tls, backlog=1024)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            far_reader, far_writer = await asyncio.open_connection(
                *self._remote,
                ssl=self._context if self._into else None,
                server_hostname=self._name or None if self._into else None,
                local_addr=(self._source, 0),
            )
            there, back = (_PLAIN, _SECURE) if self._into else (_SECURE, _PLAIN)
            await asyncio.gather(_pump(reader, far_writer, there, back), _pump(far_reader, writer, back, there))
        except OSError:
            pass
        finally:
            writer.close()
            self._tasks.discard(task)


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, old: tuple[bytes, ...], new: tuple[bytes, ...]
) -> None:
    """Carries octets until one end closes, and closes the other."""
    try:
        while octets := await reader.read(65536):
            for before, after in zip(old, new, strict=True):
                octets = octets.replace(before, after)
            writer.write(octets)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
