package authmw

import "github.com/prometheus/client_golang/prometheus"

// csrfMetrics are what CSRF counts.
type csrfMetrics struct{ refused *prometheus.CounterVec }

func newCSRFMetrics(reg prometheus.Registerer) *csrfMetrics {
	return &csrfMetrics{registered(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "auth_csrf_refused_total",
		Help: "HTTP requests that were refused as forged, by reason.",
	}, []string{"reason"}))}
}
