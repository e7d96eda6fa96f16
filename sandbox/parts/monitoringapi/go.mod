// The CRDs of the Prometheus operator are files of its Go module: nothing of it
// is compiled. This module exists so that go.sum pins what the tests install;
// `go mod tidy` would drop its one requirement, so do not run it here.
module example.invalid/monitoringapi

go 1.26.0

require github.com/prometheus-operator/prometheus-operator v0.93.0
