// The Gateway API's CRDs are files of its Go module: nothing of it is compiled.
// This module exists so that go.sum pins what is applied; `go mod tidy` would
// drop its one requirement, so do not run it here.
module example.invalid/gatewayapi

go 1.26.0

require sigs.k8s.io/gateway-api v1.5.1
