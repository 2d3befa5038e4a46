# Builds, tests and installs repconv. `make help` lists the targets.
#
# build, demo and test first install the system packages that are missing (scripts/bootstrap).

PREFIX  = /usr/local
DESTDIR =
SWIFT   = swift

# Linked statically, the Swift runtime need not be on the machine that runs the program, and start-up is faster.
STATIC   := $(if $(filter Linux,$(shell uname)),--static-swift-stdlib)
REPCONV  := .build/release/repconv
# What it starts for HDF5 files that take the HDF5 library.
HDF5     := .build/release/repconv-hdf5
SOURCES  := Package.swift $(shell find Sources -type f)
BIN      := $(DESTDIR)$(PREFIX)/bin
SHARE    := $(DESTDIR)$(PREFIX)/share

.PHONY: build demo test interop bench docs install format clean help

build: $(REPCONV)  ## build the release program, .build/release/repconv

$(REPCONV): $(SOURCES)
	scripts/bootstrap
	$(SWIFT) build --configuration release --product repconv $(STATIC)
	$(SWIFT) build --configuration release --product repconv-hdf5 $(STATIC)
	@touch $@

demo: $(REPCONV)  ## import, fuse, inspect and run the network in examples/
	@scripts/demo $(REPCONV)

test:  ## run the tests
	scripts/bootstrap
	$(SWIFT) test

interop: $(REPCONV)  ## run Tests/Interop: check the output in real PyTorch and MegEngine (downloads them: several GB)
	@scripts/interop $(REPCONV)

# PEERS: a Python whose libraries (PyTorch, safetensors, h5py) are timed as well; BENCH: more arguments of bench.py.
PEERS = $(firstword $(wildcard .build/venv/torch-2.15/bin/python) python3)
bench: $(REPCONV)  ## time it, on checkpoints of 37 to 493 MB that it makes (needs python3 with NumPy)
	python3 Benchmarks/bench.py $(REPCONV) --peers $(PEERS) $(BENCH)
	@echo
	python3 Benchmarks/inference.py $(REPCONV) --peers $(PEERS)
	@echo
	python3 Benchmarks/instructions.py $(REPCONV)

docs:  ## build the documentation of the libraries, .build/docs, and check its links
	@scripts/docs

install: $(REPCONV)  ## install the program and its shell completions below PREFIX (/usr/local); DESTDIR for packagers
	install -d "$(BIN)" "$(SHARE)/bash-completion/completions" "$(SHARE)/zsh/site-functions" "$(SHARE)/fish/vendor_completions.d"
	install -m 755 $(REPCONV) "$(BIN)/repconv"
	install -m 755 $(HDF5) "$(BIN)/repconv-hdf5"
	$(REPCONV) --generate-completion-script bash >"$(SHARE)/bash-completion/completions/repconv"
	$(REPCONV) --generate-completion-script zsh >"$(SHARE)/zsh/site-functions/_repconv"
	$(REPCONV) --generate-completion-script fish >"$(SHARE)/fish/vendor_completions.d/repconv.fish"

format:  ## lay out the Swift sources with swift format
	$(SWIFT) format --in-place --parallel --recursive Package.swift Sources Tests

clean:  ## remove what was built; keeps downloaded packages and virtual environments
	$(SWIFT) package clean
	rm -rf .build/demo .build/docs .build/interop

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
