package config

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/djangocompat"
)

// Visitors returns the Config of the middleware that knows visitors by their session cookie.
func (c *Config) Visitors(reg prometheus.Registerer) authmw.Config {
	d := c.Django
	v := authmw.Config{
		CookieName:       d.SessionCookieName,
		CookieDomain:     d.SessionCookieDomain,
		CookiePath:       orOmit(d.SessionCookiePath),
		CookieSameSite:   orOmit(d.SessionCookieSameSite),
		CookieSecure:     d.SessionCookieSecure,
		CookieScriptable: !d.SessionCookieHTTPOnly,
		Expiry: djangocompat.ExpirySettings{
			CookieAge:            time.Duration(d.SessionCookieAge),
			ExpireAtBrowserClose: d.SessionExpireAtBrowserClose,
		},
		SaveEveryRequest: d.SessionSaveEveryRequest,
		FlushStale:       d.FlushStale,
		MaxUnknownKeys:   c.Limits.MaxUnknownKeys,
		Registerer:       reg,
	}
	if !d.UseTZ {
		v.Expiry.Location, _ = time.LoadLocation(d.TimeZone) // it was checked
	}
	return v
}

// orOmit returns the attribute of a cookie; one that is empty in Django's settings is left out.
func orOmit(attribute string) string {
	if attribute == "" {
		return authmw.Omit
	}
	return attribute
}
