# Lockgate. `make` alone prints this help; `make demo` and `make test` need nothing but python3 >= 3.11.
# Everything made here stays in .venv, .node and dist; `make clean` removes it.

PY     := .venv/bin/python
PYTEST := $(PY) -m pytest -n 3 --dist worksteal
VENV   := .venv/.ready
NODE   := .node/.ready
# Upstream servers and the Inspector from npm, started by name, on the Node they need.
WITH_NODE := PATH="$(CURDIR)/.node/bin:$(CURDIR)/.node/node_modules/.bin:$$PATH"

.DEFAULT_GOAL := help
.PHONY: help demo test conformance fuzz soak bench bench-compare bench-curves bench-budget check breakages docs lock wheel try-wheel clean

help: ## Print this help.
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

demo: $(VENV) ## Set up, then show the gateway at work before real MCP servers.
	@sh scripts/setup_node.sh || echo "No Node.js here: the demo goes on with fewer upstreams and without the scene of signing in."
	@$(WITH_NODE) .venv/bin/lockgate demo $(ARGS)

test: $(VENV) $(NODE) ## Set up, then run every test. ARGS="..." goes to pytest.
	@sh scripts/setup_git.sh
	@sh scripts/setup_postgres.sh
	@sh scripts/setup_servers.sh
	@sh scripts/setup_browser.sh
	@$(WITH_NODE) $(PYTEST) $(ARGS)

conformance: $(VENV) $(NODE) ## The public MCP suite, directly and through Lockgate: nothing may go worse.
	@sh scripts/setup_old_servers.sh
	@PYTHONPATH=src:tests:. $(PY) -m conformance $(ARGS)
	@$(PY) -m pytest conformance/test_old_servers.py

fuzz: $(VENV) ## Hostile bytes into every decoder. ARGS="--runs 1000000 --target NAME".
	@sh scripts/setup_fuzz.sh
	@PYTHONPATH=src:tests:. $(PY) -m fuzz $(ARGS)

soak: $(VENV) ## A long run under load, with upstreams that die. ARGS="--minutes 60 --report FILE".
	@PYTHONPATH=src:tests:. $(PY) -m soak $(ARGS)

bench: $(VENV) ## Measure, also the peers that pip installs. ARGS="--write --rounds 5 --peers 3".
	@PYTHONPATH=src:. $(PY) -m bench run $(ARGS)

bench-compare: $(VENV) ## Fail where a call costs more than bench/baseline.json says, beyond noise.
	@PYTHONPATH=src:. $(PY) -m bench compare $(ARGS)

bench-curves: $(VENV) ## Cost against upstreams, policies and journal rows.
	@PYTHONPATH=src:. $(PY) -m bench curves $(ARGS)

bench-budget: $(VENV) ## What each of the fourteen steps costs, and a flame graph.
	@PYTHONPATH=src:. $(PY) -m bench budget $(ARGS)

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
	rm -rf .venv .node .tools dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .fuzz .bench
	find src tests checks scripts bench -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV): pyproject.toml requirements.lock scripts/setup_python.sh
	@sh scripts/setup_python.sh

$(NODE): tests/node/package.json tests/node/package-lock.json scripts/setup_node.sh $(VENV)
	@sh scripts/setup_node.sh
