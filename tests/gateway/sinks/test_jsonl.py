"""The jsonl file: healed, rotated, compressed, followed, and never torn."""

import errno
import gzip
import os
import resource
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec
import pytest
import trio

from gateway.clock import WALL_CLOCK
from gateway.contracts.adapter import ProbeFinding
from gateway.contracts.sink import SinkContext, SinkOptions
from gateway.contracts.values import Bytes, Seconds
from gateway.errors import SinkUnavailable
from gateway.sinks.jsonl import SINK, JsonlSettings, JsonlSink, open_jsonl
from gateway.sinks.jsonl.file import TORN_LINE_REMOVED, LineFile
from gateway.sinks.jsonl.rotation import Keeping, Rotation, rotated_files
from gateway.telemetry.redaction import Redactor
from tests.contracts.sink_suite import fills
from tests.gateway.sinks.conftest import HandClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the events go."""
    return tmp_path / "events.jsonl"


def context(state_dir: Path) -> SinkContext:
    """What the house hands over."""
    return SinkContext(
        name="events",
        state_dir=state_dir,
        options=SinkOptions(type="jsonl"),
        clock=WALL_CLOCK,
        redactor=Redactor(),
    )


def open_at(path: Path, **settings: object) -> AbstractAsyncContextManager[JsonlSink]:
    """The sink on `path`."""
    made = JsonlSettings(path=path.name, **settings)  # type: ignore[arg-type] # any option
    return open_jsonl(made, context(path.parent))


async def until(condition: Callable[[], bool]) -> None:
    """Wait for another thread to have done something."""
    with trio.fail_after(30):
        while not condition():  # noqa: ASYNC110 - the file system rings no bell
            await trio.sleep(0.005)


def contents(path: Path) -> bytes:
    """What stands in the file."""
    return path.read_bytes()


def test_a_torn_line_is_removed(path: Path, clock: HandClock):
    """A half line that a crash left is cut off before the next is written, and told."""
    path.write_bytes(b"one\ntw")
    told = TORN_LINE_REMOVED.count
    file = LineFile(path, None, clock)
    file.append([b"two\n"])
    file.close()

    assert path.read_bytes() == b"one\ntwo\n"
    assert TORN_LINE_REMOVED.count == told + 1


@pytest.mark.parametrize("torn", [b"x" * 200_000, b"half"])
def test_a_file_that_is_one_torn_line(path: Path, clock: HandClock, torn: bytes):
    """A file without any newline is emptied, however long it is."""
    path.write_bytes(torn)
    file = LineFile(path, None, clock)
    file.append([b"one\n"])
    file.close()

    assert path.read_bytes() == b"one\n"


def test_a_long_torn_line_behind_good_ones(path: Path, clock: HandClock):
    """The last newline is found far from the end of the file."""
    path.write_bytes(b"one\n" + b"x" * 300_000)
    file = LineFile(path, None, clock)
    file.append([b"two\n"])
    file.close()

    assert path.read_bytes() == b"one\ntwo\n"


def test_the_batch_in_flight_is_recognised(path: Path, clock: HandClock):
    """Lines that reached the disk before a crash are not written twice; the rest is."""
    path.write_bytes(b"one\ntwo\nthree\nfo")
    file = LineFile(path, None, clock)
    file.append([b"two\n", b"three\n", b"four\n"])
    file.confirm()
    file.append([b"four\n"])
    file.close()

    assert path.read_bytes() == b"one\ntwo\nthree\nfour\nfour\n"


def test_batches_in_flight_are_recognised_in_other_portions(path: Path, clock: HandClock):
    """Several batches that stand behind the cursor come again, cut elsewhere: none is doubled."""
    lines = [b"line %d\n" % number for number in range(9)]
    path.write_bytes(b"".join(lines[:7]))
    file = LineFile(path, None, clock)
    for part in (lines[2:4], lines[4:5], lines[5:8], lines[8:]):
        file.append(part)
        file.confirm()
    file.close()

    assert path.read_bytes() == b"".join(lines)


async def test_what_is_sent_again_after_a_restart_is_written_again(path: Path):
    """`gateway replay` right after a start is no batch that a crash cut short."""
    async with open_at(path) as sink:
        await sink.deliver(fills(3))
    behind = msgspec.structs.replace(context(path.parent), settled_seq=3)
    async with open_jsonl(JsonlSettings(path=path.name), behind) as sink:
        await sink.deliver(fills(2, first=2))

    assert len(contents(path).splitlines()) == 5


def test_an_append_that_nobody_waited_for_is_recognised(path: Path, clock: HandClock):
    """Its time was over, and it ended all the same: the batch that comes again stands there."""
    file = LineFile(path, None, clock)
    file.append([b"one\n"])
    file.append([b"one\n", b"two\n"])

    assert contents(path) == b"one\ntwo\n"


async def test_what_is_sent_again_on_purpose_is_written_again(path: Path):
    """`gateway replay` of the newest events puts them into the file once more."""
    async with open_at(path) as sink:
        await sink.deliver(fills(2))
        await sink.deliver(fills(2))

    assert len(contents(path).splitlines()) == 4


def test_only_a_whole_match_is_recognised(path: Path, clock: HandClock):
    """A last line that stands in the batch behind lines that the file lacks proves nothing."""
    path.write_bytes(b"one\nthree\n")
    file = LineFile(path, None, clock)
    file.append([b"two\n", b"three\n"])
    file.close()

    assert path.read_bytes() == b"one\nthree\ntwo\nthree\n"


def test_rotation_by_size(path: Path, clock: HandClock):
    """A file is put aside before it would grow beyond its size; none is empty, none too large."""
    file = LineFile(path, Rotation(size=Bytes(20)), clock)
    rotated = [file.append([b"number %d\n" % number]) for number in range(10, 15)]
    file.close()

    assert rotated == [False, False, True, False, True]
    assert [f.stat().st_size for f in (*rotated_files(path), path)] == [20, 20, 10]


def test_an_event_larger_than_the_size_gets_a_file_of_its_own(path: Path, clock: HandClock):
    """One event is never split and never refused for its size."""
    file = LineFile(path, Rotation(size=Bytes(4)), clock)
    for line in (b"first\n", b"second\n"):
        file.append([line])
    file.close()

    assert [f.read_bytes() for f in (*rotated_files(path), path)] == [b"first\n", b"second\n"]


def test_rotation_by_time(path: Path, clock: HandClock):
    """A file is put aside at the first event of the next full hour, also after a restart."""
    rotation = Rotation(every=Seconds(3600))
    for line, expected in ((b"1\n", False), (b"2\n", False), (b"3\n", False), (b"4\n", True)):
        file = LineFile(path, rotation, clock)
        assert file.append([line]) is expected
        file.close()
        os.utime(path, ns=(clock.ns, clock.ns))
        clock.turn(1500)

    assert [f.read_bytes() for f in (*rotated_files(path), path)] == [b"1\n2\n3\n", b"4\n"]


def test_names_do_not_collide(path: Path, clock: HandClock):
    """Two rotations within one tick of the clock keep both files, in order."""
    file = LineFile(path, Rotation(size=Bytes(1)), clock)
    for line in (b"a\n", b"b\n", b"c\n"):
        file.append([line])
    file.close()

    assert [f.read_bytes() for f in (*rotated_files(path), path)] == [b"a\n", b"b\n", b"c\n"]
    assert rotated_files(path)[0].name == "events.20260102T030000.000000Z.jsonl"


def test_a_file_that_was_moved_is_not_written_to(path: Path, clock: HandClock):
    """After logrotate moved or removed the file a new one is begun at its place."""
    file = LineFile(path, None, clock)
    file.append([b"one\n"])
    path.rename(path.with_name("moved"))
    file.append([b"two\n"])
    path.unlink()
    file.append([b"three\n"])
    file.close()

    assert path.with_name("moved").read_bytes() == b"one\n"
    assert path.read_bytes() == b"three\n"


def test_two_writers_of_one_file(path: Path, clock: HandClock):
    """A second sink on the same file is refused instead of mixing lines."""
    first, second = LineFile(path, None, clock), LineFile(path, None, clock)
    first.append([b"one\n"])
    with pytest.raises(OSError, match="another sink or program"):
        second.append([b"two\n"])
    first.close()


def test_events_are_private(path: Path, clock: HandClock):
    """Nobody but owner and group may read a file of events."""
    file = LineFile(path, None, clock)
    file.append([b"one\n"])
    file.close()

    assert path.stat().st_mode & 0o007 == 0


def test_a_full_disk_tears_no_line(path: Path, clock: HandClock):
    """A write that runs out of room half-way leaves the file as it was, and works later."""
    file = LineFile(path, None, clock)
    file.append([b"one\n"])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # Python ignores SIGXFSZ
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            file.append([b"x" * 600 + b"\n", b"y" * 600 + b"\n"])
        torn = path.read_bytes()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    file.append([b"two\n"])
    file.close()

    assert caught.value.errno == errno.EFBIG
    assert torn == b"one\n"
    assert path.read_bytes() == b"one\ntwo\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
async def test_no_space_is_no_crash(tmp_path: Path):
    """A disk without room is a sink that cannot take events now; the error names the file."""
    (tmp_path / "events.jsonl").symlink_to("/dev/full")
    async with open_at(tmp_path / "events.jsonl") as sink:
        with pytest.raises(SinkUnavailable, match=r"cannot write .*events\.jsonl: "):
            await sink.deliver(fills(1))


async def test_rotated_files_are_compressed(path: Path):
    """A file that was put aside becomes a .gz with the same text and time, and nothing else."""
    async with open_at(path, rotate=Rotation(size=Bytes(1))) as sink:
        for item in fills(3):
            await sink.deliver([item])
        await until(lambda: [f.suffix for f in rotated_files(path)] == [".gz", ".gz"])

    first, second = (gzip.decompress(file.read_bytes()) for file in rotated_files(path))
    assert [first, second, contents(path)] == [item.body + b"\n" for item in fills(3)]
    assert len(list(path.parent.iterdir())) == 3


async def test_compression_cut_by_a_crash_is_done_again(path: Path):
    """A half-written .gz beside its original does no harm and is finished at the next start."""
    aside = path.with_name("events.20260102T030000.000000Z.jsonl")
    aside.write_bytes(b"one\n")
    aside.with_name(aside.name + ".gz.part").write_bytes(b"\x1f\x8b half")
    async with open_at(path, rotate=Rotation(size=Bytes(1))):
        await until(lambda: not aside.exists())

    assert gzip.decompress(aside.with_name(aside.name + ".gz").read_bytes()) == b"one\n"
    assert len(list(path.parent.iterdir())) == 1


async def test_only_so_many_files_are_kept(path: Path):
    """`keep.files` removes the oldest files that were put aside, never the current one."""
    keep = Keeping(files=2)
    async with open_at(path, rotate=Rotation(size=Bytes(1)), compress=False, keep=keep) as sink:
        for item in fills(6):
            await sink.deliver([item])
        newest = [item.body + b"\n" for item in fills(6)][3:]
        await until(lambda: len(rotated_files(path)) == 2)

    assert [f.read_bytes() for f in (*rotated_files(path), path)] == newest


def test_old_files_are_surplus(path: Path, clock: HandClock):
    """`keep.age` counts from the last event in a file."""
    old, young = (path.with_name(f"events.2026010{day}T000000.000000Z.jsonl") for day in (1, 2))
    for file, age_seconds in ((old, 7200), (young, 1800)):
        file.write_bytes(b"x\n")
        os.utime(file, ns=(0, clock.ns - age_seconds * 1_000_000_000))

    assert Keeping(age=Seconds(3600)).surplus(rotated_files(path), clock.ns) == {old}
    assert Keeping(files=1, age=Seconds(9999)).surplus(rotated_files(path), clock.ns) == {old}


def test_other_files_are_left_alone(path: Path):
    """Only files that this sink put aside are ever compressed or removed."""
    for name in ("events.backup.jsonl", "other.20260102T030000.000000Z.jsonl", "events.jsonl.1"):
        path.with_name(name).write_bytes(b"x\n")

    assert rotated_files(path) == []


async def test_probe(tmp_path: Path):
    """`gateway check --connect` tells whether the folder can be written to."""
    assert SINK.probe is not None
    (tmp_path / "file").touch()
    good = await SINK.probe(JsonlSettings(path="a/b.jsonl"), context(tmp_path))
    bad = await SINK.probe(JsonlSettings(path="file/b.jsonl"), context(tmp_path))

    assert [(f.ok, f.detail) for f in good] == [(True, str(tmp_path / "a"))]
    assert [f.ok for f in bad] == [False]
    assert list((tmp_path / "a").iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "keys"),
    [
        (JsonlSettings(path="a.jsonl"), []),
        (JsonlSettings(path=" "), ["path"]),
        (JsonlSettings(path=".."), ["path"]),
        (JsonlSettings(path="a", rotate=Rotation()), ["rotate"]),
        (JsonlSettings(path="a", rotate=Rotation(size=Bytes(0))), ["rotate.size"]),
        (JsonlSettings(path="a", rotate=Rotation(every=Seconds(0.1))), ["rotate.every"]),
        (JsonlSettings(path="a", keep=Keeping(files=-1)), ["keep", "keep.files"]),
    ],
)
def test_mistakes_in_settings(settings: JsonlSettings, keys: list[str]):
    """Settings that cannot work are mistakes of the configuration, by key."""
    assert [key for key, _ in settings.problems()] == keys


async def test_probes_of_one_folder_do_not_meet(tmp_path: Path):
    """Many sinks in one folder are probed at once, and each finds it writable."""
    found: list[ProbeFinding] = []

    async def probe(number: int) -> None:
        settings = JsonlSettings(path=f"{number}.jsonl")
        assert SINK.probe is not None
        found.extend(await SINK.probe(settings, context(tmp_path)))

    async with trio.open_nursery() as nursery:
        for number in range(200):
            nursery.start_soon(probe, number)

    assert [each.detail for each in found if not each.ok] == []
