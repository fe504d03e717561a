"""The work on one upload, in a thread of its own: what it is, whether it may be that large, and upscaling it."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

from edge_sr.errors import MediaError, MissingError, OptionError
from edge_sr.integrations.service.asked import FILM_FORMATS, PICTURE_FORMATS, Asked
from edge_sr.integrations.service.problems import RESULT, UPLOAD, Refusal
from edge_sr.integrations.service.settings import Settings
from edge_sr.integrations.service.work.admission import Kind
from edge_sr.integrations.service.work.pool import NetworkPool
from edge_sr.sizes import Size, size_text
from edge_sr.upscale.film_plan import FilmPlan
from edge_sr.upscale.film_source import named_film
from edge_sr.upscale.inputs.animations import as_film, needs_pillow
from edge_sr.upscale.run.controls import Controls
from edge_sr.upscale.run.report import Report
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.run.watcher import Silent
from edge_sr.upscale.stills import upscale_picture
from edge_sr.upscale.streaming import Outgoing, stream_film
from edge_sr.upscaler import Upscaler
from edge_sr.video.encode.containers import film_suffix
from edge_sr.video.film.matroska import EBML
from edge_sr.video.image.files.heif_items import read_items
from edge_sr.video.image.formats import suffix_for
from edge_sr.video.image.read import read_info
from edge_sr.video.image.recognise import is_heic, is_still, open_picture
from edge_sr.video.mux.streamed import ByteSink
from edge_sr.video.protocols import names_others

# Formats whose header states the size of what is decoded, so that nothing large hides in a small file.
TAKEN = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "PPM", "JPEG2000", "QOI", "HEIF")
TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".tif": "image/tiff",
    ".avif": "image/avif",
    ".mkv": "video/x-matroska",
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
}
# The boxes that a MOV of before 2001 begins with, which has none that says what it is.
QUICKTIME = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")


@dataclasses.dataclass(frozen=True)
class UploadJob:
    """One request's folder, options, and the event that ends its work."""

    folder: Path
    asked: Asked
    stop: threading.Event = dataclasses.field(default_factory=threading.Event)

    @property
    def upload(self) -> Path:
        return self.folder / UPLOAD


@dataclasses.dataclass(frozen=True)
class Answer:
    """What is said of a result before its bytes: its size, what made it, and what is not in it."""

    suffix: str
    size: Size
    made_by: dict[str, str]
    dropped: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def recognise(job: UploadJob) -> Kind:
    """Whether the upload is a picture or a film, by its content; ``Refusal`` 415 for a list of other files."""
    if names_others(job.upload):
        raise Refusal(415, "the upload is a playlist: send the film itself")
    return "picture" if is_still(job.upload) else "film"


class Workshop:
    """What jobs share: the networks and the limits."""

    def __init__(self, settings: Settings, pool: NetworkPool) -> None:
        self._settings, self._pool = settings, pool

    def check_model(self, name: str | None) -> None:
        self._pool.check_model(name)

    def picture(self, job: UploadJob) -> tuple[Path, Answer]:
        """Upscales the upload into a file beside it."""
        self._check_picture(job.upload)
        info = read_info(job.upload)
        own = suffix_for(job.upload, info.content, deep=info.deep)
        suffix = _suffix(job.asked, PICTURE_FORMATS, "a film", own)
        request = self._request(job, suffix)
        self.check_pixels(info.size, request.whole_size(info.size))
        done = upscale_picture(request, self._controls(job))
        times = f"encoder;dur={done.encoder_ms:.1f}, decoder;dur={done.decoder_ms:.1f}"
        made_by = {**_made_by(done), "Server-Timing": times}
        return Path(done.output), Answer(suffix, done.output_size, made_by, done.dropped, done.warnings)

    def film(self, job: UploadJob, sink: ByteSink, begin: Callable[[Answer], None]) -> Report:
        """Upscales the upload into ``sink`` as it is made; ``begin`` is told of it before the first byte."""
        suffix = _suffix(job.asked, FILM_FORMATS, "a picture", self._own_film_suffix(job))

        def planned(plan: FilmPlan, network: Upscaler, lost: tuple[str, ...]) -> None:
            begin(Answer(suffix, plan.written, _made_by(network), lost))

        outgoing = Outgoing(sink, self.check_pixels, planned, self._settings.limits.pixels)
        controls = self._controls(job)
        with self._playable(self._request(job, suffix), controls) as request:
            return stream_film(request, outgoing, controls)

    def _own_film_suffix(self, job: UploadJob) -> str:
        """The upload's own container, or Matroska's where that is not written, or would not take what comes of it."""
        suffix = film_suffix(Path("film" + _film_suffix(job.upload)), job.asked.codec)
        if suffix != ".webm" or job.asked.codec is not None or job.asked.format is not None:
            return suffix
        # WebM's codec where none is named writes 8 bits.
        with named_film(self._request(job, suffix), self._settings.limits.pixels, threads=1) as film:
            return ".mkv" if film.info.colour.is_hdr and not film.info.tone_map else suffix

    @contextmanager
    def _playable(self, request: Request, controls: Controls) -> Iterator[Request]:
        """The request as FFmpeg can read its film, and no larger on disk than an upload may be."""
        path = Path(request.input)
        if not needs_pillow(path):
            yield request
            return
        self._check_picture(path)
        with as_film(request, controls, self._check_bytes) as film:
            yield film

    def _check_bytes(self, size: int) -> None:
        most = self._settings.limits.body_bytes
        if size > most:
            raise Refusal(
                413, f"the frames of the animation take more than {most} bytes, the most that is taken"
            )

    def warm(self, say: Callable[[str], None]) -> None:
        """Opens the default network, so that what is missing shows at once; says how it runs."""
        request = self._settings.network_request(Asked(scale=Fraction(1)).request(Path(), Path()))
        with self._pool.opened(request, Silent()) as network:
            say(f"{network.model} in {network.precision} on {network.backend}: {network.why}")

    def check_pixels(self, input_size: Size, output_size: Size) -> None:
        """``Refusal`` 413 for more pixels than may be in either."""
        most = self._settings.limits.pixels
        for what, size in (("the upload has", input_size), ("the result would have", output_size)):
            if size[0] * size[1] > most:
                raise Refusal(413, f"{what} {size_text(size)} pixels, and {most} are the most that is taken")

    def _request(self, job: UploadJob, suffix: str) -> Request:
        return self._settings.network_request(job.asked.request(job.upload, job.folder / (RESULT + suffix)))

    def _controls(self, job: UploadJob) -> Controls:
        return Controls(stop=job.stop, networks=self._pool)

    def _check_picture(self, path: Path) -> None:
        """Formats and sizes that may be, before anything is decoded."""
        try:
            size, content = _header(path)
        except (MediaError, MissingError) as error:
            raise Refusal(
                415, f"the upload is no picture of those that are taken ({', '.join(TAKEN)})"
            ) from error
        if content not in TAKEN:
            raise Refusal(415, f"{content} pictures are not taken, but {', '.join(TAKEN)}")
        self.check_pixels(size, size)


def _header(path: Path) -> tuple[Size, str]:
    if is_heic(path):
        crop = read_items(path).crop
        return (crop.width, crop.height), "HEIF"
    with open_picture(path) as image:
        return image.size, str(image.format)


def _suffix(asked: Asked, formats: dict[str, str], other: str, own: str) -> str:
    if asked.format is None:
        return own
    if asked.format not in formats:
        found = "a film" if formats is FILM_FORMATS else "a picture"
        raise OptionError(
            f"format {asked.format} is for {other}, and the upload is {found}: {', '.join(formats)}"
        )
    return formats[asked.format]


def _film_suffix(path: Path) -> str:
    """The container's, by content; Matroska's for animations and all else that is not written."""
    with path.open("rb") as file:
        head = file.read(64)
    if head.startswith(EBML):
        return ".webm" if b"webm" in head else ".mkv"
    if head[4:8] in QUICKTIME or (head[4:8], head[8:12]) == (b"ftyp", b"qt  "):
        return ".mov"
    return ".mp4" if head[4:8] == b"ftyp" and b"avis" not in head else ".mkv"


def _made_by(network: Upscaler | Report) -> dict[str, str]:
    made = {
        "Edge-SR-Model": network.model,
        "Edge-SR-Backend": network.backend,
        "Edge-SR-Precision": network.precision,
    }
    return {name: value for name, value in made.items() if value is not None}
