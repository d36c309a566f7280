package sessionstore

import (
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// The results of loading a session.
type loadResult string

const (
	loadFound        loadResult = "found"
	loadUnknown      loadResult = "unknown"
	loadExpired      loadResult = "expired"
	loadNoKey        loadResult = "no_key"
	loadImplausible  loadResult = "implausible"
	loadBadSignature loadResult = "bad_signature"
	loadTooLarge     loadResult = "too_large"
	loadMalformed    loadResult = "malformed"
	loadPickled      loadResult = "pickled"
	loadUnavailable  loadResult = "unavailable"
)

// The results of saving a session.
type saveResult string

const (
	saveDone        saveResult = "saved"
	saveGone        saveResult = "gone"
	saveTaken       saveResult = "key_taken"
	saveConflict    saveResult = "conflict"
	saveRefused     saveResult = "refused"
	saveUnavailable saveResult = "unavailable"
)

// The kinds of batched lookups.
type lookupKind string

const (
	lookupSessions    lookupKind = "session"
	lookupUsers       lookupKind = "user"
	lookupCache       lookupKind = "cache"
	lookupPermissions lookupKind = "permission"
)

// metrics are what a Store counts.
type metrics struct {
	loads   *prometheus.CounterVec
	checks  *prometheus.CounterVec
	saves   *prometheus.CounterVec
	logins  *prometheus.CounterVec
	faults  *prometheus.CounterVec
	storage *prometheus.CounterVec
	caching *prometheus.CounterVec
	memory  *prometheus.CounterVec
	batches *prometheus.HistogramVec
	up      prometheus.GaugeFunc
	open    prometheus.GaugeFunc
	busy    prometheus.GaugeFunc

	// What handshakes count most often, found by its labels once.
	found, loggedIn func() prometheus.Counter
}

// newMetrics makes the metrics of s.
func newMetrics(s *Store) *metrics {
	m := &metrics{
		loads:   counter("sessions_loaded_total", "Sessions loaded, by result.", "result"),
		checks:  counter("sessions_users_checked_total", "Sessions whose user was looked for, by verdict.", "verdict"),
		saves:   counter("sessions_saved_total", "Sessions saved, by result.", "result"),
		logins:  counter("sessions_passwords_checked_total", "Names and passwords checked, by result.", "result"),
		faults:  counter("sessions_database_errors_total", "Errors of the database, by kind.", "fault"),
		storage: counter("sessions_storage_errors_total", "Errors of the cache or the folder that sessions are in, by kind.", "fault"),
		memory: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sessions_remembered_total", Help: "Lookups while changes are heard of, by what was looked up and whether it was remembered.",
		}, []string{"lookup", "result"}),
		caching: counter("sessions_cache_lookups_total", "Sessions looked up in the cache, by result.", "result"),
		batches: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "sessions_batch_keys",
			Help:    "Keys that one query asked for, by what was looked up.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 11),
		}, []string{"lookup"}),
		up: gauge("sessions_database_up", "1 if the database answers.", func() float64 {
			if s.cause.Load() != nil {
				return 0
			}
			return 1
		}),
		open: gauge("sessions_database_connections", "Open connections to the database.", func() float64 {
			open, _ := s.db.connections()
			return float64(open)
		}),
		busy: gauge("sessions_database_connections_busy", "Connections to the database that are at work.", func() float64 {
			_, busy := s.db.connections()
			return float64(busy)
		}),
	}
	m.found = sync.OnceValue(func() prometheus.Counter { return m.loads.WithLabelValues(string(loadFound)) })
	m.loggedIn = sync.OnceValue(func() prometheus.Counter { return m.checks.WithLabelValues(LoggedIn.String()) })
	return m
}

func counter(name, help, label string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
}

func gauge(name, help string, value func() float64) prometheus.GaugeFunc {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
}

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.loads, m.checks, m.saves, m.logins, m.faults, m.storage, m.caching, m.memory, m.batches, m.up, m.open, m.busy}
}

// register puts the metrics into reg, which may be nil.
func (m *metrics) register(reg prometheus.Registerer) error {
	if reg == nil {
		return nil
	}
	for _, c := range m.all() {
		if err := reg.Register(c); err != nil {
			m.unregister(reg)
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}

func (m *metrics) unregister(reg prometheus.Registerer) {
	if reg == nil {
		return
	}
	for _, c := range m.all() {
		reg.Unregister(c)
	}
}

func (m *metrics) loaded(r loadResult) {
	if r == loadFound {
		m.found().Inc()
		return
	}
	m.loads.WithLabelValues(string(r)).Inc()
}

func (m *metrics) checked(r Reason) {
	if r == LoggedIn {
		m.loggedIn().Inc()
		return
	}
	m.checks.WithLabelValues(r.String()).Inc()
}

func (m *metrics) checkFailed() { m.checks.WithLabelValues("unavailable").Inc() }

func (m *metrics) saved(err error) { m.saves.WithLabelValues(string(saveResultOf(err))).Inc() }

func (m *metrics) authenticated(err error) {
	m.logins.WithLabelValues(string(loginResultOf(err))).Inc()
}

func (m *metrics) storageFault(e *StorageError) { m.storage.WithLabelValues(e.Fault.String()).Inc() }

// cached counts what the cache had, and had not.
func (m *metrics) cached(hits, misses int, err error) {
	if err != nil {
		m.caching.WithLabelValues("error").Add(float64(misses))
		return
	}
	m.caching.WithLabelValues("hit").Add(float64(hits))
	m.caching.WithLabelValues("miss").Add(float64(misses))
}

// remembered counts what was remembered, and was not.
func (m *metrics) remembered(kind lookupKind, known bool) {
	result := "miss"
	if known {
		result = "hit"
	}
	m.memory.WithLabelValues(string(kind), result).Inc()
}

func (m *metrics) fault(f Fault) { m.faults.WithLabelValues(f.String()).Inc() }

func (m *metrics) batch(kind lookupKind, keys int) {
	m.batches.WithLabelValues(string(kind)).Observe(float64(keys))
}
