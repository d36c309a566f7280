package config_test

import (
	"testing"
	"time"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/config"
)

func TestVisitors(t *testing.T) {
	c := config.Default()
	v := c.Visitors(nil)
	if v.CookieName != "sessionid" || v.CookiePath != "/" || v.CookieSameSite != "Lax" || v.CookieScriptable || v.CookieSecure || v.SaveEveryRequest ||
		v.Expiry.CookieAge != 14*24*time.Hour {
		t.Errorf("by default %+v, want Django's defaults", v)
	}
	d := &c.Django
	d.SessionCookieName, d.SessionCookieDomain, d.SessionCookiePath, d.SessionCookieSameSite = "sid", ".example.com", "", ""
	d.SessionCookieSecure, d.SessionCookieHTTPOnly, d.SessionSaveEveryRequest, d.SessionExpireAtBrowserClose = true, false, true, true
	d.SessionCookieAge, d.UseTZ, d.TimeZone = config.Seconds(time.Hour), false, "Europe/Paris"
	v = c.Visitors(nil)
	if v.CookieName != "sid" || v.CookieDomain != ".example.com" || v.CookiePath != authmw.Omit || v.CookieSameSite != authmw.Omit ||
		!v.CookieSecure || !v.CookieScriptable || !v.SaveEveryRequest || !v.Expiry.ExpireAtBrowserClose || v.Expiry.CookieAge != time.Hour ||
		v.Expiry.Location.String() != "Europe/Paris" {
		t.Errorf("%+v, want what the settings say", v)
	}
}
