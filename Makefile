# make           builds ./belleville
# make test      all tests, with the race detector, on real parts
# make check     style, vet, staticcheck, and the tests
# make chaos     the table of faults in full, with its figures: docs/faults.md
# make bench     the benchmarks of docs/performance.md
# make bench-layers   the benchmark of the channel layers, which writes its figures into docs/layers.md
# make bench-server  the server beside a yardstick: rewrites the table of docs/performance.md, in 13 minutes
# make fuzz      every fuzz target for FUZZTIME
# make demo-django   Postgres, Django and Belleville together

FUZZTIME ?= 30s
BENCHTIME ?= 1s
TOOLS = go tool -modfile=.ci/tools/go.mod

.PHONY: build test check style bench bench-server bench-layers chaos fuzz demo-django parts

build:
	CGO_ENABLED=0 go build -trimpath -o belleville ./cmd/belleville

test: parts
	go test -race -timeout 20m ./...
	cd .ci/compose && go test -count=1 ./...

check: style test

style:
	@test -z "$$($(TOOLS) gofumpt -extra -l . | tee /dev/stderr)" || { echo "run: $(TOOLS) gofumpt -extra -w ."; exit 1; }
	go vet ./...
	$(TOOLS) staticcheck ./...
	go fix -diff ./...

chaos: parts
	@.ci/chaos

bench: parts
	go test -run '^$$' -bench . -benchtime $(BENCHTIME) -timeout 30m ./...

bench-layers: parts
	BELLEVILLE_BENCH_LAYERS=$(CURDIR)/docs/layers.md go test -count=1 -v -run '^TestLayers$$' -timeout 5m ./internal/layerbench

bench-server: parts
	go run ./internal/benchtable

fuzz:
	@.ci/fuzz $(FUZZTIME)

demo-django: parts
	go run ./examples/django/rundemo

parts:
	@.ci/parts
