package djangocompat_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/djangocompat"
)

type sessionExpiry struct {
	Age            any    `json:"get_expiry_age"`
	AgeError       string `json:"get_expiry_age_error"`
	Date           string `json:"get_expiry_date"`
	DateError      string `json:"get_expiry_date_error"`
	AtBrowserClose bool   `json:"get_expire_at_browser_close"`
	At             string `json:"at"`
}

// TestExpiryVectors checks what Django says of a session's expiry. Where Django fails, with a TypeError
// for a date without a zone and a ValueError for what is no date, the first is read in the site's zone and
// the second counts as none.
func TestExpiryVectors(t *testing.T) {
	for _, v := range vectors[sessionInput, sessionExpect](t, "sessions_db.json", "") {
		if v.Expect.Expiry == nil {
			continue
		}
		t.Run(v.Name, func(t *testing.T) {
			if !v.newest() && strings.Contains(v.Name, "expiry_iso") {
				t.Skip("Django understands a date in a session from 4.1 on; 3.2 fails")
			}
			d, err := decodeVector(t, v)
			if err != nil {
				t.Fatal(err)
			}
			checkExpiry(t, djangocompat.NewSession("k", d, nil), *v.Expect.Expiry)
		})
	}
}

func checkExpiry(t *testing.T, s *djangocompat.Session, want sessionExpiry) {
	t.Helper()
	now := parseTime(t, want.At)
	cfg := djangocompat.ExpirySettings{Now: func() time.Time { return now }}
	if got := s.ExpiresAtBrowserClose(cfg); got != want.AtBrowserClose {
		t.Errorf("ExpiresAtBrowserClose = %v, want %v", got, want.AtBrowserClose)
	}
	date := now.Add(14 * 24 * time.Hour) // where there is none that can be read
	if want.Date != "" {
		date = parseTime(t, want.Date)
	}
	if got := s.ExpiryDate(cfg); !got.Equal(date) {
		t.Errorf("ExpiryDate = %v, want %v", got, date)
	}
	age := date.Sub(now)
	switch n := want.Age.(type) {
	case float64:
		age = time.Duration(n * float64(time.Second))
	case bool:
		age = time.Second // the only one is True
	}
	if got := s.ExpiryAge(cfg); got != age {
		t.Errorf("ExpiryAge = %v, want %v", got, age)
	}
}

func parseTime(t *testing.T, text string) time.Time {
	t.Helper()
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04:05-07:00:00"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at
		}
	}
	t.Fatalf("no time: %q", text)
	return time.Time{}
}

// digestOf returns the SHA-256 of the compact JSON of v with its keys sorted.
func digestOf(tb testing.TB, v any) string {
	tb.Helper()
	text, err := djangocompat.AppendJSON(nil, v)
	if err != nil || !json.Valid(text) {
		tb.Fatalf("no JSON: %v", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
