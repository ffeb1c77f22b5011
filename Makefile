# `make run` and `make test` work on a machine that has only Swift. `make` lists all targets.
.DEFAULT_GOAL := help

SWIFT ?= swift
# Without dynamic exclusivity checks, which cost a fifth of a request's time. Debug builds, which
# the tests use, keep them.
RELEASE := -c release -Xswiftc -enforce-exclusivity=unchecked
BUILD_PACKAGES := libnghttp2-dev libprotobuf-c-dev libxxhash-dev libsqlite3-dev zlib1g-dev libssl-dev pkg-config
TEST_PACKAGES := protobuf-compiler protobuf-c-compiler libprotobuf-dev python3-venv gcc openssl curl etcd-server \
  etcd-client protobuf-compiler-grpc protoc-gen-go-1-5 protoc-gen-go-grpc \
  g++ cmake libgrpc++-dev \
  golang-go golang-google-grpc-dev golang-github-golang-protobuf-1-5-dev golang-github-oneofone-xxhash-dev \
  default-jdk-headless libgrpc-java libprotobuf-java libnetty-java libperfmark-java liblz4-java \
  libgoogle-gson-java protobuf-compiler-grpc-java-plugin \
  maven libmaven-antrun-plugin-java libmaven-compiler-plugin-java libmaven-install-plugin-java \
  libmaven-jar-plugin-java libmaven-javadoc-plugin-java libmaven-resources-plugin-java libmaven-source-plugin-java \
  libsurefire-java libbuild-helper-maven-plugin-java libanimal-sniffer-java libgoogle-common-protos-java \
  nodejs node-typescript ruby ruby-grpc systemd prometheus chromium chromium-driver
BENCH_PACKAGES := nghttp2-client nghttp2-server libgrpc++-dev protobuf-compiler-grpc g++
VENV := .venv
# Runs the tests as an ordinary user without capabilities if the user is root.
UNPRIVILEGED := .ci/unprivileged
PYTEST := $(UNPRIVILEGED) $(VENV)/bin/python -m pytest -q -p no:cacheprovider
# The program of the Swift tests in a build folder. `swift test` would write to that folder, which
# may belong to root.
SWIFT_TESTS := debug/weirPackageTests.xctest --testing-library swift-testing --quiet

.PHONY: help deps deps-test deps-bench build run install package package-test test test-embedding docs manual hooks asan tsan fuzz soak torture rollouts \
  store-faults churn abuse bench protos check-protos check-contract release-protos vectors lists format lint

help: ## Lists the targets.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | \
	  while IFS="$$(printf '\t')" read -r target text; do printf 'make %-15s %s\n' "$$target" "$$text"; done

# Installs the missing Debian packages of $(1).
define install
	@missing=""; for package in $(1); do \
	  dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' \
	    || missing="$$missing $$package"; done; \
	if [ -n "$$missing" ]; then \
	  echo "installing:$$missing"; \
	  sudo=""; [ "$$(id -u)" = 0 ] || sudo="sudo"; \
	  $$sudo apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi
endef

deps: ## Installs the Debian packages that a build needs.
	$(call install,$(BUILD_PACKAGES))

deps-test: deps ## Installs the Debian packages that the tests need.
	$(call install,$(TEST_PACKAGES))

deps-bench: deps ## Installs the Debian packages that the benchmarks need.
	$(call install,$(BENCH_PACKAGES))

# Shown by `weir --version`. Unknown without git.
COMMIT = $(shell git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null)
build package: export WEIR_COMMIT = $(COMMIT)

build: deps ## Builds the tool in release mode.
	@[ -e .build/release/weir ] || echo "The first build takes about 7 minutes on 2 cores."
	$(SWIFT) build $(RELEASE) --product weir

run: build ## Builds Weir and serves the demo (7 minutes from a new clone).
	.build/release/weir serve --demo

# Builds nothing, so that root need not build. The program needs the Swift libraries of this machine;
# that of `make package` does not.
PREFIX ?= /usr/local
PROGRAM ?= .build/release/weir
install: ## Installs what `make build` has built, under DESTDIR and PREFIX (/usr/local).
	@test -x $(PROGRAM) || { echo "run 'make build' first"; exit 1; }
	deploy/install $(PROGRAM) "$(DESTDIR)" "$(PREFIX)"

# Statically linked with Swift's libraries, in a build folder of its own.
PACKAGES ?= .build-package/packages
package: deps ## Builds a .deb and a tarball that need no Swift, in .build-package/packages (12 minutes).
	$(SWIFT) build $(RELEASE) --static-swift-stdlib --scratch-path .build-package --product weir
	deploy/package .build-package/release/weir $(PACKAGES)

# Installs, runs, upgrades and purges the packages in a new Debian root. Needs root.
package-test: $(VENV)/installed ## Tries the packages of `make package` in a new Debian root.
	$(call install,debootstrap prometheus)
	WEIR_PACKAGES=$(PACKAGES) $(VENV)/bin/python -m pytest -q -p no:cacheprovider Tests/Python/package.py

test: deps-test $(VENV)/installed ## Runs all tests (30 minutes from a new clone).
	$(SWIFT) build --build-tests
	$(UNPRIVILEGED) .build/$(SWIFT_TESTS)
	$(MAKE) --no-print-directory docs check-protos check-contract
	$(PYTEST) -n 2 --dist loadfile Tests/Python

$(VENV)/installed: Tests/Python/requirements.txt clients/python/pyproject.toml
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install -q -r Tests/Python/requirements.txt -e clients/python
	touch $@

# Builds the manual's example package as a user would, with Weir as a dependency, and calls it. Omits
# the data for debuggers and editors.
test-embedding: deps-test $(VENV)/installed ## Builds and calls the manual's package that embeds Weir (6 minutes).
	$(SWIFT) build --product weir
	$(SWIFT) build --package-path Tests/Embedding --scratch-path .build-embedding \
	  --disable-index-store -debug-info-format none
	$(PYTEST) Tests/Python/embedding.py

# Builds the manual with the symbols of the library. A warning is an error, for example a broken link
# or a parameter without a description. The plugin is a dependency only here.
docs: deps ## Builds the manual into .build-docs.
	WEIR_BUILDS_DOCS=1 $(SWIFT) package --allow-writing-to-directory .build-docs \
	  generate-documentation --target Weir --warnings-as-errors --output-path .build-docs

# Generates the parts of the manual derived from the code: the commands and the limits.
manual: $(VENV)/installed ## Writes the manual's tables of commands and limits.
	$(SWIFT) build --product weir
	$(VENV)/bin/python Tests/Python/manual.py

# All tests with AddressSanitizer and LeakSanitizer: the Swift tests, and the servers and the tool
# in the Python tests. Excludes the clients in other languages, which the sanitizer does not check,
# and tests that measure memory, which the sanitizer changes.
SANITIZED_PYTHON = $(PYTEST) --timeout 1500 Tests/Python --ignore Tests/Python/test_clients.py \
  --ignore Tests/Python/test_client_packages.py --ignore Tests/Python/test_contract.py --ignore Tests/Python/test_runtime_calls.py -k "not memory_stays_flat"
asan: deps-test $(VENV)/installed ## Runs the tests under AddressSanitizer.
	$(SWIFT) build --build-tests --scratch-path .build-asan --sanitize=address
	LSAN_OPTIONS=suppressions=$(CURDIR)/Tests/leaks.supp \
	  $(SWIFT) test --skip-build --scratch-path .build-asan --sanitize=address
	WEIR_BUILD=.build-asan/debug WEIR_PATIENCE=5 \
	  LSAN_OPTIONS=suppressions=$(CURDIR)/Tests/leaks.supp $(SANITIZED_PYTHON)

# All tests with ThreadSanitizer.
tsan: deps-test $(VENV)/installed ## Runs the tests under ThreadSanitizer.
	$(SWIFT) build --build-tests --scratch-path .build-tsan --sanitize=thread
	TSAN_OPTIONS=suppressions=$(CURDIR)/Tests/races.supp:halt_on_error=1 \
	  $(SWIFT) test --skip-build --scratch-path .build-tsan --sanitize=thread
	WEIR_BUILD=.build-tsan/debug WEIR_PATIENCE=5 \
	  TSAN_OPTIONS=suppressions=$(CURDIR)/Tests/races.supp:halt_on_error=1 $(SANITIZED_PYTHON)

# Fuzzes all targets with libFuzzer, for TIME seconds in total. Results are written to `.fuzz`;
# commit an input that finds a fault to Tests/Fuzz/Corpus together with the fix. Runs with an empty
# environment, because libFuzzer would copy variables into its inputs.
TIME ?= 600
FUZZ_TARGETS := $(notdir $(wildcard Tests/Fuzz/Corpus/*))
FUZZ := .build-fuzz/release/Fuzz
fuzz: deps ## Fuzzes each target, for TIME=600 seconds in all.
	WEIR_BUILDS_FUZZER=1 $(SWIFT) build -c release --scratch-path .build-fuzz --product Fuzz \
	  -Xswiftc -enable-testing -Xswiftc -sanitize=fuzzer,address
	@for target in $(FUZZ_TARGETS); do \
	  mkdir -p .fuzz/$$target && echo "== $$target" && \
	  env -i WEIR_FUZZ=$$target SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=detect_leaks=0 $(FUZZ) .fuzz/$$target Tests/Fuzz/Corpus/$$target \
	    -max_total_time=$$(($(TIME) / $(words $(FUZZ_TARGETS)))) -max_len=4096 -timeout=10 -rss_limit_mb=4096 \
	    -print_final_stats=1 -verbosity=0 -artifact_prefix=.fuzz/$$target- || exit 1; done

# Runs all features under load for TIME seconds, and checks for leaks at the end.
soak: deps-test $(VENV)/installed build ## Runs all features under load for TIME seconds, and checks for leaks.
	WEIR_BUILD=.build/release $(VENV)/bin/python Tests/Python/soak.py --seconds $(TIME)

# Kills a server 1,000 times during changes of its state, and checks that no change was lost.
torture: deps-test $(VENV)/installed build ## Kills a server 1,000 times during changes, and checks that none is lost.
	WEIR_BUILD=.build/release $(VENV)/bin/python Tests/Python/torture.py --rounds 1000
	WEIR_BUILD=.build/release $(VENV)/bin/python Tests/Python/rollout_torture.py --rounds 100

# Rollouts of good and bad releases, beside the decisions of the default rules of other systems.
rollouts: deps-test $(VENV)/installed build ## Runs rollouts of good and bad releases, and shows the decisions (10 minutes).
	WEIR_BUILD=.build/release $(VENV)/bin/python Tests/Python/rollout_cases.py

# Makes each system call on the files of the SQLite store fail in every way, and damages these files
# 10,000 times. Takes half an hour; less with TMPDIR in memory.
store-faults: deps-test ## Fails each system call of the SQLite store, and damages its files.
	$(SWIFT) build --build-tests
	@folder=$$(mktemp -d) && .build/debug/StoreFaults $$folder && rm -r $$folder
	WEIR_DAMAGE_SAMPLES=10000 WEIR_DAMAGE_SEED=$$(date +%s) .build/$(SWIFT_TESTS) --filter FaultInjectionTests

# Scales, replaces and kills workers under load for TIME seconds, and checks for lost calls.
churn: deps-test $(VENV)/installed build ## Replaces and kills workers under load for TIME seconds.
	WEIR_BUILD=.build/release $(VENV)/bin/python Tests/Python/churn.py --seconds $(TIME)

# Runs all known attacks against a server, and measures the latency of another client.
abuse: deps-test $(VENV)/installed ## Attacks a server, and measures a well-behaved client.
	$(SWIFT) build $(RELEASE) --product FixtureServer
	WEIR_BUILD=.build/release $(VENV)/bin/python Tests/Python/abuse.py

bench: deps-test deps-bench $(VENV)/bench-installed ## Measures Weir beside its peers.
	$(SWIFT) build $(RELEASE) --product FixtureServer
	$(SWIFT) build $(RELEASE) --product weir
	$(SWIFT) build $(RELEASE) --product PolicyBenchmark
	$(VENV)/bin/python Benchmarks/bench.py

$(VENV)/bench-installed: Benchmarks/requirements.txt $(VENV)/installed
	$(VENV)/bin/pip install -q -r Benchmarks/requirements.txt
	touch $@

# Protos whose Swift types are public.
PUBLIC := $(addprefix google/protobuf/,any.proto duration.proto empty.proto field_mask.proto \
  struct.proto timestamp.proto wrappers.proto) weir/v1/serve.proto
OWN := weir/admin/v1/admin.proto weir/store/v1/store.proto etcd/etcd.proto otlp/otlp.proto \
  grpc/health/v1/health.proto grpc/reflection/v1/reflection.proto grpc/reflection/v1alpha/reflection.proto google/rpc/status.proto google/rpc/error_details.proto
OUT ?= Sources
TESTS_OUT ?= Tests
CLIENTS_OUT ?= clients
# Protos of the clients, and the gRPC plugin of a language.
CONTRACT := weir/admin/v1/admin.proto weir/v1/serve.proto
# The path of the Go module, instead of the option `go_package`, which the contract keeps.
GO_MODULE := $(shell sed -n 's/^module //p' clients/go/go.mod)
GO_OPTIONS = $(foreach option,module=$(GO_MODULE) Mweir/admin/v1/admin.proto=$(GO_MODULE)/adminv1 \
  Mweir/v1/serve.proto=$(GO_MODULE)/servev1,--$(1)_opt=$(option))
GRPC_PLUGIN = --plugin=protoc-gen-grpc_$(1)=$$(command -v grpc_$(1)_plugin) --grpc_$(1)_out=$(2)

protos: deps-test ## Writes all generated code.
	$(SWIFT) build --product weir-generate
	$(MAKE) --no-print-directory generate

.PHONY: generate
generate: $(VENV)/installed
	.build/debug/weir-generate -I protos -I /usr/include --c-out $(OUT)/CWeirProtos \
	  --swift-out $(OUT)/Messages/Generated --runtime "" --visibility public $(PUBLIC)
	.build/debug/weir-generate -I protos -I /usr/include --c-out $(OUT)/CWeirProtos \
	  --swift-out $(OUT)/Messages/Generated --runtime "" --visibility package $(OWN)
	.build/debug/weir-generate -I protos -I /usr/include --only-stubs --swift-out $(OUT)/Weir/Generated \
	  --runtime GRPCClient,Messages --visibility package weir/admin/v1/admin.proto
	.build/debug/weir-generate -I protos --c-out $(OUT)/CHelloWorldProtos \
	  --swift-out $(OUT)/HelloWorld/Generated helloworld/helloworld.proto
	.build/debug/weir-generate -I Tests/Protos -I /usr/include --c-out $(TESTS_OUT)/CEverything \
	  --swift-out $(TESTS_OUT)/MessagesTests/Generated --runtime Messages --visibility package \
	  everything.proto
	.build/debug/weir-generate -I Tests/Embedding/protos --c-out $(TESTS_OUT)/Embedding/Sources/CPrices \
	  --swift-out $(TESTS_OUT)/Embedding/Sources/Prices --visibility internal prices.proto
	@mkdir -p $(addprefix $(CLIENTS_OUT)/,python/src ruby/lib go node/src)
	protoc -I protos -I /usr/include $(CONTRACT) --python_out=$(CLIENTS_OUT)/python/src \
	  --pyi_out=$(CLIENTS_OUT)/python/src $(call GRPC_PLUGIN,python,$(CLIENTS_OUT)/python/src)
	protoc -I protos -I /usr/include $(CONTRACT) --ruby_out=$(CLIENTS_OUT)/ruby/lib \
	  $(call GRPC_PLUGIN,ruby,$(CLIENTS_OUT)/ruby/lib)
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" protoc -I protos -I /usr/include weir/admin/v1/admin.proto \
	  --plugin=protoc-gen-types=clients/node/protoc-gen-types --types_out=$(CLIENTS_OUT)/node/src
	protoc -I protos -I /usr/include $(CONTRACT) --go_out=$(CLIENTS_OUT)/go $(call GO_OPTIONS,go) \
	  --go-grpc_out=$(CLIENTS_OUT)/go $(call GO_OPTIONS,go-grpc)

# Fails if the committed generated code differs from the output of `make protos`.
check-protos: ## Fails if the generated code is not current.
	@scratch=$$(mktemp -d) && \
	$(MAKE) --no-print-directory -s generate OUT=$$scratch/Sources TESTS_OUT=$$scratch/Tests \
	  CLIENTS_OUT=$$scratch/clients && \
	for folder in $(addprefix Sources/,CWeirProtos Messages/Generated Weir/Generated CHelloWorldProtos \
	    HelloWorld/Generated) $(addprefix Tests/,CEverything MessagesTests/Generated) \
	    $(addprefix clients/,go/adminv1 go/servev1 ruby/lib/weir/admin ruby/lib/weir/v1 \
	    python/src/weir/admin python/src/weir/v1); do \
	  diff -r -x __pycache__ $$folder $$scratch/$$folder || { echo "run 'make protos'"; exit 1; }; done; \
	diff clients/node/src/admin.d.ts $$scratch/clients/node/src/admin.d.ts || { echo "run 'make protos'"; exit 1; }; \
	rm -rf $$scratch; echo "generated code is current"

# Lints the contract, and fails if it breaks clients of the last release.
PROTOS ?= protos
RELEASED := $(CURDIR)/protos/released.binpb
check-contract: $(VENV)/installed ## Lints the protos, and compares them with the last release.
	cd $(PROTOS) && $(CURDIR)/$(VENV)/bin/buf lint
	cd $(PROTOS) && $(CURDIR)/$(VENV)/bin/buf breaking --path weir --against $(RELEASED)
	@echo "the contract is compatible"

# Records the current contract as that of the last release. Run it for each release.
release-protos: $(VENV)/installed ## Records the current protos as those of the last release.
	cd protos && $(CURDIR)/$(VENV)/bin/buf build --path weir --exclude-source-info --output $(RELEASED)

# Generates the test vectors for clients in other languages.
vectors: deps ## Writes the test vectors of shard keys.
	WEIR_WRITE_VECTORS=1 $(SWIFT) test --filter AffinityVectorsTests

# Writes the list of `unsafe`, `public`, `@unchecked Sendable` and trapping operations that the tidy
# tests compare with the code.
lists: ## Writes the lists of the tidy tests.
	WEIR_WRITE_LISTS=1 $(SWIFT) test --filter ListsTests

format: ## Formats the Swift files.
	$(SWIFT) format --in-place --recursive Sources Tests Benchmarks Package.swift

lint: ## Lints the Swift files.
	$(SWIFT) format lint --strict --recursive Sources Tests Benchmarks Package.swift

hooks: ## Lets git lint the staged Swift files before each commit.
	git config core.hooksPath .githooks
