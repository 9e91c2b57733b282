# Two commands: `make demo` and `make test`. Each works as the first one in a fresh clone.
UV = $$(sh scripts/uv.sh)
RUN = $(UV) run --no-sync

.PHONY: demo test keys lint types layers pytest no-torch bench fuzz reliability audit compare encoder encoder-inputs screenshots system-libraries

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
	$(RUN) pytest -n 2 --dist loadfile -m "not alone"
	$(RUN) pytest -m alone

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

# Thousands of damaged files through the engine, in child processes; a run that was stopped goes on. CASES and SEED:
# how many, and which. The outcomes are docs/reliability/fuzz.json.
CASES = 10000
SEED = 1

fuzz:
	@$(UV) sync --quiet --inexact --group test
	$(RUN) python -m tests.fuzz --cases $(CASES) --seed $(SEED) -o docs/reliability/fuzz.json

# Faults on purpose, kills at random moments, the window used over and over, and docs/reliability.md of what came of
# them (an hour). PARTS: faults, kills, soak, table; without it all of them.
reliability:
	@$(UV) sync --quiet --all-extras --group test
	$(RUN) python -m scripts.reliability $(PARTS)

# Known weaknesses of what is installed (pip-audit, advisories of osv.dev). Says so where they cannot be asked.
audit:
	@$(UV) sync --quiet --all-extras
	@sh scripts/audit.sh "$(UV)"

# Losses side by side on the bundled trunk (docs/training.md). POOL: videos/, images/, manifest.csv to
# train on; DATA: recordings with labels.json to test on. Without them, simulated actions alone.
compare:
	@$(UV) sync --quiet --inexact --extra train
	OMP_NUM_THREADS=1 $(RUN) python -m training.compare $(if $(POOL),--pool $(POOL)) $(if $(DATA),--data $(DATA)) -o runs/compare

# The encoder in assets/ from free clips and pictures, simulated figures and two teachers, and its model card
# (docs/training.md). Every stage goes on where it stopped; a finished one is skipped. SCORES, COMPARE, NOTES: files
# for the card. RECIPE and ENCODER: another configuration of the trunk, another folder.
RECIPE = training/configs/distill/trunk.toml
ENCODER = runs/encoder
CARD = $(if $(SCORES),--scores "$(SCORES)") $(if $(COMPARE),--compare "$(COMPARE)") $(if $(NOTES),--notes "$(NOTES)")

encoder: encoder-inputs $(ENCODER)/head/encoder.onnx
	@cp $(ENCODER)/head/encoder.onnx $(ENCODER)/head/encoder.head.safetensors $(ENCODER)/
	$(RUN) python -m training.card --trunk $(ENCODER)/trunk --head $(ENCODER)/head --pool "$(POOL)" $(CARD) -o $(ENCODER)/encoder.md
	@echo "To measure it: python -m benchmarks.alignment --model $(ENCODER)/encoder.onnx --json scores.json,"
	@echo "then make encoder again with SCORES=scores.json. To make it the bundled one:"
	@echo "  cp $(ENCODER)/encoder.onnx $(ENCODER)/encoder.head.safetensors $(ENCODER)/encoder.md assets/"
	@echo "  python -m benchmarks.make_null_bank"

$(ENCODER)/trunk/trunk.onnx: $(RECIPE) | encoder-inputs
	$(RUN) python -m training.distill --config $(RECIPE) --set run.dir=$(ENCODER)/trunk \
		--set "views.pool=$(POOL)" --set "views.teachers=$(TEACHERS)"

$(ENCODER)/head/encoder.onnx: $(ENCODER)/trunk/trunk.onnx training/configs/bundled.toml | encoder-inputs
	$(RUN) python -m training.train --config training/configs/bundled.toml --set run.dir=$(ENCODER)/head \
		--set model.weights=$(ENCODER)/trunk/trunk.onnx --set "data.root=$(POOL)/videos" \
		--set "data.manifest=$(POOL)/manifest.csv" --set "data.backgrounds=$(POOL)/images"

encoder-inputs:
	@if [ ! -f "$(POOL)/manifest.csv" ] || [ ! -d "$(TEACHERS)" ]; then \
		echo "Use: make encoder POOL=FOLDER TEACHERS=FOLDER"; \
		echo "POOL holds videos/, images/*.tar and manifest.csv, which names the source and licence of every file;"; \
		echo "TEACHERS holds tf2_mobilenet_v2_1.0_224_ptq.tflite and movenet_single_pose_lightning_ptq.tflite"; \
		echo "(Apache-2.0, github.com/google-coral/test_data). See docs/training.md, The bundled encoder."; \
		exit 2; fi >&2
	@$(UV) sync --quiet --inexact --extra train

# The list of all keys, from the table of commands.
keys:
	@$(UV) sync --quiet --inexact
	@$(RUN) python -m app.actions > docs/keys.md

# The pictures of README and guide, from the real program on the bundled recordings.
screenshots:
	@$(UV) sync --quiet --inexact
	QT_QPA_PLATFORM=offscreen $(RUN) python -m scripts.screenshots docs/images
