"""A model into an object store: what is there already is left, a cut upload goes on, the manifest comes last."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executor.objects.manifest import NAME, Manifest, StoredFile, manifest_of, stored_manifest
from executor.objects.store import Store
from planner.errors import ExecutionFailed
from planner.ports import OnMessage


def push(source: Path, store: Store, on_message: OnMessage) -> Manifest:
    """Put a model directory or a GGUF file into the store. ExecutionFailed where the store refuses or is silent.

    Asked again it sends only what is missing: files by size and SHA-256, of a large file its parts. Until every file is
    there, there is no manifest, and nobody takes it for done.
    """
    store.require()
    manifest, paths = manifest_of(source, on_message)
    earlier = stored_manifest(store)
    if earlier is not None and earlier.files == manifest.files:
        on_message("there already, whole", 1.0)
        return earlier
    if earlier is not None:
        with store.asked():
            store.client.delete_object(**store.place(NAME))
    sent = 0
    for file in manifest.files:
        on_message(f"sending {file.name}", sent / manifest.total_bytes)
        _put(store, file, paths[file.name])
        sent += file.bytes
    content = manifest.model_dump_json(indent=1).encode()
    with store.asked():
        store.client.put_object(**store.place(NAME), Body=content, ContentMD5=_md5(content))
    return manifest


def _put(store: Store, file: StoredFile, path: Path) -> None:
    """One file, unless it is there. One that was resumed under another content's name is sent again from its start."""
    for resuming in (True, False):
        if _is_there(store, file):
            return
        _send(store, file, path, resuming)
    if not _is_there(store, file):
        raise ExecutionFailed(
            f"{file.name} is not as it was sent", where=store.address, fix="see who else writes there; then push again"
        )


def _is_there(store: Store, file: StoredFile) -> bool:
    found = store.head(file.name)
    same = found is not None and found["ContentLength"] == file.bytes
    return same and (found or {}).get("Metadata", {}).get("sha256") == file.sha256


def _send(store: Store, file: StoredFile, path: Path, resuming: bool) -> None:
    if file.bytes > store.settings.part_bytes(file.bytes):
        MultipartUpload(store, file, path).send(resuming)
        return
    content = path.read_bytes()
    with store.asked():
        store.client.put_object(
            **store.place(file.name), Body=content, ContentMD5=_md5(content), Metadata={"sha256": file.sha256}
        )


@dataclass(frozen=True)
class MultipartUpload:
    """A large file in parts, several on their way at once."""

    store: Store
    file: StoredFile
    path: Path

    @property
    def part_bytes(self) -> int:
        return self.store.settings.part_bytes(self.file.bytes)

    @property
    def numbers(self) -> range:
        return range(1, -(-self.file.bytes // self.part_bytes) + 1)

    def send(self, resuming: bool) -> None:
        """Every part that is missing, then all joined: the object appears whole, at once."""
        place = self.store.place(self.file.name)
        with self.store.asked():
            upload_id, there = self._begun() if resuming else ("", {})
            if not upload_id:
                begun = self.store.client.create_multipart_upload(**place, Metadata={"sha256": self.file.sha256})
                upload_id = begun["UploadId"]
            with ThreadPoolExecutor(self.store.settings.parallel) as pool:
                missing = [number for number in self.numbers if number not in there]
                tags = {**there, **dict(pool.map(lambda number: self._send_part(upload_id, number), missing))}
            parts = [{"PartNumber": number, "ETag": tags[number]} for number in self.numbers]
            self.store.client.complete_multipart_upload(**place, UploadId=upload_id, MultipartUpload={"Parts": parts})

    def _begun(self) -> tuple[str, dict[int, str]]:
        """An upload of this very file that was cut, and its parts; those of other content are given up."""
        place = self.store.place(self.file.name)
        listed = self.store.client.list_multipart_uploads(Bucket=place["Bucket"], Prefix=place["Key"])
        for upload in listed.get("Uploads", []):
            if upload["Key"] != place["Key"]:
                continue
            parts = {part["PartNumber"]: part for part in self._parts(upload["UploadId"])}
            if parts and all(self._is_part(number, part) for number, part in parts.items()):
                return str(upload["UploadId"]), {number: part["ETag"] for number, part in parts.items()}
            self.store.client.abort_multipart_upload(**place, UploadId=upload["UploadId"])
        return "", {}

    def _parts(self, upload_id: str) -> Iterator[dict[str, Any]]:
        pages = self.store.client.get_paginator("list_parts")
        for page in pages.paginate(**self.store.place(self.file.name), UploadId=upload_id):
            yield from page.get("Parts", [])

    def _is_part(self, number: int, part: dict[str, Any]) -> bool:
        """Whether a part there is that of the file here, by its tag, its MD5; a store with other tags gets it anew."""
        if number not in self.numbers:
            return False
        content = self._content(number)
        return bool(
            part["Size"] == len(content)
            and part["ETag"].strip('"') == hashlib.md5(content, usedforsecurity=False).hexdigest()
        )

    def _send_part(self, upload_id: str, number: int) -> tuple[int, str]:
        content = self._content(number)
        sent = self.store.client.upload_part(
            **self.store.place(self.file.name),
            UploadId=upload_id,
            PartNumber=number,
            Body=content,
            ContentMD5=_md5(content),
        )
        return number, sent["ETag"]

    def _content(self, number: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek((number - 1) * self.part_bytes)
            return file.read(self.part_bytes)


def _md5(content: bytes) -> str:
    """As the header Content-MD5 has it: the store refuses what arrives otherwise."""
    return b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
