package djangocompat_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/djangocompat"
)

type cookieInput struct {
	Op      string          `json:"op"`
	Header  string          `json:"cookie_header_b64"`
	Headers [][2]string     `json:"headers"`
	Key     string          `json:"key"`
	Value   json.RawMessage `json:"value"`
	Args    map[string]any  `json:"args"`
	Now     int64           `json:"now"`
}

type cookieExpect struct {
	Latin1    map[string]string `json:"parse_latin1"`
	Cookies   map[string]string `json:"cookies"`
	SetCookie []string          `json:"set_cookie"`
	Raises    string            `json:"raises"`
}

type cookieVector = vector[cookieInput, cookieExpect]

// elsewhere are the cases of cookies.json that are about more than one cookie header or one text.
var elsewhere = exceptions{
	"asgi_two_headers/": "Django's ASGI request joins Cookie headers with a comma, which then is part of a value; they are joined with a semicolon here, by the caller",
	"channels_headers/": "which headers of a request are read is the caller's: Channels reads the first, here all of them are joined",
	"channels_delete_cookie/": "Channels writes 01-Jan-1970 where Django writes 01 Jan 1970; Deleted writes Django's, " +
		"which the session cases check",
	"channels_set_cookie/expires_aware_datetime @5.2": "Channels fails on Django 5; a time.Time has a zone, and is written as on 4.2",
	"channels_set_cookie/max_age_10000000000":         "317 years do not fit a time.Duration",
	"channels_set_cookie/samesite_''":                 "an empty SameSite is left out here",
}

// TestParseCookieVectors checks that a Cookie header reads as in Django and in Channels.
func TestParseCookieVectors(t *testing.T) {
	for _, prefix := range []string{"parse/", "channels_parse/"} {
		for _, v := range vectors[cookieInput, cookieExpect](t, "cookies.json", prefix) {
			t.Run(v.Name, func(t *testing.T) {
				header, want := v.Input.Header, v.Expect.Latin1
				if v.Input.Headers != nil {
					header, want = v.Input.Headers[0][1], v.Expect.Cookies
				}
				checkParseCookie(t, fromBase64(t, header), want)
			})
		}
	}
}

func checkParseCookie(t *testing.T, header string, want map[string]string) {
	t.Helper()
	got, err := djangocompat.ParseCookie(header)
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("ParseCookie(%q) = %q, %v, want %q", header, got, err, want)
	}
	for name, value := range want {
		if got, ok := djangocompat.CookieValue(header, name); !ok || got != value {
			t.Errorf("CookieValue(%q, %q) = %q, %v, want %q", header, name, got, ok, value)
		}
	}
	if got, ok := djangocompat.CookieValue(header, "no such name"); ok {
		t.Errorf("CookieValue(%q) of a name that is not there = %q", header, got)
	}
}

// TestSetCookieVectors checks Channels' set_cookie.
func TestSetCookieVectors(t *testing.T) {
	for _, v := range vectors[cookieInput, cookieExpect](t, "cookies.json", "") {
		t.Run(v.Name, func(t *testing.T) {
			elsewhere.skip(t, v.Name)
			switch v.Input.Op {
			case "parse", "channels_cookie_middleware": // TestParseCookieVectors has these
			case "channels_set_cookie":
				checkSetCookie(t, v)
			case "session_middleware", "channels_session_middleware":
				// What a middleware decides is its own to check; here it is how the cookie is written.
				for _, header := range v.Expect.SetCookie {
					checkRewritten(t, header)
				}
			default:
				t.Errorf("unknown operation %q", v.Input.Op)
			}
		})
	}
}

func checkSetCookie(t *testing.T, v cookieVector) {
	t.Helper()
	c := djangocompat.Cookie{Name: v.Input.Key, Value: strings.Trim(string(v.Input.Value), `"`), Path: "/", SameSite: "lax"}
	if v.Input.Value[0] == '"' {
		c.Value = stringOf(t, v.Input.Value)
	}
	now := time.Unix(v.Input.Now, 0)
	if text, ok := v.Input.Args["expires"].(string); ok && text != "" {
		c = withExpires(t, c, text, now)
	}
	for name, arg := range v.Input.Args {
		switch name {
		case "max_age":
			c = c.WithMaxAge(secondsOf(t, arg), now)
		case "path":
			c.Path, _ = arg.(string)
		case "domain":
			c.Domain, _ = arg.(string)
		case "samesite":
			c.SameSite, _ = arg.(string)
		case "secure":
			c.Secure = arg == true
		case "httponly":
			c.HTTPOnly = arg == true
		case "expires":
		default:
			t.Fatalf("unknown argument %q", name)
		}
	}
	got, err := c.Header()
	if v.Expect.Raises != "" {
		if err == nil {
			t.Errorf("Header = %q, want an error", got)
		}
		return
	}
	if err != nil || got != v.Expect.SetCookie[0] {
		t.Errorf("Header = %q, %v, want %q", got, err, v.Expect.SetCookie[0])
	}
}

// withExpires does what Channels does with a date: a text is written as it is, a datetime becomes a
// Max-Age of one second more, and never less than 0.
func withExpires(t *testing.T, c djangocompat.Cookie, text string, now time.Time) djangocompat.Cookie {
	t.Helper()
	if at, err := time.Parse(time.RFC1123, text); err == nil {
		c.Expires = at
		return c
	}
	age := parseTime(t, text).Sub(now) + time.Second
	return c.WithMaxAge(max(age, 0), now)
}

func secondsOf(t *testing.T, arg any) time.Duration {
	t.Helper()
	switch n := arg.(type) {
	case float64:
		whole, part := int64(n), n-float64(int64(n))
		return time.Duration(whole)*time.Second + time.Duration(part*1000+0.5)*time.Millisecond
	case bool:
		return time.Second
	default:
		t.Fatalf("max_age %v", arg)
		return 0
	}
}

var setCookiePattern = regexp.MustCompile(`^([^=]+)=("?)([^";]*)"?(?:; Domain=([^;]*))?(?:; expires=([^;]*))?` +
	`(; HttpOnly)?(?:; Max-Age=([^;]*))?(?:; Path=([^;]*))?(?:; SameSite=([^;]*))?(; Secure)?$`)

// checkRewritten takes a Set-Cookie header of Django's apart, and checks that Header writes it again.
func checkRewritten(t *testing.T, header string) {
	t.Helper()
	m := setCookiePattern.FindStringSubmatch(header)
	if m == nil {
		t.Fatalf("the test cannot read %q", header)
	}
	c := djangocompat.Cookie{
		Name: m[1], Value: m[3], Domain: m[4], HTTPOnly: m[6] != "", Path: m[8], SameSite: m[9], Secure: m[10] != "",
	}
	want := strings.Replace(header, "01-Jan-1970", "01 Jan 1970", 1) // Channels' way of writing it
	switch {
	case m[3] == "":
		c.Value = "old"
		c = c.Deleted()
	case m[7] != "":
		age, err := strconv.ParseInt(m[7], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		c = c.WithMaxAge(time.Duration(age)*time.Second, vectorTime)
	}
	if got, err := c.Header(); err != nil || got != want {
		t.Errorf("Header = %q, %v, want %q", got, err, want)
	}
}
