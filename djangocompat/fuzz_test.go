package djangocompat_test

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/belleville/belleville/djangocompat"
)

// FuzzSessionDecode checks that whatever a session's text is, Decode returns data that can be written
// again, or an error of a known kind.
func FuzzSessionDecode(f *testing.F) {
	codec := djangocompat.SessionCodec{Keys: djangocompat.NewKeys("k"), MaxSize: 1 << 16}
	for _, v := range vectors[sessionInput, sessionExpect](f, "sessions_db.json", "") {
		if len(v.Input.SessionData) < 4096 {
			f.Add(v.Input.SessionData)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		// As it is, and with a payload that is rightly signed.
		if _, err := codec.Decode(text); err != nil && !isRefusal(err) {
			t.Errorf("Decode: an error of no kind: %v", err)
		}
		payload, _, _ := strings.Cut(text, ":")
		signer, err := djangocompat.NewTimestampSigner(codec.Keys, djangocompat.SignerConfig{Salt: "django.contrib.sessions.SessionStore"})
		if err != nil {
			t.Fatal(err)
		}
		d, err := codec.Decode(signer.Sign(payload))
		if err != nil && !isRefusal(err) || errors.Is(err, djangocompat.ErrBadSignature) {
			t.Errorf("Decode of a signed text: %v", err)
		}
		if err == nil {
			checkRoundTrip(t, codec, d)
		}
	})
}

func checkRoundTrip(t *testing.T, codec djangocompat.SessionCodec, d djangocompat.SessionData) {
	t.Helper()
	codec.MaxSize = 1 << 20 // a byte that is not ASCII takes six when it is written
	text, err := codec.Encode(d)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := codec.Decode(text); err != nil || !again.Equal(d) {
		t.Errorf("written and read: %s, %v, want %s", again.JSON(), err, d.JSON())
	}
	n := 0
	for key, v := range d.All() {
		n++
		if _, ok := d.Get(key); !ok {
			t.Errorf("no value under %q", key)
		}
		if _, err := djangocompat.AppendJSON(nil, v); err != nil {
			t.Errorf("the value under %q has no JSON: %v", key, err)
		}
		if changed, err := d.With(key, v); err != nil || changed.Len() != d.Len() {
			t.Errorf("With(%q): %v, %d keys, want %d", key, err, changed.Len(), d.Len())
		}
		if d.Without(key).Has(key) {
			t.Errorf("Without(%q) has it", key)
		}
		if n > 20 {
			return
		}
	}
}

// FuzzSessionData checks the JSON reader against encoding/json: what is JSON to both must read the same,
// and what is JSON to encoding/json must be JSON here.
func FuzzSessionData(f *testing.F) {
	for _, v := range vectors[sessionInput, sessionExpect](f, "sessions_db.json", "") {
		if v.Expect.JSONText != nil && len(*v.Expect.JSONText) < 4096 {
			f.Add([]byte(*v.Expect.JSONText))
		}
	}
	for _, text := range []string{`{"a":NaN}`, `{"a":1,"\u0061":2}`, "{\"\xe9\":1}", `{"\`, `{"a":[[[{}]]]}`, `{"a":"\ud800\udc00"}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := djangocompat.ParseSessionData(text)
		isDict := strings.HasPrefix(strings.TrimLeft(string(text), " \t\r\n"), "{")
		if err != nil {
			if isDict && json.Valid(text) && len(text) < 900 { // so short that no limit is met
				t.Fatalf("ParseSessionData: %v, and encoding/json reads it", err)
			}
			return
		}
		again, err := djangocompat.ParseSessionData(d.JSON())
		if err != nil || !again.Equal(d) {
			t.Fatalf("JSON read again: %s, %v, want %s", again.JSON(), err, d.JSON())
		}
		var want map[string]json.RawMessage
		if json.Unmarshal(d.JSON(), &want) != nil || strings.Contains(string(d.JSON()), `\ud`) {
			return // NaN, or half a surrogate pair, which encoding/json cannot hold
		}
		if len(want) != d.Len() {
			t.Fatalf("%d keys, encoding/json has %d", d.Len(), len(want))
		}
		for key, raw := range want {
			if got, ok := d.RawJSON(key); !ok || got != string(raw) {
				t.Errorf("RawJSON(%q) = %s, encoding/json has %s", key, got, raw)
			}
		}
	})
}

// FuzzSigning checks that only what was signed verifies, and that whatever is signed reads or fails.
func FuzzSigning(f *testing.F) {
	for _, v := range vectors[signingInput, signingExpect](f, "signing.json", "") {
		if v.Input.Signed != "" && len(v.Input.Signed) < 4096 {
			f.Add(v.Input.Signed)
		}
	}
	keys := djangocompat.NewKeys("k")
	cfg := djangocompat.SignerConfig{Salt: "s", MaxSize: 1 << 16}
	signer, err := djangocompat.NewTimestampSigner(keys, cfg)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := signer.Unsign(text); err == nil {
			t.Errorf("Unsign of a text that nobody signed = %q", got)
		}
		signed := signer.Sign(text)
		if got, err := signer.Unsign(signed); err != nil || got != text {
			t.Errorf("Unsign = %q, %v, want %q", got, err, text)
		}
		if v, err := djangocompat.Loads(keys, signed, cfg); err == nil {
			if _, err := djangocompat.AppendJSON(nil, v); err != nil {
				t.Errorf("what Loads returns has no JSON: %v", err)
			}
		} else if !isRefusal(err) {
			t.Errorf("Loads: an error of no kind: %v", err)
		}
		if n, err := djangocompat.ParseBase62(text); err == nil && len(text) < 100 {
			if again, err := djangocompat.ParseBase62(djangocompat.FormatBase62(n)); err != nil || again.Cmp(n) != 0 {
				t.Errorf("base 62: %v, %v, want %v", again, err, n)
			}
		}
	})
}

// FuzzCookieHeader checks that both ways to read a Cookie header agree, and give UTF-8.
func FuzzCookieHeader(f *testing.F) {
	for _, v := range vectors[cookieInput, cookieExpect](f, "cookies.json", "parse/") {
		f.Add(fromBase64(f, v.Input.Header))
	}
	f.Fuzz(func(t *testing.T, header string) {
		cookies, err := djangocompat.ParseCookie(header)
		if err != nil {
			return
		}
		for name, value := range cookies {
			if !utf8.ValidString(name) || !utf8.ValidString(value) {
				t.Errorf("no UTF-8: %q = %q", name, value)
			}
			if got, ok := djangocompat.CookieValue(header, name); !ok || got != value {
				t.Errorf("CookieValue(%q) = %q, %v, ParseCookie has %q", name, got, ok, value)
			}
		}
		if again, err := djangocompat.ParseCookie(header + ";"); err != nil && len(header) < 1000 || err == nil && !maps.Equal(again, cookies) {
			t.Errorf("with a semicolon at the end: %q, %v, want %q", again, err, cookies)
		}
	})
}

// FuzzHosts checks that no host is let in that is not the site's.
func FuzzHosts(f *testing.F) {
	for _, v := range vectors[hostInput, hostExpect](f, "hosts.json", "split_domain_port/") {
		f.Add(v.Input.Host)
	}
	cfg := djangocompat.HostSettings{AllowedHosts: []string{".example.com", "[::1]"}}
	f.Fuzz(func(t *testing.T, host string) {
		domain, port := djangocompat.SplitDomainPort(host)
		if strings.Trim(domain, "abcdefghijklmnopqrstuvwxyz0123456789.-[]:") != "" || strings.Trim(port, "0123456789") != "" {
			t.Errorf("SplitDomainPort(%q) = %q, %q", host, domain, port)
		}
		got, err := djangocompat.RequestHost(djangocompat.HostRequest{Host: &host}, cfg)
		mine := domain == "[::1]" || domain == "example.com" || strings.HasSuffix(domain, ".example.com")
		if mine != (err == nil) || err == nil && got != host {
			t.Errorf("RequestHost(%q) = %q, %v", host, got, err)
		}
	})
}

// FuzzPK checks that a primary key that was read reads the same again.
func FuzzPK(f *testing.F) {
	for _, text := range []string{" 7 ", "+7", "6_59", "٦٥٩", "f8518609-1f2e-4d3c-8b5a-502601e36525", "{0x_1}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range []djangocompat.PKKind{djangocompat.PKInt, djangocompat.PKText, djangocompat.PKUUID} {
			pk, err := djangocompat.ParsePK(kind, text)
			if err != nil {
				continue
			}
			if again, err := djangocompat.ParsePK(kind, pk.String()); err != nil || again != pk {
				t.Errorf("ParsePK(%q) = %v, %v, want %v", pk.String(), again, err, pk)
			}
		}
	})
}

// FuzzPasswordIdentify checks that whatever stands in the column, it is taken apart without work, or refused by
// an error that tells nothing of it.
func FuzzPasswordIdentify(f *testing.F) {
	for _, v := range vectors[passwordInput, passwordExpect](f, "passwords.json", "") {
		if v.Input.Encoded != nil {
			f.Add(*v.Input.Encoded)
		}
	}
	h := newHashers(f, everyHasher("pbkdf2_sha256"))
	f.Fuzz(func(t *testing.T, encoded string) {
		info, err := h.Identify(encoded)
		if err == nil {
			if info.Algorithm == "" {
				t.Error("no algorithm, and no error")
			}
			return
		}
		refusal, ok := errors.AsType[*djangocompat.PasswordError](err)
		if !ok || !errors.Is(err, djangocompat.ErrPasswordFormat) {
			t.Fatalf("Identify: an error of no kind: %v", err)
		}
		if info.Algorithm != "" && !strings.HasPrefix(refusal.Algorithm, "argon2") && refusal.Algorithm != info.Algorithm {
			t.Errorf("Identify = %q, and the error is about %q", info.Algorithm, refusal.Algorithm)
		}
	})
}
