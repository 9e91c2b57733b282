# Two commands: `make demo` and `make test`. Each works as the first one in a fresh clone.
UV = $$(sh scripts/uv.sh)
RUN = $(UV) run --no-sync

.PHONY: demo test lint types layers pytest no-torch bench compare screenshots system-libraries

demo:
	@$(UV) sync --quiet --inexact
	@$(RUN) sh scripts/demo.sh

test:
	@$(UV) sync --quiet --all-extras --group test
	@sh scripts/qt_libraries.sh .venv/bin/python
	@$(MAKE) --no-print-directory lint types layers pytest no-torch

lint:
	$(RUN) ruff check .
	$(RUN) ruff format --check .

types:
	$(RUN) mypy

layers:
	$(RUN) lint-imports

pytest:
	$(RUN) pytest

# What a user without the [train] extra has must work without torch.
no-torch:
	@UV_PROJECT_ENVIRONMENT=.venv-base $(UV) sync --quiet --group test
	UV_PROJECT_ENVIRONMENT=.venv-base $(RUN) pytest -q -m "not slow and not torch" tests/architecture tests/cli

system-libraries:
	@$(UV) sync --quiet --inexact
	@sh scripts/qt_libraries.sh .venv/bin/python

bench:
	@$(UV) sync --quiet --inexact --group bench
	$(RUN) python -m benchmarks

# Losses side by side on the bundled trunk (docs/training.md). POOL: videos/, images/, manifest.csv to
# train on; DATA: recordings with labels.json to test on. Without them, simulated actions alone.
compare:
	@$(UV) sync --quiet --inexact --extra train
	OMP_NUM_THREADS=1 $(RUN) python -m training.compare $(if $(POOL),--pool $(POOL)) $(if $(DATA),--data $(DATA)) -o runs/compare

# The README's picture, from the real program on the bundled recordings.
screenshots:
	@$(UV) sync --quiet --inexact
	QT_QPA_PLATFORM=offscreen $(RUN) carl-gui --demo --self-test docs/images/window.png
