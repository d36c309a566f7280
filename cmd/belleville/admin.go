package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/belleville/belleville/channellayer"
)

// checkTimeout bounds the checks of /readyz.
const checkTimeout = 3 * time.Second

// adminHandler serves metrics and health.
func (s *site) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintln(w, "ok") // the client may be gone
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
		defer cancel()
		lines, ready := s.checks(ctx)
		w.Header().Set("Cache-Control", "no-store")
		if !ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = fmt.Fprintln(w, strings.Join(lines, "\n")) // the client may be gone
	})
	return mux
}

// checks says of each part, in a line, whether it is ready.
func (s *site) checks(ctx context.Context) (lines []string, ready bool) {
	ready = true
	note := func(part string, err error) {
		if err == nil {
			lines = append(lines, "ok "+part)
			return
		}
		ready = false
		lines = append(lines, "failed "+part+": "+told(err))
	}
	note("server", s.serving())
	note("database", s.store.Ready(ctx))
	note("layer", s.layerAnswers(ctx))
	return lines, ready
}

// layerAnswers returns an error unless the layer hears what others send, and an event that is sent over it
// arrives.
func (s *site) layerAnswers(ctx context.Context) error {
	if err := s.layer.Ready(ctx); err != nil {
		return err
	}
	q := channellayer.NewQueue()
	name, err := s.layer.NewChannel(ctx, q)
	if err != nil {
		return err
	}
	defer s.layer.CloseChannel(name)
	if err := s.layer.Send(ctx, name, channellayer.Event{"type": "belleville.canary"}); err != nil {
		return err
	}
	_, err = q.Next(ctx)
	return err
}

// errDraining means that no new clients are wanted.
var errDraining = errors.New("draining")

// serving returns an error if a server drains.
func (s *site) serving() error {
	for _, l := range s.servers {
		if l.server.Draining() {
			return errDraining
		}
	}
	return nil
}

// debugHandler serves profiles.
func debugHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

// serveHTTP serves h until ctx is done.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() }) // what it cuts off is a probe
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
