package djangocompat_test

import (
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/djangocompat"
)

func (in signingInput) compression() djangocompat.Compression {
	if in.Compress {
		return djangocompat.Compress
	}
	return djangocompat.Plain
}

func (in signingInput) object(t *testing.T) any {
	t.Helper()
	v, err := djangocompat.ParseJSON(in.Object)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// checkSealed checks a signed object: byte for byte, unless it is deflated, for which Go's deflate finds
// other bytes, or a dict, which Go writes in the order of its keys. Then it must read as the same value.
func checkSealed(t *testing.T, v signingVector, got string, unseal func(string) (any, error)) {
	t.Helper()
	if got == stringOf(t, v.Expect.Result) {
		return
	}
	if deflated := strings.HasPrefix(got, "."); deflated != v.Expect.Compressed {
		t.Errorf("deflated = %v, want %v", deflated, v.Expect.Compressed)
	}
	if !v.Expect.Compressed && v.Input.Object[0] != '{' {
		t.Errorf("got %q, want %q", got, v.Expect.Result)
	}
	value, err := unseal(got)
	if err != nil || !sameValue(t, value, v.Input.Object) {
		t.Errorf("reads as %v, %v, want %s", value, err, v.Input.Object)
	}
}

func checkSignObject(t *testing.T, v signingVector) {
	s := newSigner(t, v)
	got, err := s.SignObject(v.Input.object(t), v.Input.compression())
	if err != nil {
		t.Fatal(err)
	}
	checkSealed(t, v, got, s.UnsignObject)
}

func checkUnsignObject(t *testing.T, v signingVector) {
	got, err := newSigner(t, v).UnsignObject(v.Input.Signed)
	if checkError(t, v, err) && !sameValue(t, got, v.Expect.Result) {
		t.Errorf("UnsignObject = %v, want %s", got, v.Expect.Result)
	}
}

func checkDumps(t *testing.T, v signingVector) {
	keys, cfg := v.Input.keys(t), signerConfig(t, v)
	got, err := djangocompat.Dumps(keys, v.Input.object(t), v.Input.compression(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	checkSealed(t, v, got, func(text string) (any, error) { return djangocompat.Loads(keys, text, cfg) })
}

func checkLoads(t *testing.T, v signingVector) {
	keys, cfg := v.Input.keys(t), signerConfig(t, v)
	got, err := djangocompat.Loads(keys, v.Input.Signed, cfg)
	if age, ok := v.Input.maxAge(t); ok {
		got, err = djangocompat.LoadsMaxAge(keys, v.Input.Signed, age, cfg)
	}
	if checkError(t, v, err) && !sameValue(t, got, v.Expect.Result) {
		t.Errorf("Loads = %v, want %s", got, v.Expect.Result)
	}
}

func newCookieSigner(t *testing.T, v signingVector) *djangocompat.TimestampSigner {
	t.Helper()
	s, err := djangocompat.NewCookieSigner(v.Input.keys(t), v.Input.Cookie, v.Input.Salt, signerConfig(t, v))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func checkSetSignedCookie(t *testing.T, v signingVector) {
	s := newCookieSigner(t, v)
	value := s.Sign(v.Input.text(t))
	if value != v.Expect.CookieValue {
		t.Errorf("cookie = %q, want %q", value, v.Expect.CookieValue)
	}
	if got, err := s.UnsignMaxAge(value, 0); err != nil || got != v.Input.text(t) {
		t.Errorf("UnsignMaxAge = %q, %v, want %q", got, err, v.Input.text(t))
	}
	got, err := djangocompat.Cookie{Name: v.Input.Cookie, Value: value, Path: "/"}.Header()
	if err != nil || got != v.Expect.SetCookie {
		t.Errorf("Set-Cookie = %q, %v, want %q", got, err, v.Expect.SetCookie)
	}
}

// checkGetSignedCookie does what HttpRequest.get_signed_cookie does.
func checkGetSignedCookie(t *testing.T, v signingVector) {
	value, ok := djangocompat.CookieValue(v.Input.CookieHeader, v.Input.Cookie)
	if v.Expect.Error == "KeyError" {
		if ok {
			t.Errorf("CookieValue = %q, want none", value)
		}
		return
	}
	age := time.Duration(1<<63 - 1)
	if limit, ok := v.Input.maxAge(t); ok {
		age = limit
	}
	got, err := newCookieSigner(t, v).UnsignMaxAge(value, age)
	if (!ok || err != nil) && v.Input.Default != nil {
		got, err = *v.Input.Default, nil
	}
	if checkError(t, v, err) {
		checkText(t, got, v.Expect.Result)
	}
}
