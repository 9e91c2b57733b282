"""The two graphs of an encoder at work, and what is done when the device fails under them.

A GPU may run out of memory because another program takes it, fail for good (driver updated,
machine slept), or give what is no number. Then the work goes on: with fewer frames at a time, and
on the CPU where that does not help. Nobody is asked; ``notes`` says so. It is used at all only if
it gives what the CPU gives, tried on a few frames whenever an encoder is opened.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from carl_core.encoder.modelfile import read_model_file
from carl_core.encoder.providers import CPU, notes_on, open_session, unused, wanted_providers
from carl_core.errors import ModelError

if TYPE_CHECKING:
    import numpy.typing as npt
    import onnxruntime

    from carl_core.arrays import Float32
    from carl_core.encoder.modelfile import ModelFile
    from carl_core.encoder.spec import EncoderSpec

log = logging.getLogger("carl.embed")

TRUNK, HEAD = "trunk", "head"
# What ONNX Runtime and CUDA say when memory is short; their errors carry no code.
_SHORT_OF_MEMORY = (
    "out of memory",
    "failed to allocate memory",
    "bad_alloc",
    "cudaerrormemoryallocation",
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
    "available memory",
)
# Frames a GPU is tried on.
_TRIED = 4
# Length of the difference to the CPU's answer over the length of that. Single precision is below
# 1e-4, half precision about 1e-2; for vectors this is a cosine of 0.995.
_MOST_OFF = 0.1


class OutOfMemoryError(ModelError):
    """The device has no memory for so many frames at once (inside this package only)."""


class Sessions:
    """Trunk and head of an encoder file. Safe from several threads.

    Parameters
    ----------
    device, threads : as ``load_encoder``

    Attributes
    ----------
    notes : sentences a user should see; there may be more of them later

    Raises
    ------
    ModelError
        When ONNX Runtime refuses the file.
    """

    def __init__(self, file: ModelFile, *, device: str, threads: int | None) -> None:
        self._path, self._model_id, self._threads = file.path, file.model_id, threads
        self._lock = threading.Lock()
        providers, notes = wanted_providers(device)
        if len(providers) > 1:
            self._sessions, why_not = self._proven(file, providers)
            notes += why_not
        else:
            self._sessions = self._opened(file, providers)
        self.notes: tuple[str, ...] = notes
        for note in self.notes:
            log.warning("%s", note)

    @property
    def provider(self) -> str:
        """What the sessions report to run on, e.g. "CPUExecutionProvider"."""
        return str(self._sessions[TRUNK].get_providers()[0])

    def run(
        self, which: str, inputs: dict[str, npt.NDArray[Any]], shape: tuple[int, ...]
    ) -> Float32:
        """Run ``TRUNK`` or ``HEAD``; what fails elsewhere is run again on the CPU.

        Parameters
        ----------
        shape : that the answer must have

        Raises
        ------
        OutOfMemoryError
            When there is not enough memory, and fewer frames may do.
        ModelError
            When the model fails on the CPU, too, or gives what is no number.
        """
        session = self._sessions[which]
        try:
            return self._once(session, inputs, shape)
        except OutOfMemoryError:
            raise
        except ModelError as error:
            if session.get_providers()[0] == CPU:
                raise
            self.fall_back(session, which, error)
        return self._once(self._sessions[which], inputs, shape)

    def fall_back(
        self, failed: onnxruntime.InferenceSession | None, which: str, error: ModelError
    ) -> None:
        """Go on on the CPU, unless another thread did so already.

        Parameters
        ----------
        failed : the session that gave up, None = whichever is in use

        Raises
        ------
        ModelError
            ``error``, when there is nothing to fall back to.
        """
        with self._lock:
            if failed is not None and self._sessions[which] is not failed:
                return
            if self.provider == CPU:
                raise error
            try:
                file = read_model_file(self._path)
                if file.model_id != self._model_id:
                    raise error
                self._sessions = self._opened(file, [CPU])
            except ModelError:
                raise error from error.__cause__
            self._say(
                "The encoder failed on the GPU and goes on on the CPU, which is slower. "
                "Start the program again to use the GPU."
            )
        log.warning("%s", error)

    def say_smaller(self, frames: int) -> None:
        """Note that only so many frames are looked at at a time."""
        with self._lock:
            self._say(
                "There is little memory left for the encoder: it looks at fewer frames at a time, "
                "which is slower. Close other programs to change that."
            )
        log.warning("The encoder takes %d frames at a time from here on.", frames)

    def _say(self, note: str) -> None:
        if note not in self.notes:
            self.notes = (*self.notes, note)

    def _proven(
        self, file: ModelFile, providers: list[Any]
    ) -> tuple[dict[str, onnxruntime.InferenceSession], tuple[str, ...]]:
        """Open on the GPU if it gives what the CPU gives; else on the CPU, with a sentence why."""
        try:
            found = self._opened(file, providers)
        except ModelError as error:
            log.info("%s", error)
            # What is wrong with the file itself comes up again.
            return self._opened(file, [CPU]), (unused("it could not take the encoder"),)
        right = self._opened(file, [CPU])
        for session in found.values():
            idle = notes_on(session, providers)
            if idle:  # both, that no graph stays on a GPU that does not take the other
                return right, idle
        try:
            off = _difference(self._tried(found, file.spec), self._tried(right, file.spec))
        except ModelError as error:
            log.info("%s", error)
            return right, (unused("it failed when it was tried"),)
        log.debug("the GPU is off by %.2g of the CPU's answer", off)
        if off > _MOST_OFF:
            return right, (unused("it gives other numbers than the CPU"),)
        return found, ()

    def _tried(
        self, sessions: dict[str, onnxruntime.InferenceSession], spec: EncoderSpec
    ) -> tuple[Float32, Float32]:
        """Return features (T, C) and vectors (T, D) of a few coarse pictures, always the same."""
        cells = np.random.default_rng(0).integers(0, 256, (_TRIED, 4, 4, 3), dtype=np.uint8)
        places = np.arange(spec.size) * 4 // spec.size
        frames = cells[:, places][:, :, places]  # (T, S, S, 3)
        shape = (1, _TRIED, spec.channels)
        features = self._once(sessions[TRUNK], {"frames": frames[None]}, shape)
        inputs: dict[str, npt.NDArray[Any]] = {
            "features": features,
            "times_s": np.arange(_TRIED, dtype=np.float32)[None] / np.float32(spec.sample_fps),
            "valid": np.ones((1, _TRIED), dtype=np.bool_),
        }
        vectors = self._once(sessions[HEAD], inputs, (1, _TRIED, spec.dim))
        return features[0], vectors[0]

    def _opened(
        self, file: ModelFile, providers: list[Any]
    ) -> dict[str, onnxruntime.InferenceSession]:
        try:
            return {
                TRUNK: open_session(file.trunk, providers, threads=self._threads),
                HEAD: open_session(file.head, providers, threads=self._threads),
            }
        except ModelError as exc:
            raise ModelError(f"{file.path} cannot be used as an encoder. {exc}") from exc

    def _once(
        self,
        session: onnxruntime.InferenceSession,
        inputs: dict[str, npt.NDArray[Any]],
        shape: tuple[int, ...],
    ) -> Float32:
        try:
            output: Float32 = session.run(None, inputs)[0]
        except Exception as exc:  # ONNX Runtime's exceptions share no base class but Exception
            said = str(exc)
            is_short = isinstance(exc, MemoryError) or any(
                sign in said.lower() for sign in _SHORT_OF_MEMORY
            )
            kind = OutOfMemoryError if is_short else ModelError
            raise kind(
                f"The encoder {self._path} failed while running on {session.get_providers()[0]}: "
                f"{said.splitlines()[0][:300] if said else type(exc).__name__}. "
                + (
                    "Close other programs or some recordings, then try again."
                    if is_short
                    else "Try it with the device set to cpu, or use another encoder."
                )
            ) from exc
        if output.shape != shape:
            raise ModelError(
                f"The encoder {self._path} gave an array of {output.shape}, not of {shape}. "
                "Use another encoder."
            )
        if not np.isfinite(output).all():
            raise ModelError(
                f"The encoder {self._path} gave values that are not numbers. Use another encoder."
            )
        return output


def _difference(found: tuple[Float32, Float32], right: tuple[Float32, Float32]) -> float:
    """Return the largest difference of a row, as a share of that row's length."""
    shares = [
        np.linalg.norm(one - two, axis=1) / np.maximum(np.linalg.norm(two, axis=1), 1e-6)
        for one, two in zip(found, right, strict=True)
    ]
    return float(np.max(shares))
