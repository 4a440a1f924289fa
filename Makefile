.PHONY: build test race fuzz bench lab lab-quick lab-report lab-trace cross-check tracker-compare tracker-flood tracker-kills tracker-nodes tracker-slander tracker-growth demo ci
build:   ; CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o bin/nt .
test:    ; go test ./...
race:    ; CGO_ENABLED=1 go test -race -short ./...
fuzz:    ; NT_FUZZTIME=$(or $(T),30s) sh -c 'for p in $$(go list ./...); do for f in $$(go test -list "^Fuzz" $$p | grep ^Fuzz); do go test -run "^$$" -fuzz "^$$f$$" -fuzztime $$NT_FUZZTIME $$p || exit 1; done; done'
bench:   ; go test -run '^$$' -bench . -benchtime 1s ./... ; cd bench && go test -run '^$$' -bench . ./...
lab-quick: ; cd internal/lab && NT_LAB=quick go test -count=1 -run LabQuick
lab:     ; cd internal/lab && NT_LAB=full GOMAXPROCS=1 go test -count=1 -timeout 96h -run 'TestLab$$'
lab-report: ; cd internal/lab && NT_LAB=report go test -count=1 -run TestLabReport
lab-trace: ; cd internal/lab && NT_LAB=trace go test -count=1 -run TestLabTrace
cross-check: ; NT_LAB=full go test -count=1 -v -timeout 30m -run TestLabCrossCheck ./internal/lab
.PHONY: bin/trackerlab
bin/trackerlab: build ; CGO_ENABLED=0 go build -trimpath -o bin/ ./internal/lab/trackerlab ./internal/lab/trackerload ./internal/lab/trackermem
tracker-compare: bin/trackerlab ; bin/trackerlab compare -nt bin/nt -load bin/trackerload
tracker-flood: bin/trackerlab ; bin/trackerlab flood -nt bin/nt
tracker-kills: bin/trackerlab ; bin/trackerlab kills -nt bin/nt
tracker-nodes: bin/trackerlab ; bin/trackerlab nodes -nt bin/nt -csv docs/experiments/tracker-nodes.csv
tracker-slander: bin/trackerlab ; bin/trackerlab slander -nt bin/nt
tracker-growth: bin/trackerlab ; bin/trackermem -what growth -csv docs/experiments/tracker-growth.csv -svg docs/experiments/tracker-growth.svg
demo:    ; go run . demo
ci:      ; ./.ci/run
