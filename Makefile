# Two commands are enough: `make demo` and `make test`. Each makes the environment first.

.DEFAULT_GOAL := help
.PHONY: help env demo test test-slow check calibrate lock format clean

WORKERS ?= 2
BIN := .venv/bin

# Each test process gets one core: the workers are the parallelism.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

# scripts/setup_env.py by the first Python that starts (a shim may exist and not start),
# or, on a machine without any, by the Python of a uv.
define setup
for python in python3 python3.13 python3.12 python3.14 \
    "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.*/bin/python3 /usr/bin/python3; do \
  if "$$python" -c "import sys; sys.exit(sys.version_info < (3, 6))" 2>/dev/null; then \
    exec "$$python" scripts/setup_env.py $(1); \
  fi; \
done; \
for uv in uv "$$HOME/.local/bin/uv" "$$HOME/.cargo/bin/uv"; do \
  if "$$uv" --version >/dev/null 2>&1; then \
    export UV_SYSTEM_CERTS=1 UV_PYTHON="$${UV_PYTHON:-3.13}"; \
    exec "$$uv" run --no-project scripts/setup_env.py $(1); \
  fi; \
done; \
echo "softseg needs Python 3.12 or newer, and no Python starts here: install one and try again."; \
exit 1
endef

help: ## what there is to do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

env: ## the environment in .venv, from the locked packages
	@$(call setup,env)

demo: env ## a whole study on synthetic customers
	@$(BIN)/softseg run --example --out out/demo

test: env ## the tests, without the slow ones and without calibration
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

test-slow: env ## the tests that take more than about ten seconds each
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m slow

check: env ## lint, format, types, and whether the lock is current
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	@$(call setup,check-lock)

calibrate: env ## thousands of fits against known truth; hours
	@$(BIN)/python scripts/calibrate.py

lock: ## renew the lock; OPTIONS="--upgrade" for newer packages
	@$(call setup,lock $(OPTIONS))

format: env ## put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove caches and builds; the environment stays
	rm -rf build dist .coverage htmlcov .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path "./.venv*" -prune -exec rm -rf {} +
