"""Models into and out of real S3 servers of this machine: whole or not at all, resumed where a line was cut."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stores import BUCKET, KEY, SECRET, Line, moto, seaweedfs

pytest.importorskip("boto3", reason="pip install 'quantplan[objects]'")

from executor.objects.manifest import NAME
from executor.objects.pulling import pull
from executor.objects.pushing import push
from executor.objects.store import Cut, Store, object_settings
from planner.errors import BadInput, ExecutionFailed

ADDRESS = f"s3://{BUCKET}/models/one"
LARGE = 12 * 2**20 + 5  # three parts of 5 MiB, the smallest that S3 joins
HASTE = object_settings().model_copy(update={"part_mib": 5, "parallel": 1, "attempts": 2, "read_s": 5, "connect_s": 2})


def quiet(said: str, fraction: float | None) -> None:
    pass


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    named = getattr(request, "param", "moto")
    with moto() if named == "moto" else seaweedfs(tmp_path_factory.mktemp("weed")) as address:
        yield address


both = pytest.mark.parametrize("server", ["moto", "seaweedfs"], indirect=True)


@pytest.fixture
def line(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """The line to the server, with a bucket that holds nothing."""
    line = Line(server)
    for name, value in {"AWS_ENDPOINT_URL": line.address, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET,
                        "AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
                        "AWS_EC2_METADATA_DISABLED": "true"}.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    client = Store(ADDRESS, HASTE).client
    client.create_bucket(Bucket=BUCKET)
    yield line
    line.left = None
    for upload in client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
        client.abort_multipart_upload(Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"])
    for found in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=found["Key"])
    client.delete_bucket(Bucket=BUCKET)
    line.close()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model directory with one file of three parts."""
    directory = tmp_path / "model"
    directory.mkdir()
    (directory / "config.json").write_text('{"model_type": "llama"}')
    (directory / "model.safetensors").write_bytes(bytes(range(256)) * (LARGE // 256) + b"x" * (LARGE % 256))
    return directory


def same(one: Path, other: Path) -> bool:
    def content(directory: Path) -> dict[str, bytes]:
        return {p.relative_to(directory).as_posix(): p.read_bytes() for p in directory.rglob("*") if p.is_file()}

    return content(one) == content(other)


def counting(store: Store, monkeypatch: pytest.MonkeyPatch, name: str) -> list[Any]:
    """The calls of one of the client's methods."""
    calls: list[Any] = []
    method = getattr(store.client, name)
    monkeypatch.setattr(store.client, name, lambda **given: calls.append(given) or method(**given))
    return calls


@both
@pytest.mark.usefixtures("line")
def test_a_model_comes_back_as_it_was_sent(model: Path, tmp_path: Path) -> None:
    sent = push(model, Store(ADDRESS, HASTE), quiet)
    assert [file.name for file in sent.files] == ["config.json", "model.safetensors"]
    assert pull(Store(ADDRESS, HASTE), tmp_path / "back", quiet) == sent
    assert same(model, tmp_path / "back")


@pytest.mark.usefixtures("line")
def test_sent_again_nothing_is_sent(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    push(model, Store(ADDRESS, HASTE), quiet)
    store = Store(ADDRESS, HASTE)
    small, parts = counting(store, monkeypatch, "put_object"), counting(store, monkeypatch, "upload_part")
    push(model, store, quiet)
    assert (small, parts) == ([], [])


@both
def test_an_upload_that_was_cut_is_not_taken_for_done_and_goes_on(
    line: Line, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.left = 8 * 2**20
    with pytest.raises(Cut) as cut:
        push(model, Store(ADDRESS, HASTE), quiet)
    assert str(cut.value).startswith(f"{ADDRESS}: the object store does not answer (")
    assert str(cut.value).endswith("To fix: when it answers again, run the same command: it goes on where it stopped")
    line.left = None
    with pytest.raises(ExecutionFailed, match=f"no whole model lies there: no {NAME}, which an upload writes last"):
        pull(Store(ADDRESS, HASTE), tmp_path / "early", quiet)
    store = Store(ADDRESS, HASTE)
    parts = counting(store, monkeypatch, "upload_part")
    push(model, store, quiet)
    assert [part["PartNumber"] for part in parts] == [2, 3]
    pull(store, tmp_path / "back", quiet)
    assert same(model, tmp_path / "back")


def test_parts_of_another_content_are_not_joined_with_ours(line: Line, model: Path, tmp_path: Path) -> None:
    line.left = 8 * 2**20
    with pytest.raises(Cut):
        push(model, Store(ADDRESS, HASTE), quiet)
    line.left = None
    (model / "model.safetensors").write_bytes(b"y" * LARGE)
    push(model, Store(ADDRESS, HASTE), quiet)
    pull(Store(ADDRESS, HASTE), tmp_path / "back", quiet)
    assert same(model, tmp_path / "back")


@both
def test_a_download_that_was_cut_goes_on_from_its_byte(
    line: Line, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(model, Store(ADDRESS, HASTE), quiet)
    line.left = 6 * 2**20
    with pytest.raises(Cut):
        pull(Store(ADDRESS, HASTE), tmp_path / "back", quiet)
    line.left = None
    assert not (tmp_path / "back" / "model.safetensors").exists()
    store = Store(ADDRESS, HASTE)
    reads = counting(store, monkeypatch, "get_object")
    pull(store, tmp_path / "back", quiet)
    (asked,) = [read["Range"] for read in reads if "Range" in read]
    assert int(asked.removeprefix("bytes=").rstrip("-")) >= 4 * 2**20
    assert same(model, tmp_path / "back")


@pytest.mark.usefixtures("line")
def test_a_file_that_was_altered_there_is_found_out_and_sent_anew(model: Path, tmp_path: Path) -> None:
    store = Store(ADDRESS, HASTE)
    push(model, store, quiet)
    store.client.put_object(**store.place("config.json"), Body=b'{"model_type": "other"}')
    with pytest.raises(ExecutionFailed, match=r"config.json is not what its manifest says, and was removed again"):
        pull(store, tmp_path / "back", quiet)
    store.client.delete_object(**store.place(NAME))
    push(model, store, quiet)
    pull(store, tmp_path / "back", quiet)
    assert same(model, tmp_path / "back")


@pytest.mark.usefixtures("line")
def test_while_another_model_takes_its_place_none_is_whole(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(ADDRESS, HASTE)
    push(model, store, quiet)
    (model / "config.json").write_text('{"model_type": "qwen2"}')
    seen: list[bytes | None] = []
    push(model, store, lambda said, fraction: seen.append(store.read(NAME)) if said.startswith("sending") else None)
    assert seen == [None, None]
    assert store.read(NAME) is not None


@pytest.mark.usefixtures("line")
def test_a_gguf_file_gets_its_one_name(tmp_path: Path) -> None:
    (tmp_path / "llama-Q4_K_M.gguf").write_bytes(b"GGUF" + b"0" * 100)
    push(tmp_path / "llama-Q4_K_M.gguf", Store(ADDRESS, HASTE), quiet)
    pull(Store(ADDRESS, HASTE), tmp_path / "back", quiet)
    assert (tmp_path / "back" / "model.gguf").read_bytes() == (tmp_path / "llama-Q4_K_M.gguf").read_bytes()


@pytest.mark.usefixtures("line")
def test_a_bucket_that_is_not_there_is_said(model: Path) -> None:
    with pytest.raises(ExecutionFailed) as refused:
        push(model, Store("s3://nobody-has-this/x", HASTE), quiet)
    assert str(refused.value) == (
        "s3://nobody-has-this/x: no bucket 'nobody-has-this' in the object store\n"
        "To fix: make it, or name another; a store that is not AWS is named with AWS_ENDPOINT_URL"
    )


@pytest.mark.parametrize("server", ["seaweedfs"], indirect=True)  # moto asks for no credentials
@pytest.mark.usefixtures("line")
def test_credentials_that_are_refused_are_said(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(ExecutionFailed, match=r"the object store refuses these credentials \(403: Forbidden\)"):
        push(model, Store(ADDRESS, HASTE), quiet)


@pytest.mark.usefixtures("line")
def test_without_credentials_it_says_which_to_give(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ExecutionFailed, match="no credentials for the object store: Unable to locate credentials"):
        push(model, Store(ADDRESS, HASTE), quiet)


@pytest.mark.usefixtures("line")
def test_a_manifest_that_leads_out_of_the_model_is_refused(tmp_path: Path) -> None:
    store = Store(ADDRESS, HASTE)
    manifest = {"quantplan_version": "1", "files": [{"name": "../evil", "bytes": 1, "sha256": "0"}]}
    store.client.put_object(**store.place(NAME), Body=json.dumps(manifest).encode())
    with pytest.raises(ExecutionFailed, match="a name that leads out of the model"):
        pull(store, tmp_path / "back", quiet)


@pytest.mark.parametrize("address", ["/models", "ftp://bucket/x", "s3://", "bucket"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(BadInput) as refused:
        Store(address)
    assert str(refused.value) == (
        f"{address!r} is no address of an object store\nTo fix: write s3://BUCKET/PREFIX, gs://BUCKET/PREFIX"
    )
