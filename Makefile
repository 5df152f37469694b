# Lockgate. `make` alone prints this help; `make demo` and `make test` need nothing but python3 >= 3.11.
# Everything made here stays in .venv, .node and dist; `make clean` removes it.

PY     := .venv/bin/python
PYTEST := $(PY) -m pytest -n 2 --dist worksteal
VENV   := .venv/.ready
NODE   := .node/.ready
# Upstream servers and the Inspector from npm, started by name, on the Node they need.
WITH_NODE := PATH="$(CURDIR)/.node/bin:$(CURDIR)/.node/node_modules/.bin:$$PATH"

.DEFAULT_GOAL := help
.PHONY: help demo test check breakages docs lock wheel try-wheel clean

help: ## Print this help.
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

demo: $(VENV) ## Set up, then show the gateway at work before real MCP servers.
	@sh scripts/setup_node.sh || echo "No Node.js here: the demo goes on with fewer upstreams."
	@$(WITH_NODE) .venv/bin/lockgate demo $(ARGS)

test: $(VENV) $(NODE) ## Set up, then run every test. ARGS="..." goes to pytest.
	@sh scripts/setup_git.sh
	@$(WITH_NODE) $(PYTEST) $(ARGS)

check: $(VENV) ## Lint, types, import contracts, ratchets, documents. No test runs.
	@$(PY) -m scripts.check

breakages: $(VENV) ## Break the program on purpose, one way at a time: each must be noticed.
	@$(PY) -m scripts.breakages $(ARGS)

docs: $(VENV) ## Write the documents that are generated from the code.
	@$(PY) -m scripts.make_docs

lock: $(VENV) ## Make requirements.lock and tests/node/package-lock.json anew.
	@sh scripts/make_lock.sh

wheel: $(VENV) ## Build the wheel into dist/.
	@rm -rf dist && $(PY) -m build --wheel --no-isolation --outdir dist .

try-wheel: wheel ## Install the wheel in an empty environment and run its demo.
	@sh scripts/try_wheel.sh

clean: ## Remove everything that make made.
	rm -rf .venv .node .tools dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests checks scripts -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV): pyproject.toml requirements.lock scripts/setup_python.sh
	@sh scripts/setup_python.sh

$(NODE): tests/node/package.json tests/node/package-lock.json scripts/setup_node.sh $(VENV)
	@sh scripts/setup_node.sh
