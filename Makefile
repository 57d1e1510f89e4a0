# make demo   sets everything up and shows the main job on real calls
# make test   sets everything up and passes all tests
# make help   lists the rest

# Debian's own interpreter is built with profile-guided optimisation; others on the PATH often are not.
PYTHON ?= $(shell /usr/bin/python3 -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
            && echo /usr/bin/python3 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# What was compiled is kept, whatever the environment says: else each of some 700 processes of the tests compiles all again.
export PYTHONDONTWRITEBYTECODE :=
CONFIG ?= config/sipguard.yaml
RATE ?= 100
SECONDS ?= 5
TRANSPORT ?= udp
BUNDLE ?= dist/bundle

.PHONY: help setup demo run test check bench bundle loadtest soak fuzz lock clean compiled compiledtest

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "sipguard needs Python 3.11 or newer; name it with make PYTHON=..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "python3 -m venv does not work; on Debian: apt-get install python3-venv"; exit 1; }
	@echo "installing what requirements.lock names into $(VENV): about a minute"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

setup: $(STAMP) ## virtual environment with the locked dependencies

demo: setup ## real calls through sipguard, one row each; TRANSPORT=tcp or tls
	$(BIN)/python -m tests.demo --transport $(TRANSPORT)

run: setup ## sipguard with the shipped configuration, in the foreground
	$(BIN)/sipguard run -c $(CONFIG)

test: setup ## all tests; names the Debian packages that are missing
	@$(BIN)/python -m tests.wanted
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not load"
	$(BIN)/python -m pytest -m load tests/e2e

check: setup ## ruff, mypy --strict, whether mypyc can translate the core, architecture test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tests.compilable
	$(BIN)/python -m pytest -q tests/test_architecture.py

loadtest: setup ## SIPp through sipguard: make loadtest RATE=300 SECONDS=10 TRANSPORT=tcp
	$(BIN)/python -m tests.loadtest --rate $(RATE) --seconds $(SECONDS) --transport $(TRANSPORT)

compiled: setup ## the core compiled by mypyc, in its own environment .venv-compiled (needs a C compiler)
	rm -rf build/compiled dist/compiled && mkdir -p build/compiled
	cp -r sipguard tests config sipp_scenarios docs pyproject.toml Makefile *.md LICENSE build/compiled/
	cd build/compiled && HATCH_BUILD_HOOK_ENABLE_MYPYC=1 CFLAGS="-DNDEBUG -fwrapv -fvisibility=hidden" \
	  ../../$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir ../../dist/compiled .
	rm -rf build/compiled/sipguard
	test -x .venv-compiled/bin/python || $(PYTHON) -m venv .venv-compiled
	.venv-compiled/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	rm -f .venv-compiled/lib/python3*/site-packages/*__mypyc*.so
	.venv-compiled/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall \
	  dist/compiled/*.whl

compiledtest: compiled ## the tests of the core, on the compiled core
	cd build/compiled && SIPGUARD_VECTORS=$${SIPGUARD_VECTORS:-$(CURDIR)/../shared/vectors} \
	  ../../.venv-compiled/bin/python -m pytest -q tests/sip tests/b2bua tests/screening tests/stir tests/net tests/numbers \
	  tests/store

bench: setup ## micro-benchmarks of the call path
	$(BIN)/python -m tests.bench

soak: setup ## 200,000 mixed calls and 200 storms, then every table is empty
	$(BIN)/python -m tests.soak

fuzz: setup ## coverage-guided fuzzing of the engine, FUZZ_SECONDS=60
	$(BIN)/python -m tests.fuzz

bundle: setup ## dist/sipguard-bundle.tar.gz: everything that an offline installation needs
	rm -rf $(BUNDLE) && mkdir -p $(BUNDLE)
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --only-binary :all: --no-deps --require-hashes \
	  -r requirements.runtime.lock --dest $(BUNDLE)
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation \
	  --wheel-dir $(BUNDLE) .
	cp -r requirements.runtime.lock config docs *.md LICENSE $(BUNDLE)/
	tar -C $(BUNDLE)/.. -czf $(BUNDLE)/../sipguard-bundle.tar.gz $(notdir $(BUNDLE))

lock: setup ## resolves the dependencies again
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet \
	  --python-version 3.11 --extra test --extra softphone --upgrade pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet \
	  --python-version 3.11 --constraint requirements.lock pyproject.toml --output-file requirements.runtime.lock

clean: ## removes what setup and runs made
	rm -rf $(VENV) .venv-compiled dist build var .mypy_cache .ruff_cache .pytest_cache .hypothesis
