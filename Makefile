# Builds, tests, installs and packages repconv. `make help` lists the targets.
#
# setup, demo, test and check install the system packages that are missing (scripts/bootstrap), with sudo where that
# takes it; nothing else does.

PREFIX  = /usr/local
DESTDIR =
SWIFT   = swift

# What is installed: programs that people start, in bin, and those that only repconv starts, in libexec/repconv.
PROGRAMS = repconv
HELPERS  = repconv-hdf5

# Linked statically, the Swift runtime need not be on the machine that runs the program, and start-up is faster.
STATIC   := $(if $(filter Linux,$(shell uname)),--static-swift-stdlib)
REPCONV  := .build/release/repconv
BUILT    := $(patsubst %,.build/release/%,$(PROGRAMS) $(HELPERS))
SOURCES  := Package.swift $(shell find Sources -type f)
# The tree of what is installed, and the packages.
STAGE    := .build/stage
STAGED   := scripts/stage scripts/sbom README.md CHANGELOG.md LICENSE $(wildcard formats/*.md) $(shell find examples -type f ! -path '*/.*')
PACKAGES := .build/packages

# The day that manuals and packages are dated by: that of the last commit.
export SOURCE_DATE_EPOCH := $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null),1735689600)

.PHONY: build setup demo test check fuzz sanitize interop bench docs install uninstall deb tarball sbom format clean help

build: $(STAGE)  ## build the release program, .build/release/repconv, and all that is installed with it

$(BUILT) &: $(SOURCES)
	@scripts/bootstrap --check
	for program in $(PROGRAMS) $(HELPERS); do \
	  $(SWIFT) build --configuration release --product $$program $(STATIC) || exit; \
	done
	@touch $(BUILT)

$(STAGE): $(BUILT) $(STAGED)
	@scripts/stage $@ .build/release $(PROGRAMS) -- $(HELPERS)

setup:  ## install the system packages that repconv is built with, where they are missing
	@scripts/bootstrap

demo: setup  ## import, fuse, inspect and run the network in examples/
	@$(MAKE) build
	@scripts/demo $(REPCONV)

test check: setup  ## run the tests
	$(SWIFT) test

# TARGETS: those of Tests/FuzzTargets, by default all; SECONDS: how long each is run.
SECONDS = 60
fuzz:  ## feed damaged files to all readers, with libFuzzer and AddressSanitizer: TARGETS='pickle hdf5' SECONDS=60
	@scripts/fuzz $(SECONDS) $(TARGETS)

# SANITIZERS: which; FILTER: which tests, as `swift test --filter` takes it, by default all.
SANITIZERS = address thread
sanitize:  ## run the tests under sanitizers, half an hour each: SANITIZERS='address thread' FILTER=HDF5Tests
	@FILTER='$(FILTER)' scripts/sanitize $(SANITIZERS)

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

install: $(STAGE)  ## install it below PREFIX (/usr/local): program, manuals, completions; DESTDIR for packagers
	@scripts/install $(STAGE) "$(DESTDIR)$(PREFIX)"

uninstall:  ## remove what 'make install' installed below PREFIX
	@scripts/uninstall "$(DESTDIR)$(PREFIX)"

deb: $(STAGE)  ## make a package for Debian and Ubuntu, .build/packages/*.deb (needs dpkg-dev)
	@scripts/package-deb $(STAGE) $(PACKAGES)

sbom:  ## print what the programs are built with, as CycloneDX
	@scripts/sbom

tarball: $(BUILT)  ## make an archive for any Linux, .build/packages/*.tar.gz, and SHA256SUMS
	@scripts/package-tarball $(PACKAGES) $(PROGRAMS) -- $(HELPERS)

format:  ## lay out the Swift sources with swift format
	$(SWIFT) format --in-place --parallel --recursive Package.swift Sources Tests

clean:  ## remove what was built; keeps downloaded packages and virtual environments
	$(SWIFT) package clean
	rm -rf .build/address .build/thread .build/demo .build/docs .build/fuzz/build .build/interop .build/stage .build/portable .build/packages

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z ]+:.*## / { printf "  %-10s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
