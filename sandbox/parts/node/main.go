// Command node is what a node of Kubernetes needs beside its container runtime,
// in one binary: kubelet, kube-proxy and the scheduler of upstream, none of them
// changed. The sandbox starts it three times, once for each subcommand.
package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client-go metrics on /metrics
	_ "k8s.io/component-base/metrics/prometheus/version"  // version metric on /metrics
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func main() {
	// The kubelet parses its own flags and reads them from os.Args, so the subcommand goes first.
	name := ""
	if len(os.Args) > 1 {
		name = os.Args[1]
		os.Args = os.Args[1:]
	}
	programs := map[string]func() *cobra.Command{
		"kubelet":        func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
		"kube-proxy":     proxy.NewProxyCommand,
		"kube-scheduler": func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	}
	program, known := programs[name]
	if !known {
		os.Stderr.WriteString("node: name kubelet, kube-proxy or kube-scheduler\n")
		os.Exit(2)
	}
	os.Exit(cli.Run(program()))
}
