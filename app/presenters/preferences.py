"""The settings: read, kept, and applied at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, Signal

from app import settings as keys
from app.models.engine import engine_maker
from app.models.preferences import (
    DEVICES,
    LEAST_CACHE_GB,
    MOST_CACHE_GB,
    PICTURES,
    STEP_RULES,
    THEMES,
    TIME_BASES,
    CacheFacts,
    EncoderFacts,
    Preferences,
)
from carl_core.embeddings.store import EmbeddingStore, cache_folder
from carl_core.errors import CarlError
from carl_core.video.proxy import ProxyStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from app.jobs import Job, JobRunner
    from app.models.engine import Engine, EngineHandle
    from app.settings import Settings

    MakerOf = Callable[..., Callable[[], Engine]]


class PreferencesView(Protocol):
    """The settings dialog."""

    def set_preferences(self, preferences: Preferences) -> None:
        """Show the choices."""
        ...

    def show_encoder(self, facts: EncoderFacts) -> None:
        """Say which encoder is in use."""
        ...

    def show_encoder_problem(self, text: str) -> None:
        """Say why an encoder cannot be used; "" takes that away."""
        ...

    def show_cache(self, facts: CacheFacts) -> None:
        """Say how full the cache is."""
        ...

    def show_cache_problem(self, text: str) -> None:
        """Say why the cache cannot be used."""
        ...


def read_preferences(settings: Settings) -> Preferences:
    """Read the user's choices; what is not a choice counts as not chosen."""
    first = Preferences()
    gigabytes = settings.get(keys.CACHE_GB)
    if not LEAST_CACHE_GB <= gigabytes <= MOST_CACHE_GB:
        gigabytes = first.cache_gb

    def one_of(key: keys.Key[str], choices: tuple[str, ...]) -> str:
        value = settings.get(key)
        return value if value in choices else key.default

    return Preferences(
        model=settings.get(keys.MODEL),
        device=one_of(keys.DEVICE, DEVICES),
        cache_gb=gigabytes,
        step_rule=one_of(keys.STEP_RULE, STEP_RULES),
        time_base=one_of(keys.TIME_BASE, TIME_BASES),
        is_looping=settings.get(keys.LOOP),
        pictures=one_of(keys.PICTURES, PICTURES),
        theme=one_of(keys.THEME, THEMES),
        makes_copies=settings.get(keys.COPIES),
        keeps_nothing=settings.get(keys.KEEP_NOTHING),
    )


def proxy_folder() -> Path:
    """Folder of the small copies."""
    return cache_folder() / "proxies"


def engine_from(settings: Settings, model: Path | None = None) -> Callable[[], Engine]:
    """Return what makes the engine the user has chosen; ``model`` goes before the chosen one."""
    chosen = read_preferences(settings)
    return engine_maker(model or chosen.model or None, chosen.device, _bytes(chosen.cache_gb))


class PreferencesPresenter(QObject):
    """Keeps what is chosen and looks at encoder and cache in the background.

    Signals
    -------
    changed(Preferences, Preferences) : what was chosen before, and is now
    engine_wanted(Callable[[], Engine]) : embed and align with another engine from now on
    """

    changed = Signal(object, object)
    engine_wanted = Signal(object)

    def __init__(
        self,
        settings: Settings,
        jobs: JobRunner,
        engine: EngineHandle,
        parent: QObject | None = None,
        *,
        make: MakerOf = engine_maker,
    ) -> None:
        super().__init__(parent)
        self._settings = settings
        self._jobs = jobs
        self._engine = engine
        self._make = make
        self._view: PreferencesView | None = None
        self._facts: EncoderFacts | None = None

    @property
    def preferences(self) -> Preferences:
        """What is chosen."""
        return read_preferences(self._settings)

    def show_in(self, view: PreferencesView | None) -> None:
        """Fill a dialog, or forget it."""
        self._view = view
        if view is not None:
            view.set_preferences(self.preferences)
            self.look_at_encoder()
            self._look_at_cache(lambda store: None)

    def put(self, wanted: Preferences) -> None:
        """Keep the choices and apply them. An encoder file is checked first."""
        before = self.preferences
        if wanted == before:
            return
        if wanted.model != before.model:
            self._try_model(wanted)
            wanted = replace(wanted, model=before.model)
        self._keep(wanted)
        if wanted.cache_gb != before.cache_gb:
            self._limit_cache(_bytes(wanted.cache_gb))
        if wanted.device != before.device:
            # An adapted encoder stays: it is not among the settings.
            path = self._facts.path if self._facts is not None else wanted.model
            self._use(path, wanted)
        self.changed.emit(before, wanted)

    def look_at_encoder(self) -> None:
        """Say which encoder is in use, as soon as it is loaded."""
        self._jobs.submit(
            lambda job: _facts_of(self._engine.get()),
            key="preferences-encoder",
            done=self._on_facts,
            failed=self._on_encoder_failed,
        )

    def clear_cache(self) -> None:
        """Forget all embeddings that nobody is writing, and all small copies."""

        def clear(store: EmbeddingStore) -> None:
            # Not at the start of the program: it takes a fiftieth of it and is seldom needed.
            from carl_core.retrieval.libraries import clear_libraries

            store.clear()
            clear_libraries(store)
            ProxyStore(proxy_folder()).clear()

        self._look_at_cache(clear)

    # -------------------------------------------------------------------------------------------

    def _keep(self, wanted: Preferences) -> None:
        self._settings.set(keys.MODEL, wanted.model)
        self._settings.set(keys.DEVICE, wanted.device)
        self._settings.set(keys.CACHE_GB, wanted.cache_gb)
        self._settings.set(keys.STEP_RULE, wanted.step_rule)
        self._settings.set(keys.TIME_BASE, wanted.time_base)
        self._settings.set(keys.LOOP, wanted.is_looping)
        self._settings.set(keys.COPIES, wanted.makes_copies)
        self._settings.set(keys.PICTURES, wanted.pictures)
        self._settings.set(keys.THEME, wanted.theme)
        self._settings.set(keys.KEEP_NOTHING, wanted.keeps_nothing)
        self._settings.sync()

    def _use(self, path: str, wanted: Preferences) -> None:
        self.engine_wanted.emit(self._make(path or None, wanted.device, _bytes(wanted.cache_gb)))
        self.look_at_encoder()

    def _try_model(self, wanted: Preferences) -> None:
        """Use another encoder once it has been loaded; until then the present one stays."""
        make = self._make(wanted.model or None, wanted.device, _bytes(wanted.cache_gb))

        def done(facts: EncoderFacts) -> None:
            before = self.preferences
            after = replace(before, model=wanted.model)
            self._keep(after)
            self.engine_wanted.emit(make)
            self._on_facts(facts)
            self.changed.emit(before, after)
            if self._view is not None:
                self._view.set_preferences(after)

        def failed(error: Exception) -> None:
            self._on_encoder_failed(error)
            if self._view is not None:
                self._view.set_preferences(self.preferences)

        self._jobs.submit(
            lambda job: _facts_of(make()), key="preferences-model", done=done, failed=failed
        )

    def _on_facts(self, facts: EncoderFacts) -> None:
        self._facts = facts
        if self._view is not None:
            self._view.show_encoder_problem("")
            self._view.show_encoder(facts)

    def _on_encoder_failed(self, error: Exception) -> None:
        if self._view is not None:
            self._view.show_encoder_problem(_words(error))

    def _limit_cache(self, limit_bytes: int) -> None:
        def work(job: Job[None]) -> None:
            store = getattr(self._engine.get(), "store", None)
            if store is not None:
                store.limit_bytes = limit_bytes

        self._jobs.submit(work, key="preferences-limit", failed=self._on_encoder_failed)

    def _look_at_cache(self, first: Callable[[EmbeddingStore], object]) -> None:
        def work(job: Job[CacheFacts]) -> CacheFacts:
            store = EmbeddingStore()
            first(store)
            usage = store.usage()
            size_bytes = usage.size_bytes + ProxyStore(proxy_folder()).size_bytes()
            return CacheFacts(str(store.root), usage.entries, size_bytes)

        def done(facts: CacheFacts) -> None:
            if self._view is not None:
                self._view.show_cache(facts)

        def failed(error: Exception) -> None:
            if self._view is not None:
                self._view.show_cache_problem(_words(error))

        self._jobs.submit(work, key="preferences-cache", done=done, failed=failed)


def _facts_of(engine: Engine) -> EncoderFacts:
    encoder = engine.encoder
    return EncoderFacts(
        encoder.spec.name, encoder.model_id, str(encoder.path), encoder.provider, engine.notes
    )


def _bytes(gigabytes: float) -> int:
    return round(gigabytes * 1e9)


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, CarlError) else f"{type(error).__name__}: {error}"
