# The commands of the project. `make help` lists them; each sets up what it needs and does it once.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
JOBS ?= 3
SANDBOX := $(BIN)/python -m sandbox
IMAGE ?= localhost/agentrollouts:dev
NODE_IMAGES := .state/images.tar
STORY_PROGRAMS := $(BIN)/python -c "from sandbox.parts import parts; print(parts.traefik(), parts.prometheus())"
MANIFEST ?= install.yaml
POLICY_API := admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy
CRD_COPIES := crds charts/agentrollouts/files/crds
GATES_PAGE := docs/gates.md
AMERICAN := README.md CONTRIBUTING.md CHANGELOG.md agent docs charts crds operator

.DEFAULT_GOAL := help
.PHONY: help demo sandbox test test-units unit lint format crds gates verify check images
.PHONY: docs pictures bench bench-judge campaigns image image-test node-test kind manifests clean clean-cache

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

demo: $(INSTALLED) ## Play the whole story on real parts: a bad release is rolled back, and its fix ships
	@$(SANDBOX) demo

sandbox: $(INSTALLED) ## Start the stack with the operator in it and open a shell there
	@$(SANDBOX) shell

test: $(INSTALLED) ## Run all tests: units, contract, and end to end on the sandbox
	@$(SANDBOX) build
	@$(call beside,$(TESTS))

# Each of these takes a sandbox of its own, and the longest come first. What is in none of the lists is in test-operator
# below tests/e2e, and in test-units elsewhere.
objects := $(addprefix tests/e2e/,drills examples groups hooks objects playbook plugin)
campaigns := tests/campaigns
contract := tests/contract tests/e2e/parts
apart := tests/e2e/apart tests/e2e/obstacles tests/sandbox tests/sandbox_agent
LISTED := $(objects) $(campaigns) $(contract) $(apart)
operator := tests/e2e $(addprefix --ignore=,$(LISTED))
SANDBOXES := test-operator test-objects test-campaigns test-contract test-apart
TESTS := test-units $(SANDBOXES)
.PHONY: $(SANDBOXES)

$(SANDBOXES): test-%: $(INSTALLED)
	@$(SANDBOX) run -- $(BIN)/python -m pytest $($*) $(ARGS)

# They compute, and the sandboxes mostly wait: so they begin first and take what the others leave. The operator examines bundles
# at the lowest priority, which theirs may not exceed.
test-units: $(INSTALLED)
	@nice -n 19 $(SANDBOX) run -- $(BIN)/python -m pytest --numprocesses=auto --timeout=900 \
		--ignore=tests/e2e --ignore=tests/image --ignore=tests/node $(addprefix --ignore=,$(LISTED)) $(ARGS)

# Runs targets side by side, JOBS at a time in this order. The output of each comes in one piece; how long each took comes last.
beside = echo "Running $(1), $(JOBS) at a time; each prints its output when it ends" \
	&& mkdir -p .state && rm -f .state/seconds && { $(MAKE) --no-print-directory --jobs=$(JOBS) \
	--output-sync=recurse $(addprefix timed-,$(1)); status=$$?; cat .state/seconds; exit $$status; }

timed-%:
	@began=$$(date +%s); $(MAKE) --no-print-directory $*; status=$$?; \
		printf '%5d s  %s%s\n' $$(($$(date +%s) - began)) $* "$$([ $$status = 0 ] || echo ' FAILED')" \
		>> .state/seconds; exit $$status

unit: $(INSTALLED) ## Run the tests that need no sandbox
	@$(BIN)/python -m pytest tests/core tests/stories tests/api tests/shell tests/agent $(ARGS)

lint: $(INSTALLED) ## Check style, spelling, types and the layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/codespell $(AMERICAN)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m tests.levels agentrollouts.core agentrollouts.core.rollout agentrollouts.core.traffic

format: $(INSTALLED) ## Format the code and fix what can be fixed
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

crds: $(INSTALLED) ## Generate the CRDs from the models
	@for directory in $(CRD_COPIES); do $(BIN)/agentrollouts crds $$directory; done

gates: $(INSTALLED) ## Generate the tables of docs/gates.md from the templates
	@$(BIN)/agentrollouts gates $(GATES_PAGE)

verify: crds gates ## Fail if the generated files differ from the committed ones
	@git diff --exit-code -- $(CRD_COPIES) || { echo "The CRDs differ from the models: commit what make crds wrote"; exit 1; }
	@git diff --exit-code -- $(GATES_PAGE) || { echo "$(GATES_PAGE) differs from the templates: commit what make gates wrote"; exit 1; }

check: verify ## Run everything that CI runs: the image and the node alone, all else JOBS at a time
	@$(SANDBOX) build
	@$(call beside,lint $(TESTS) docs)
	@$(MAKE) --no-print-directory images

images: # One after the other, and alone: both may start the one Docker daemon, and nodes look at what else begins and ends
	@$(MAKE) --no-print-directory image-test
	@$(MAKE) --no-print-directory node-test

# The pages lie there as in the repository, so that the links between them hold in both.
docs: $(INSTALLED) ## Build the site of the docs in .state/site; a broken link is an error
	@rm -rf .state/site .state/site-pages && mkdir -p .state/site-pages
	@git ls-files -z '*.md' '*.svg' '*.png' '*.yaml' LICENSE | xargs -0 cp --parents --target-directory=.state/site-pages
	@$(BIN)/zensical build --clean --strict --config-file mkdocs.yml

pictures: $(INSTALLED) ## Take the picture of docs/page.md anew
	@$(SANDBOX) run -- $(BIN)/python -m pytest tests/e2e/people/test_pictures.py $(ARGS)
	@cp .state/pictures/light.png docs/images/page.png

bench: $(INSTALLED) ## Measure the figures of the README
	@$(SANDBOX) run -- $(BIN)/python -m bench $(ARGS)

bench-judge: $(INSTALLED) ## Measure the judge by Monte Carlo, compared with others (ARGS=--full: all repetitions)
	@$(BIN)/python -m bench.judge $(ARGS)

campaigns: $(INSTALLED) ## Disturb the operator in every way that we know (ARGS=NAME: one of them)
	@$(SANDBOX) run -- $(BIN)/python -m campaigns $(ARGS)

image: ## Build the operator's image (IMAGE=name, BASE=another base with Python)
	docker build --network host --tag $(IMAGE) $(if $(BASE),--build-arg BASE=$(BASE)) \
		--build-arg REVISION="$$(git rev-parse HEAD)" .

image-test: $(INSTALLED) ## Build the image on a base of Debian packages and test it in containers
	@image/daemon.sh sh -ec 'image/base.sh $(IMAGE)-base; $(MAKE) --no-print-directory image BASE=$(IMAGE)-base; \
		AGENTROLLOUTS_IMAGE=$(IMAGE) $(BIN)/python -m pytest tests/image $(ARGS)' \
		|| { status=$$?; [ $$status = 77 ] || exit $$status; }

node-test: $(INSTALLED) ## Install the chart with the image on a real node of its own and test it in pods
	@$(BIN)/python -m sandbox.node.probe && $(SANDBOX) build && image/daemon.sh sh -ec 'image/base.sh $(IMAGE)-base; \
		$(MAKE) --no-print-directory image BASE=$(IMAGE)-base; image/node.sh $(IMAGE) $(NODE_IMAGES) $$($(STORY_PROGRAMS))' \
		&& export AGENTROLLOUTS_IMAGES=$(NODE_IMAGES) \
		&& $(SANDBOX) node -- $(BIN)/python -m pytest tests/node --ignore=tests/node/apart $(ARGS) \
		&& $(BIN)/python -m pytest tests/node/apart $(ARGS) \
		|| { status=$$?; [ $$status = 77 ] || exit $$status; }

kind: ## Install the chart in a kind cluster, check it and play the demo there (needs kind; image/kind.sh says what else)
	@$(MAKE) --no-print-directory image
	@image/kind.sh $(IMAGE)

manifests: $(INSTALLED) ## Render the chart and its namespace as one file, install.yaml (ARGS=--set=...)
	@$(SANDBOX) build
	@{ printf 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: agentrollouts\n'; \
		"$$($(BIN)/python -c 'from sandbox.parts import parts; print(parts.helm())')" template agentrollouts \
		charts/agentrollouts --no-hooks --namespace agentrollouts --api-versions $(POLICY_API) $(ARGS); } > $(MANIFEST)

clean: ## Remove everything that was built in this checkout
	rm -rf .venv .state .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

clean-cache: $(INSTALLED) ## Remove the built parts of the sandbox from the user's cache folder
	@$(SANDBOX) clean

$(INSTALLED): requirements.lock pyproject.toml agent/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' \
		|| { echo "Python's venv module is missing; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Installing Python packages into .venv"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . --editable ./agent
	@$(BIN)/python -m compileall -q operator agent sandbox testkit  # or each start compiles, where nothing may write bytecode
	@touch $@
