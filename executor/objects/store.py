"""One place in an object store, through boto3; what it refuses in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from planner.errors import BadInput, ExecutionFailed, ExecutorMissing
from planner.request import Frozen
from planner.units import MIB

TABLE = Path(__file__).with_name("objects.yaml")
REFUSED = {"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"}
ABSENT = {"404", "NoSuchKey", "NotFound"}
RESUME = "when it answers again, run the same command: it goes on where it stopped"


class Cut(ExecutionFailed):
    """The store does not answer, or stopped in the middle: asked again, it may."""


class ObjectSettings(Frozen):
    """`objects.yaml`: the schemes, how files are cut into parts, and how long to wait."""

    as_of: Any
    schemes: dict[str, dict[str, str | None]]
    part_mib: int
    most_parts: int
    parallel: int
    block_mib: int
    connect_s: float
    read_s: float
    attempts: int

    def part_bytes(self, size: int) -> int:
        """The size of one part of a file: always the same for the same file, so that parts sent before are known."""
        return max(self.part_mib * MIB, -(-size // self.most_parts))


@lru_cache(maxsize=1)
def object_settings() -> ObjectSettings:
    return ObjectSettings.model_validate(yaml.safe_load(TABLE.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Store:
    """The objects below SCHEME://BUCKET/PREFIX. BadInput for an address that is none."""

    address: str
    settings: ObjectSettings = field(default_factory=object_settings, repr=False)
    bucket: str = field(init=False)
    prefix: str = field(init=False)
    client: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        scheme, _, rest = self.address.partition("://")
        bucket, _, prefix = rest.partition("/")
        if scheme not in self.settings.schemes or not bucket:
            known = ", ".join(f"{name}://BUCKET/PREFIX" for name in self.settings.schemes)
            raise BadInput(f"{self.address!r} is no address of an object store", fix=f"write {known}")
        object.__setattr__(self, "bucket", bucket)
        object.__setattr__(self, "prefix", prefix.strip("/"))
        object.__setattr__(self, "client", _client(self.settings.schemes[scheme]["endpoint"], self.settings))

    def place(self, name: str) -> dict[str, str]:
        """Bucket and key of one object, as boto3 takes them."""
        return {"Bucket": self.bucket, "Key": f"{self.prefix}/{name}".lstrip("/")}

    def require(self) -> None:
        """ExecutionFailed unless the bucket is there and these credentials may look into it."""
        with self.asked():
            self.client.head_bucket(Bucket=self.bucket)

    def head(self, name: str) -> dict[str, Any] | None:
        """An object's size and metadata; None when there is none."""
        with self.asked(absent_is_none=True):
            found: dict[str, Any] = self.client.head_object(**self.place(name))
            return found
        return None

    def read(self, name: str) -> bytes | None:
        """A small object's content; None when there is none."""
        with self.asked(absent_is_none=True):
            return bytes(self.client.get_object(**self.place(name))["Body"].read())
        return None

    def stream(self, name: str, start: int = 0) -> Iterator[bytes]:
        """An object's content from byte `start` on."""
        with self.asked():
            body = self.client.get_object(**self.place(name), Range=f"bytes={start}-")["Body"]
            yield from body.iter_chunks(self.settings.block_mib * MIB)

    @contextmanager
    def asked(self, absent_is_none: bool = False) -> Iterator[None]:
        """The block's requests, with their errors in our words; an object that is not there ends the block quietly."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            if absent_is_none and error.response["Error"].get("Code") in ABSENT:
                return
            raise self._refused(error.response["Error"]) from None
        except BotoCoreError as error:
            raise self._silent(error) from None

    def _refused(self, told: dict[str, str]) -> ExecutionFailed:
        code, message = told.get("Code", ""), told.get("Message", "")
        if code in ("NoSuchBucket", "404"):
            return ExecutionFailed(
                f"no bucket {self.bucket!r} in the object store",
                where=self.address,
                fix="make it, or name another; a store that is not AWS is named with AWS_ENDPOINT_URL",
            )
        if code in REFUSED:
            return ExecutionFailed(
                f"the object store refuses these credentials ({code}: {message})",
                where=self.address,
                fix="give keys that may list, read and write there: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY,"
                " or AWS_PROFILE; in a cluster --artefacts-secret NAME",
            )
        return ExecutionFailed(f"the object store refuses it ({code}: {message})", where=self.address, fix=RESUME)

    def _silent(self, error: Exception) -> ExecutionFailed:
        if type(error).__name__ in ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound"):
            return ExecutionFailed(
                f"no credentials for the object store: {error}",
                where=self.address,
                fix="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE;"
                " in a cluster --artefacts-secret NAME",
            )
        told = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        return Cut(f"the object store does not answer ({told})", where=self.address, fix=RESUME)


def _client(endpoint: str | None, settings: ObjectSettings) -> Any:
    """boto3 with the environment's credentials; checksums only where S3 demands them, as other stores know fewer."""
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError:
        fix = "pip install 'quantplan[objects]'"
        raise ExecutorMissing("what speaks to object stores is not installed (boto3)", fix=fix) from None
    config = Config(
        connect_timeout=settings.connect_s,
        read_timeout=settings.read_s,
        retries={"mode": "standard", "total_max_attempts": settings.attempts},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    try:
        session = boto3.session.Session()
        region = session.region_name or "us-east-1"
        return session.client("s3", endpoint_url=endpoint, region_name=region, config=config)
    except (BotoCoreError, ValueError) as error:
        raise BadInput(
            f"the object store cannot be asked: {error}", fix="look at AWS_ENDPOINT_URL and AWS_PROFILE"
        ) from None
