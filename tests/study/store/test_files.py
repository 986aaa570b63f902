"""Files appear whole; what may pass is waited for, what will not is said at once."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from study.store import files
from study.store.files import Files, is_transient, locate
from trainables.errors import StoreError

SLOW_DOWN = OSError("When uploading 'k' in bucket 'b': AWS Error SLOW_DOWN during PutObject operation: injected")
DENIED = OSError("When reading 'timeout' in bucket 'connection': AWS Error ACCESS_DENIED during HeadObject operation")


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, without making them."""
    made: list[float] = []
    monkeypatch.setattr(files.time, "sleep", made.append)
    return made


def failing(*errors: OSError) -> Callable[[], str]:
    left = list(errors)

    def action() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return action


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (SLOW_DOWN, True),
        (OSError("AWS Error NETWORK_CONNECTION during HeadObject operation: curlCode: 56, Recv failure"), True),
        (OSError("AWS Error UNKNOWN (HTTP status 503) during HeadObject operation: No response body."), True),
        (OSError("AWS Error NO_SUCH_UPLOAD during CompleteMultipartUpload operation"), True),
        (OSError("google::cloud::Status(UNAVAILABLE: Permanent error)"), True),
        (DENIED, False),
        (OSError("AWS Error NO_SUCH_BUCKET during CreateMultipartUpload operation"), False),
        (OSError("AWS Error UNKNOWN (HTTP status 400) during HeadBucket operation"), False),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (OSError(errno.ECONNRESET, "a disk does not reset its connection"), False),
    ],
)
def test_what_may_go_well_the_next_time(error: OSError, transient: bool) -> None:
    assert is_transient(error) is transient


@pytest.mark.parametrize("is_local", [True, False])
def test_few_answers_are_held_that_nobody_has_taken(is_local: bool, tmp_path: Path) -> None:
    there, asked = Files(str(tmp_path)), list[int]()
    there.is_local = is_local
    ahead = there._at_once
    answers = there.map(lambda number: asked.append(number) or number, range(100))
    for number in range(100):
        assert next(answers) == number and len(asked) <= number + 1 + ahead
    assert next(answers, None) is None


def test_a_failing_network_is_waited_for_and_at_last_given_up(tmp_path: Path, waits: list[float]) -> None:
    there = Files(str(tmp_path), "s")
    there.read("nothing")
    assert there.attempt(failing(SLOW_DOWN, SLOW_DOWN)) == "done"
    assert waits == list(files.WAITS_S[:2])
    with pytest.raises(OSError, match="SLOW_DOWN"):
        there.attempt(failing(*[SLOW_DOWN] * 20))
    assert sum(waits[2:]) == sum(files.WAITS_S) >= 60


@pytest.mark.parametrize("error", [DENIED, OSError(errno.ENOSPC, "full"), FileNotFoundError(errno.ENOENT, "gone")])
def test_what_will_not_pass_is_not_waited_for(tmp_path: Path, waits: list[float], error: OSError) -> None:
    there = Files(str(tmp_path), "s")
    there.read("nothing")
    with pytest.raises(type(error)):
        there.attempt(failing(error))
    assert waits == []


def test_an_address_that_never_answered_is_not_waited_for(tmp_path: Path, waits: list[float]) -> None:
    with pytest.raises(OSError, match="SLOW_DOWN"):
        Files(str(tmp_path), "s").attempt(failing(SLOW_DOWN))
    assert waits == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_a_write_cut_short_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    there = Files(str(tmp_path), "s")
    there.create_folders(["d"])
    there.write("d/a", b"before")

    def half(path: str, content: bytes) -> None:
        Path(path).write_bytes(content[:3])
        raise error

    monkeypatch.setattr(there, "_put", half)
    with pytest.raises(
        (KeyboardInterrupt, StoreError), match=r"^$|must be writable, but .*/d/a is not .*No space left"
    ):
        there.write("d/a", b"the next content")
    assert [path.name for path in (tmp_path / "s/d").iterdir()] == ["a"]
    assert there.read("d/a") == b"before"


def test_what_is_not_there_is_neither_read_nor_listed_nor_deleted(tmp_path: Path) -> None:
    there = Files(str(tmp_path), "s")
    assert there.read("d/a") is None and there.listing("d") == []
    there.delete("d/a")
    (tmp_path / "s/d").mkdir(parents=True)
    (tmp_path / "s/d/.aside").write_text("half")
    assert there.listing("d") == [] and there.modified_at("d/a") == 0


@pytest.mark.parametrize("uri", ["nosuch://bucket/p", "s3://bucket/p?colour=red"])
def test_an_address_that_nothing_opens(uri: str) -> None:
    with pytest.raises(StoreError, match="a folder or an address that pyarrow opens"):
        locate(uri)
