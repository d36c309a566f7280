package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"github.com/belleville/belleville/config"
	"github.com/belleville/belleville/server"
	"github.com/belleville/belleville/sessionstore"
)

// metricsPrefix begins the name of every series.
const metricsPrefix = "belleville_"

// serveCommand serves the configured routes.
type serveCommand struct {
	configFlag
}

// Help is shown by --help.
func (*serveCommand) Help() string {
	return `SIGTERM and Ctrl-C let clients go with close code 1012; a second one stops at once. SIGHUP reads the configuration again: routes, tokens, origins, limits, SECRET_KEY and certificates count from then on, and no connection is dropped. Every key of the configuration can be set by an environment variable; see docs/configuration.md.

Example:

  belleville serve
  BELLEVILLE_LISTEN=:8001 belleville serve --config /etc/belleville.toml`
}

// Run implements the command.
func (c *serveCommand) Run(ctx context.Context, p *program) error {
	cfg, err := c.load(p)
	if err != nil {
		return err
	}
	if err := checkOpenFiles(openFilesLimit(), cfg); err != nil {
		return err
	}
	logger := newLogger(p.err, cfg.Log)
	for _, w := range cfg.Warnings() {
		logger.Warn("configuration", slog.String("warning", w))
	}
	limitMemory(logger)
	hangups := make(chan os.Signal, 1) // one that waits is enough
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	s, err := assemble(ctx, cfg, logger)
	if err != nil {
		return err
	}
	s.reloader.load = func() (*config.Config, error) { return c.load(p) }
	defer s.closeParts()
	if _, err := fmt.Fprintln(p.out, s.banner()); err != nil {
		s.close()
		return err
	}
	return s.run(ctx, hangups)
}

// newLogger returns the logger that the configuration asks for.
func newLogger(w io.Writer, cfg config.Log) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.Level}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// site is everything that serves.
type site struct {
	logger  *slog.Logger
	store   *sessionstore.Store
	layer   config.Layer
	broker  string      // where it listens, if there is one
	servers []listening // one for each address of listen
	admin   net.Listener
	debug   net.Listener
	control net.Listener
	metrics *prometheus.Registry

	certificate *server.Certificate // nil without TLS
	reloader    reloader
	following   *following

	untried func(context.Context) error // tries the routes' queries when the database answers; nil if that is done
}

// listening is a server and where it listens.
type listening struct {
	server   *server.Server
	listener net.Listener
}

// assemble wires the parts, and listens.
func assemble(ctx context.Context, cfg *config.Config, logger *slog.Logger) (*site, error) {
	s := &site{logger: logger, metrics: prometheus.NewRegistry(), broker: cfg.ChannelLayers.Broker.Listen}
	reg := prometheus.WrapRegistererWithPrefix(metricsPrefix, s.metrics)
	s.reloader = reloader{now: cfg, reg: reg}
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	var err error
	if s.store, err = sessionstore.Open(ctx, cfg.Sessions(reg, logger)); err != nil {
		return nil, toldError(err)
	}
	if s.layer, err = cfg.OpenServedLayer(ctx, reg, logger); err != nil {
		s.store.Close()
		return nil, fmt.Errorf("channel_layers.default: %w", err)
	}
	if err := errors.Join(s.follow(ctx, cfg, reg), s.tryQueries(ctx, cfg), s.listen(cfg, reg)); err != nil {
		s.close()
		s.closeParts()
		return nil, err
	}
	return s, nil
}

// closeParts ends what the servers stand on.
func (s *site) closeParts() {
	if err := s.following.end(); err != nil {
		s.logger.Warn("sessions were not followed to the end", slog.String("error", err.Error()))
	}
	if err := s.layer.Close(); err != nil {
		s.logger.Warn("the channel layer did not end as it should", slog.String("error", err.Error()))
	}
	s.store.Close()
}

// listen makes the servers and their listeners.
func (s *site) listen(cfg *config.Config, reg prometheus.Registerer) error {
	app, err := cfg.Application(s.store, s.store, s.following.live, reg, s.logger)
	if err != nil {
		return err
	}
	if s.certificate, err = cfg.Certificate(s.logger); err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	for i, address := range cfg.Listen {
		l, err := cfg.Listener(address)
		if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		own := reg
		if len(cfg.Listen) > 1 { // each server has its own series
			own = prometheus.WrapRegistererWith(prometheus.Labels{"listener": fmt.Sprint(i)}, reg)
		}
		its := cfg.Server(own, s.logger)
		if s.certificate != nil && l.Addr().Network() == "tcp" {
			its.TLS = s.certificate.TLS()
		}
		s.servers = append(s.servers, listening{server.New(app, s.layer, its), l})
	}
	if cfg.AdminListen != "" {
		if s.admin, err = server.Listen(cfg.AdminListen); err != nil {
			return fmt.Errorf("admin_listen: %w", err)
		}
	}
	if cfg.DebugListen != "" {
		if s.debug, err = server.Listen(cfg.DebugListen); err != nil {
			return fmt.Errorf("debug_listen: %w", err)
		}
	}
	if cfg.ControlSocket != "" {
		if s.control, err = listenControl(cfg.ControlSocket); err != nil {
			return fmt.Errorf("control_socket: %w", err)
		}
	}
	return nil
}

// close ends what listens.
func (s *site) close() {
	for _, l := range s.servers {
		_ = l.listener.Close() // nothing was accepted
	}
	for _, l := range []net.Listener{s.admin, s.debug, s.control} {
		if l != nil {
			_ = l.Close()
		}
	}
}

// banner says where everything is, in a line.
func (s *site) banner() string {
	var b strings.Builder
	b.WriteString("belleville listens on ")
	for i, l := range s.servers {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(addressOf(l.listener))
	}
	if s.admin != nil {
		b.WriteString("; admin on " + addressOf(s.admin))
	}
	if s.debug != nil {
		b.WriteString("; debug on " + addressOf(s.debug))
	}
	if s.broker != "" {
		b.WriteString("; broker on " + s.broker)
	}
	return b.String()
}

// addressOf returns where a listener listens, as the configuration would say it.
func addressOf(l net.Listener) string {
	if l.Addr().Network() == "unix" {
		return "unix:" + l.Addr().String()
	}
	return l.Addr().String()
}

// run serves until ctx is done, and then until all clients have gone. Health and metrics are served longest.
func (s *site) run(ctx context.Context, hangups <-chan os.Signal) error {
	aside, endAside := context.WithCancel(context.WithoutCancel(ctx))
	defer endAside()
	var side errgroup.Group
	if s.admin != nil {
		side.Go(func() error { return serveHTTP(aside, s.admin, s.adminHandler()) })
	}
	if s.debug != nil {
		side.Go(func() error { return serveHTTP(aside, s.debug, debugHandler()) })
	}
	if s.control != nil {
		side.Go(func() error { return serveHTTP(aside, s.control, s.controlHandler()) })
	}
	side.Go(func() error { return s.answer(aside, hangups) })
	if s.untried != nil {
		side.Go(func() error { return s.untried(aside) })
	}

	main, running := errgroup.WithContext(ctx)
	for _, l := range s.servers {
		main.Go(func() error { return l.server.Serve(running, l.listener) })
	}
	err := main.Wait()
	if errors.Is(err, server.ErrNotDrained) {
		s.logger.Warn("some connections did not end in time and were cut off")
		err = nil
	}
	endAside()
	return errors.Join(err, side.Wait())
}
