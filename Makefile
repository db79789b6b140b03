# Everything runs from the checkout; `make run` and `make test` need Debian 12, python3, pip and make.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help run demo screenshots env dev libvirt test test-openstack check format golden bench soak wheel bundle bundle-check packages lock clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: env ## start the agent on 127.0.0.1:9808 and the review console on 127.0.0.1:9809
	@trap 'kill 0' EXIT; $(BIN)/jianwei console --config deploy/console/local.yaml & $(BIN)/jianwei run --config agents/default.yaml

demo: env ## an example city in the console, with its monthly report, on 127.0.0.1:9809; two minutes
	$(BIN)/jianwei demo

screenshots: dev packages ## remake docs/screenshots from the example city
	$(BIN)/python -m tests.screenshots

env: .venv/runtime ## make .venv with the pinned dependencies
dev: .venv/dev

# Debian's python3 may lack ensurepip; its pip can then install into the environment from outside.
.venv/bin/python:
	$(PYTHON) -m venv .venv 2>/dev/null || $(PYTHON) -m venv --clear --without-pip .venv

.venv/runtime: .venv/bin/python requirements.lock setup.cfg
	$(PYTHON) -m pip --python $(BIN)/python install -q --require-hashes -r requirements.lock
	$(PYTHON) -m pip --python $(BIN)/python install -q --no-deps -e .
	@touch $@

.venv/dev: .venv/runtime requirements-dev.lock
	$(PYTHON) -m pip --python $(BIN)/python install -q --require-hashes -r requirements-dev.lock
	@touch $@

packages: ## as root with apt: install the Debian packages that tests need
	@tests/install-packages

libvirt: dev packages
	@tests/link-libvirt

test: libvirt ## set up what the tests need and run them all, in two lanes; or pytest with ARGS
	$(BIN)/python -m pytest $(or $(ARGS),-p tests.lanes)

test-openstack: dev ## set up a real OpenStack (1 GB of packages) and run the tests that need it
	@tests/install-packages tests/debian-packages.txt tests/openstack-packages.txt
	$(BIN)/python -m pytest -m openstack $(ARGS)

check: dev ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config setup.cfg

format: dev ## format and fix what ruff can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

golden: dev ## rewrite golden files
	$(BIN)/python -m pytest -m golden --update-golden $(ARGS)

bench: dev packages ## measure; side by side with node_exporter, fping and blackbox_exporter (as root)
	$(BIN)/python -m benchmarks.agent
	$(BIN)/python -m benchmarks.links
	$(BIN)/python -m benchmarks.readiness
	$(BIN)/python -m benchmarks.baseline
	$(BIN)/python -m benchmarks.historyagent
	$(BIN)/python -m benchmarks.history
	$(BIN)/python -m benchmarks.report
	$(BIN)/python -m benchmarks.remotewrite
	$(BIN)/python -m benchmarks.console --times 10
	$(BIN)/python -m benchmarks.fleet

soak: dev ## 20,000 scrapes; memory must not grow
	$(BIN)/python -m benchmarks.soak

wheel: dev ## build dist/*.whl (without tests)
	$(BIN)/python -m deploy.bundle wheel

bundle: dev ## build dist/: what hosts get, with interpreter and libraries, a .deb, the wheel, sums and SBOMs
	$(BIN)/python -m deploy.bundle

bundle-check: dev ## build everything twice, in two folders and at two times, and compare
	$(BIN)/python -m deploy.bundle.twice

lock: ## rewrite the lock files from setup.cfg
	$(PYTHON) -m pip --python $(BIN)/python install -q uv
	$(BIN)/uv pip compile -q -U --generate-hashes --no-emit-index-url --no-header --python-version 3.11 setup.cfg -o requirements.lock
	$(BIN)/uv pip compile -q -U --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra dev setup.cfg -c requirements.lock -o requirements-dev.lock

clean: ## remove everything that was built
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
