// Command controlplane is a Kubernetes control plane in one binary: etcd, the
// API server and the controller manager of upstream, none of them changed. The
// sandbox starts it three times, once for each subcommand.
package main

import (
	"os"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client-go metrics on /metrics
	_ "k8s.io/component-base/metrics/prometheus/version"  // version metric on /metrics
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

func main() {
	// etcd parses its own arguments and takes the first one for its name.
	if len(os.Args) > 1 && os.Args[1] == "etcd" {
		etcdmain.Main(os.Args[1:])
		return
	}
	root := &cobra.Command{
		Use:   "controlplane",
		Short: "etcd, kube-apiserver and kube-controller-manager in one binary",
	}
	root.AddCommand(
		apiserver.NewAPIServerCommand(),
		controllermanager.NewControllerManagerCommand(),
	)
	os.Exit(cli.Run(root))
}
