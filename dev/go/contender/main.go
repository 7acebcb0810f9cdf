// A small controller-runtime operator, to compare with: for each ConfigMap labelled bench=tenant it applies the
// objects of a file that was rendered beforehand, level by level, by server-side apply.
//
// It waits for nothing to become ready: the bare yardstick does not either.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const manager = "vre-operator"

// step is one line of a tenant's file.
type step struct {
	Level  int                        `json:"level"`
	Object *unstructured.Unstructured `json:"object"`
}

// slots bounds the requests under way over all tenants: more than that only queue up in the API server.
type reconciler struct {
	client   client.Client
	rendered string
	slots    chan struct{}
}

func (r *reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	wish := &corev1.ConfigMap{}
	if err := r.client.Get(ctx, request.NamespacedName, wish); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	steps, err := read(filepath.Join(r.rendered, request.Namespace+".jsonl"))
	if err != nil {
		return reconcile.Result{}, err
	}
	for begin := 0; begin < len(steps); {
		end := begin
		group, ctx := errgroup.WithContext(ctx)
		for ; end < len(steps) && steps[end].Level == steps[begin].Level; end++ {
			object := steps[end].Object
			group.Go(func() error {
				r.slots <- struct{}{}
				defer func() { <-r.slots }()
				return r.client.Apply(
					ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(manager), client.ForceOwnership,
				)
			})
		}
		if err := group.Wait(); err != nil {
			return reconcile.Result{}, err
		}
		begin = end
	}
	return reconcile.Result{}, nil
}

// read gives the steps of a file, which is sorted by level.
func read(path string) ([]step, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var steps []step
	decoder := json.NewDecoder(bufio.NewReader(file))
	for decoder.More() {
		var next step
		if err := decoder.Decode(&next); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		steps = append(steps, next)
	}
	return steps, nil
}

func run() error {
	rendered := flag.String("rendered", "", "folder with a file NAMESPACE.jsonl for each tenant")
	workers := flag.Int("workers", 16, "reconciles at once, and requests at once")
	qps := flag.Float64("qps", -1, "requests per second that the client allows itself; -1: no limit")
	flag.Parse()
	ctrl.SetLogger(zap.New())

	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	config.QPS = float32(*qps)
	config.Burst = max(1, int(*qps))
	ours := labels.SelectorFromSet(labels.Set{"bench": "tenant"})
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Metrics: server.Options{BindAddress: "0"},
		Cache:   cache.Options{ByObject: map[client.Object]cache.ByObject{&corev1.ConfigMap{}: {Label: ours}}},
	})
	if err != nil {
		return err
	}
	err = ctrl.NewControllerManagedBy(mgr).
		For(&corev1.ConfigMap{}).
		WithOptions(controller.Options{MaxConcurrentReconciles: *workers}).
		Complete(&reconciler{client: mgr.GetClient(), rendered: *rendered, slots: make(chan struct{}, *workers)})
	if err != nil {
		return err
	}
	return mgr.Start(ctrl.SetupSignalHandler())
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
