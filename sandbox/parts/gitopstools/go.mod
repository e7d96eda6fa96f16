// The CRDs of Flux and Argo CD are files of their Go modules: nothing of it is
// compiled. This module exists so that go.sum pins what the tests install;
// `go mod tidy` would drop its requirements, so do not run it here.
module example.invalid/gitopstools

go 1.26.0

require (
	github.com/argoproj/argo-cd/v3 v3.5.7
	github.com/fluxcd/kustomize-controller v1.9.6
	github.com/fluxcd/source-controller v1.9.6
)
