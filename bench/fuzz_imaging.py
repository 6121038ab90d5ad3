"""Feed the readers broken files: whatever the bytes, the outcome is an image or one `InputError`.

    python bench/fuzz_imaging.py                      2,000 files: 500 each of DICOM, TIFF, PNG and NIfTI
    python bench/fuzz_imaging.py --count 50           fewer
    python bench/fuzz_imaging.py --one TIFF 123       the file of one seed, in this process, with its traceback

Each file is made from a sound one (pydicom's own test files, files written on the fly, and the project's shared images
where present) by one to four seeded mutations: flipped bytes, truncation, extreme numbers in the header, inserted,
deleted or repeated bytes. Most PNG and packed NIfTI files are damaged inside their compression and their checksums set
right, so that the damage reaches the decoder. A file is found and decoded by the public functions, in a worker process
with limits on memory and on time. A crash, a hang or any other exception is listed with its seed, and the exit status
is 1.
"""

from __future__ import annotations

import argparse
import gzip
import io
import multiprocessing
import os
import resource
import struct
import sys
import tempfile
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

FORMATS = ("DICOM", "TIFF", "PNG", "NIfTI")
ENDINGS = {"DICOM": ".dcm", "TIFF": ".tif", "PNG": ".png", "NIfTI": ".nii"}
LARGEST_BASE = 600_000
SECONDS_PER_FILE = 20.0
#: A planted name: it must never come back in a reason or an id.
NAME = "Jane-Roe-19570314"
EXTREMES = (0, 1, 2, 3, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 62)


def shared() -> Path:
    return Path(os.environ.get("SCRUTIQ_SHARED", Path(__file__).parents[2] / "shared")) / "data"


def bases(kind: str) -> list[bytes]:
    """Return sound files of a format, always in the same order."""
    made = {"DICOM": _dicom, "TIFF": _tiff, "PNG": _png, "NIfTI": _nifti}[kind]()
    folders = {
        "DICOM": ("dicom_compressed_pairs", "*/*_J*"),
        "TIFF": ("fundus_drive_chase", "*.tif"),
        "PNG": ("ct_denoising_readers", "**/*.png"),
        "NIfTI": ("mri_spine_nifti", "*.nii.gz"),
    }
    folder, pattern = folders[kind]
    for path in sorted((shared() / folder).glob(pattern))[:8]:
        if path.stat().st_size <= LARGEST_BASE:
            made.append(path.read_bytes())
    return made


def _dicom() -> list[bytes]:
    import pydicom.data

    folder = Path(pydicom.data.__file__).parent / "test_files"
    files = [path for path in sorted(folder.rglob("*.dcm")) if path.stat().st_size <= LARGEST_BASE]
    return [path.read_bytes() for path in files]


def _tiff() -> list[bytes]:
    import tifffile
    from PIL import Image

    rng = np.random.default_rng(1)
    made = []
    for dtype in ("u1", "u2", "i2", "f4", "f8"):
        for options in (
            {},
            {"compression": "zlib", "predictor": dtype[0] != "f"},
            {"tile": (32, 32), "compression": "zlib"},
            {"bigtiff": True, "byteorder": ">"},
        ):
            stream = io.BytesIO()
            data = (rng.random((3, 61, 47)) * 200).astype(dtype)
            tifffile.imwrite(stream, data, photometric="minisblack", description=NAME, **options)
            made.append(stream.getvalue())
    for compression in ("tiff_lzw", "packbits", "jpeg", "zstd"):
        for shape in ((50, 60), (50, 60, 3)):
            stream = io.BytesIO()
            picture = Image.fromarray((rng.random(shape) * 255).astype("u1"))
            picture.save(stream, "TIFF", compression=compression)
            made.append(stream.getvalue())
    stream = io.BytesIO()
    Image.fromarray((rng.random((40, 40)) * 255).astype("u1")).convert("P").save(stream, "TIFF")
    made.append(stream.getvalue())
    return made


def _png() -> list[bytes]:
    from PIL import Image

    rng = np.random.default_rng(2)
    grey = (rng.random((45, 52)) * 255).astype("u1")
    colour = (rng.random((45, 52, 4)) * 255).astype("u1")
    pictures = [
        Image.fromarray(grey),
        Image.fromarray(grey.astype("u2") * 257),
        Image.fromarray(colour[:, :, :3].copy()),
        Image.fromarray(colour),
        Image.fromarray(colour[:, :, :3].copy()).convert("P"),
        Image.fromarray(grey > 100),
    ]
    made = []
    for picture in pictures:
        stream = io.BytesIO()
        picture.save(stream, "PNG")
        made.append(stream.getvalue())
    for colour_type, samples in ((2, 3), (4, 2), (6, 4)):
        rows = rng.integers(0, 256, (33, 29 * 2 * samples)).astype("u1")
        lines = b"".join(bytes([i % 5]) + row.tobytes() for i, row in enumerate(rows))
        head = struct.pack(">IIBBBBB", 29, 33, 16, colour_type, 0, 0, 0)
        chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
        made.append(
            b"\x89PNG\r\n\x1a\n"
            + b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
        )
    return made


def _nifti() -> list[bytes]:
    import nibabel

    rng = np.random.default_rng(3)
    made = []
    for dtype, shape in (("i2", (12, 14, 9)), ("f4", (10, 11, 7, 3)), ("u1", (20, 6, 18)), ("f8", (9, 9))):
        for maker in (nibabel.Nifti1Image, nibabel.Nifti2Image):
            image = maker((rng.random(shape) * 100).astype(dtype), np.diag([1.0, -2.0, 3.0, 1.0]))
            image.header["descrip"] = NAME.encode()
            made.append(image.to_bytes())
            made.append(gzip.compress(image.to_bytes(), mtime=0))
    return made


def mutate(kind: str, data: bytes, rng: np.random.Generator) -> bytes:
    """Damage a file."""
    packed = data[:2] == b"\x1f\x8b"
    inside = rng.random() < 0.7
    if packed and inside:
        data = gzip.decompress(data)
    if kind == "PNG" and inside:
        data = _mend_png(data)
    for _ in range(min(int(rng.geometric(0.5)), 4)):
        data = _mutations[int(rng.integers(len(_mutations)))](kind, bytearray(data), rng)
    if packed and inside:
        data = gzip.compress(data, mtime=0)
    return _mend_png(data) if kind == "PNG" and inside else data


def _flip(_kind: str, data: bytearray, rng: np.random.Generator) -> bytes:
    for _ in range(int(rng.integers(1, 40)) if data else 0):
        # Half of them near the front, where headers are.
        end = min(len(data), 1024) if rng.random() < 0.5 else len(data)
        data[int(rng.integers(end))] = int(rng.integers(256))
    return bytes(data)


def _truncate(_kind: str, data: bytearray, rng: np.random.Generator) -> bytes:
    return bytes(data[: int(rng.integers(len(data) + 1))])


def _number(kind: str, data: bytearray, rng: np.random.Generator) -> bytes:
    """Put extreme numbers where the header has numbers."""
    for _ in range(int(rng.integers(1, 5))):
        size = int(rng.choice([1, 2, 4, 8]))
        if len(data) <= size:
            break
        start = 0
        if kind == "TIFF" and len(data) > 8 and rng.random() < 0.8:
            # The directory is anywhere.
            start = min(int.from_bytes(data[4:8], "little" if data[:2] == b"II" else "big"), len(data) - size - 1)
        at = start + int(rng.integers(min(len(data) - size - start, 400)))
        if rng.random() < 0.7:
            at -= at % 2
        value = int(rng.choice(np.array(EXTREMES, dtype=np.uint64))) & ((1 << 8 * size) - 1)
        data[at : at + size] = value.to_bytes(size, "little" if rng.random() < 0.5 else "big")
    return bytes(data)


def _insert(_kind: str, data: bytearray, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(len(data) + 1))
    return bytes(data[:at]) + rng.integers(0, 256, int(rng.integers(1, 64))).astype("u1").tobytes() + bytes(data[at:])


def _delete(_kind: str, data: bytearray, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(len(data) + 1))
    return bytes(data[:at] + data[at + int(rng.integers(1, 64)) :])


def _repeat(_kind: str, data: bytearray, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(len(data) + 1))
    end = at + int(rng.integers(1, 256))
    return bytes(data[:end] + data[at:end] * int(rng.integers(1, 4)) + data[end:])


_mutations: tuple[Callable[[str, bytearray, np.random.Generator], bytes], ...] = (
    _flip,
    _number,
    _number,
    _truncate,
    _insert,
    _delete,
    _repeat,
)


def _mend_png(data: bytes) -> bytes:
    """Return the file with its image data packed again, not compressed, and the checksums of its chunks set right."""
    out, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        if at + 12 + length > len(data):
            break
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        if kind == b"IDAT":
            body = zlib.compress(_inflate(body[2:]), 0)
        out += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        at += 12 + length
    return bytes(out) + data[at:]


def _inflate(body: bytes) -> bytes:
    """Unpack as far as it goes, without regard to the checksum."""
    inflater, out = zlib.decompressobj(-15), bytearray()
    try:
        for start in range(0, len(body), 16):
            out += inflater.decompress(body[start : start + 16])
    except zlib.error:
        pass
    return bytes(out)


def make(kind: str, seed: int, sound: list[bytes]) -> bytes:
    rng = np.random.default_rng([20261122, FORMATS.index(kind), seed])
    return mutate(kind, sound[int(rng.integers(len(sound)))], rng)


def judge(path: Path) -> str:
    """Find and decode everything in a file; return the outcome."""
    from scrutiq.core import Image, InputError
    from scrutiq.imaging import find_cases

    outcome = "refused"
    for number, case in enumerate(find_cases([path])):
        if number in (3, 10_000):  # the first slices tell; the rest is found, but not decoded
            break
        try:
            image = case.load().target
        except InputError as error:
            wrong = NAME in error.reason or "/" in error.reason.replace("JSON/", "") or not error.reason.endswith(".")
            if wrong or "\n" in error.reason or NAME in case.id:
                return f"bad reason: {error.reason}"
            continue
        if not isinstance(image, Image) or NAME in image.model_dump_json(exclude={"pixels", "valid", "source"}):
            return "not an image, or it names the patient"
        outcome = "image"
    return outcome


def work(pipe: Connection, memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # What native codecs print belongs to no report.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    sound: dict[str, list[bytes]] = {}
    with tempfile.TemporaryDirectory() as folder:
        while (task := pipe.recv()) is not None:
            kind, seed = task
            path = Path(folder) / f"{NAME}-{seed}{ENDINGS[kind]}"
            path.write_bytes(make(kind, seed, sound.setdefault(kind, bases(kind))))
            pipe.send("ready")
            try:
                pipe.send(judge(path))
            except BaseException as error:
                where = traceback.extract_tb(error.__traceback__)[-1]
                pipe.send(f"{type(error).__name__} in {Path(where.filename).name}:{where.lineno}")
            path.unlink()


class Worker:
    """One process, started again after a crash or a hang."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, far = context.Pipe()
        self._process = context.Process(target=work, args=(far, self._memory), daemon=True)
        self._process.start()
        far.close()

    def run(self, kind: str, seed: int) -> str:
        self._pipe.send((kind, seed))
        try:
            assert self._pipe.poll(120)  # starting takes a while, and does not count
            assert self._pipe.recv() == "ready"
            outcome = str(self._pipe.recv()) if self._pipe.poll(SECONDS_PER_FILE) else "hang"
        except EOFError:
            self._process.join()
            outcome = f"crash (exit status {self._process.exitcode})"
        if outcome.startswith(("hang", "crash")):
            self._process.kill()
            self._process.join()
            self._start()
        return outcome

    def stop(self) -> None:
        self._pipe.send(None)
        self._process.join(10)


def main() -> int:
    parser = argparse.ArgumentParser(description="Feed the readers broken files.")
    parser.add_argument("--count", type=int, default=500, help="files of each format")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--memory", type=float, default=4.0, help="address space of a worker, GiB")
    parser.add_argument("--formats", nargs="+", default=FORMATS, choices=FORMATS)
    parser.add_argument("--one", nargs=2, metavar=("FORMAT", "SEED"), help="run one file in this process")
    options = parser.parse_args()
    os.environ.setdefault("SCRUTIQ_SALT", "fuzz-imaging-of-scrutiq")
    if options.one:
        kind, seed = options.one[0], int(options.one[1])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{NAME}{ENDINGS[kind]}"
            path.write_bytes(make(kind, seed, bases(kind)))
            print(judge(path))
        return 0
    worker = Worker(int(options.memory * (1 << 30)))
    bad = []
    print(f"{'format':<8}{'files':>7}{'image':>7}{'refused':>9}{'bad':>5}{'bases':>7}{'seconds':>9}{'slowest':>9}")
    for kind in options.formats:
        counts: Counter[str] = Counter()
        slowest, start = 0.0, time.perf_counter()
        for seed in range(options.first, options.first + options.count):
            begun = time.perf_counter()
            outcome = worker.run(kind, seed)
            if seed > options.first:
                slowest = max(slowest, time.perf_counter() - begun)
            counts[outcome if outcome in ("image", "refused") else "bad"] += 1
            if outcome not in ("image", "refused"):
                bad.append(f"{kind} {seed}: {outcome}")
        print(
            f"{kind:<8}{options.count:>7}{counts['image']:>7}{counts['refused']:>9}{counts['bad']:>5}"
            f"{len(bases(kind)):>7}{time.perf_counter() - start:>9.1f}{slowest:>8.2f}s",
            flush=True,
        )
    worker.stop()
    for line in bad:
        print(line)
    print("every file gave an image or one clear refusal" if not bad else f"{len(bad)} files did not")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
