# Two commands take you from a clone to a result: `make demo` and `make test`.
# PYTHON=python3.12 chooses another interpreter; ARGS goes to the command behind the target.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

ARGS ?=
# Tests wait more than they work: two at a time, whole files each. ARGS="-n 0" is one at a time.
WORKERS := -n 2 --dist loadscope --no-loadscope-reorder
BIN := .venv/bin
INSTALL := tools/install.sh

# Root as we are, else by sudo; without both, say what works all the same.
define as_root
if [[ $$EUID -eq 0 ]]; then run=(); \
elif command -v sudo >/dev/null; then run=(sudo env PYTHONDONTWRITEBYTECODE=1 PYTEST_ADDOPTS="-p no:cacheprovider"); \
else echo "make: error: $(1) builds network namespaces, which needs root, and there is no sudo here. \
Run it as root. Without root: $(BIN)/pdsno up (a real network, no lab), make check, make test-fast." >&2; exit 1; fi
endef

# The lab's hosts are as root's; Ansible speaks to them by ssh.
define lab_root
$(call as_root,make $@); $(INSTALL) apt tools/apt-packages.txt tools/apt-deploy.txt; $(INSTALL) dev; \
export PATH="$(CURDIR)/$(BIN):$$PATH"
endef

.PHONY: bundle lab-hosts deploy lab-hosts-down test-deploy
.PHONY: help demo test test-fast check format bench eval lock clean venv dev

help: ## show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)$$/\1 \2/p' Makefile | while read -r name text; do printf '  make %-14s %s\n' "$$name" "$$text"; done

demo: ## install what is missing, run the whole system on a lab of real routers (root)
	@$(call as_root,make demo); \
	$(INSTALL) apt tools/apt-packages.txt; \
	$(INSTALL) venv; \
	exec "$${run[@]}" $(BIN)/pdsno demo $(ARGS)

test: ## install what is missing, check and run all tests (root)
	@$(call as_root,make test); \
	$(INSTALL) apt tools/apt-packages.txt; \
	$(MAKE) check; \
	exec "$${run[@]}" $(BIN)/python -m pytest -q $(WORKERS) $(ARGS)

test-fast: dev ## unit and contract tests only: no root, no daemons, under a minute
	@echo "make: test-fast leaves out the tests marked lab (root) and integration (daemons); make test runs all" >&2
	@$(BIN)/python -m pytest -q $(wildcard tests/unit tests/contract) $(WORKERS) -m "not lab and not integration and not bench" $(ARGS)

check: dev ## lint, format, types, import contracts, sizes
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || { echo "make: run make format" >&2; exit 1; }
	@$(BIN)/mypy --no-error-summary
	@said=$$($(BIN)/lint-imports --no-logo 2>&1) || { echo "$$said" >&2; exit 1; }
	@$(BIN)/python tools/check_sizes.py
	@$(BIN)/codespell $(wildcard pdsno tests tools docs lab playbooks inventory *.md)
	@$(BIN)/yamllint --strict playbooks inventory lab/hosts .ansible-lint.yml
	@echo "check: clean" >&2

format: dev ## let ruff fix and format what it can
	@$(BIN)/ruff check --quiet --fix . || true
	@$(BIN)/ruff format --quiet .

bench: dev ## measure speed, beside other tools (root)
	@$(call as_root,make bench); \
	$(INSTALL) apt tools/apt-packages.txt tools/apt-bench.txt; \
	exec "$${run[@]}" $(BIN)/python -m pytest -q -s -m bench tests/bench $(ARGS)

bundle: venv ## pack PDSNO and its wheels for hosts without a network, into dist/
	@tools/bundle.sh

lab-hosts: ## boot five Debian hosts with systemd, joined to a network of devices (root)
	@$(lab_root); exec "$${run[@]}" lab/hosts/hosts.sh up

deploy: bundle ## let Ansible put PDSNO on the lab's hosts (root, after make lab-hosts)
	@$(lab_root); exec "$${run[@]}" $(BIN)/ansible-playbook -i inventory/lab playbooks/site.yml $(ARGS)

lab-hosts-down: ## take the lab's hosts and their network down (root)
	@$(lab_root); exec "$${run[@]}" lab/hosts/hosts.sh down

test-deploy: ## deploy to real hosts, upgrade, restore, remove: all of docs/deploy.md (root)
	@$(lab_root); exec "$${run[@]}" $(BIN)/python -m pytest -q -n 0 -m deploy tests/deploy $(ARGS)

eval: dev ## compare what we make of recorded devices with what they are
	@[[ -x .venv-eval/bin/python ]] || { .venv/bin/python -m venv .venv-eval; echo '*' >.venv-eval/.gitignore; }
	@.venv-eval/bin/python -m pip --disable-pip-version-check --no-input install --quiet \
		--require-hashes --only-binary :all: --no-deps -r requirements/eval.txt
	@status=0; for script in $$(grep -l __main__ tests/eval/*.py); do \
		name=$${script%.py}; $(BIN)/python -m "$${name//\//.}" || status=1; \
	done; exit $$status

lock: ## renew requirements/*.txt from pyproject.toml (needs uv)
	@tools/lock.sh $(ARGS)

venv: ## .venv with the locked runtime and pdsno (no root)
	@$(INSTALL) venv

dev: ## .venv with the test and lint tools as well (no root)
	@$(INSTALL) dev

clean: ## remove .venv and what tools leave behind
	@rm -rf .venv .venv-eval .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	@find pdsno tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
