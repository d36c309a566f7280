package server

import "github.com/belleville/belleville/consumers"

// Reload makes the server go on with another Application and other limits, without dropping a connection. Handshakes
// and plain requests that begin from now on come to app; connections that are open stay with the consumer that they
// have, under the new limits. What holds a listener or a place in memory stays as it was: Loops, TLS, UserTimeout,
// Logger, Registerer, and MaxHead and HandshakeTimeout where a client keeps a connection for several plain requests. It
// may be called at any time, also while the server drains, when it changes little.
func (s *Server) Reload(app consumers.Application, cfg Config) {
	cfg = cfg.withDefaults()
	before := s.cfg.Load()
	cfg.Loops, cfg.TLS, cfg.Logger, cfg.Registerer = before.Loops, before.TLS, before.Logger, before.Registerer
	if cfg.HandshakeRate != before.HandshakeRate || cfg.HandshakeBurst != before.HandshakeBurst {
		s.rates.Store(newAddressRates(cfg.HandshakeRate, cfg.HandshakeBurst))
	}
	cfg.UserTimeout = before.UserTimeout
	s.admission.limit(&cfg)
	s.cfg.Store(&cfg)
	s.app.Store(&app)
}
