# Two commands do everything on a fresh machine with Rust: `make demo` and `make test`.
CARGO ?= cargo

.PHONY: help extensions demo test soak bench setup build fmt lint

help:
	@echo 'make demo   build, start the daemon with a simulated BMC, power a machine on, boot PXE, cycle, stop'
	@echo 'make test   install what the tests need, build everything, run all tests'
	@echo 'make soak   a thousand kills of the daemon and of the store under load (promises P1, P2), half an hour of schemathesis'
	@echo 'make bench  release build, print the promises with their floors (ARGS="--only 1 --quick")'
	@echo 'make extensions  the extensions that ship, as they are installed, in target/extensions (OUT=DIR)'
	@echo 'make lint   formatting and clippy, as CI runs them'

demo:
	$(CARGO) build --workspace --bins
	tests/demo.sh $${CARGO_TARGET_DIR:-target}/debug

# Binaries first: the end-to-end tests start them as processes.
test: setup build
	tests/run.sh

build:
	$(CARGO) build --workspace --bins

setup:
	tests/setup.sh

# The suite kills a few times at every run; this is the number that promise P1 names.
soak: build
	DRP_KILLS=1000 $(CARGO) test -p drp-tests --test crash
	DRP_STORE_KILLS=1000 $(CARGO) test -p drp-store --test it kill
	DRP_SCHEMATHESIS_SECONDS=1800 $(CARGO) test -p drp-tests --test openapi schemathesis

# Plugins are built on their own so that their figures are those of what an author ships.
bench: setup
	$(CARGO) build --release --workspace --bins
	$(CARGO) build --release -p echo
	target/release/drp bench $(ARGS)

# Those with a plugin of their own get its program from the build.
extensions: build
	extensions/assemble.sh $${CARGO_TARGET_DIR:-target}/debug $(or $(OUT),$${CARGO_TARGET_DIR:-target}/extensions)

fmt:
	$(CARGO) fmt --all

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
