"""JSON that lies compressed in memory: sent as it is to a client that takes gzip, unpacked for one that does not."""

from __future__ import annotations

import gzip

from fastapi import Request, Response


def compressed_json(request: Request, packed: bytes, status: int, headers: dict[str, str]) -> Response:
    """The answer with its body compressed beforehand (gzip)."""
    if "gzip" in request.headers.get("accept-encoding", ""):
        how = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        return Response(packed, status, {**headers, **how}, "application/json")
    return Response(gzip.decompress(packed), status, headers, "application/json")
