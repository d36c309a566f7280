package djangocompat_test

import (
	"strings"
	"testing"

	"github.com/belleville/belleville/djangocompat"
)

const benchPassword = "pbkdf2_sha256$1000000$FpZz1TL5D1IPRIDIvZmbVt$ih6kJccAhDRGUp5ziDFVNmemvvQpuB8Sk4rC0Jzr4sH="

// benchSession returns the text of a login with rest besides, and its codec.
func benchSession(b *testing.B, rest string) (djangocompat.SessionCodec, string) {
	b.Helper()
	codec := djangocompat.SessionCodec{Keys: djangocompat.NewKeys(strings.Repeat("k", 50), "old")}
	d := parse(b, `{"_auth_user_id":"844","_auth_user_backend":"django.contrib.auth.backends.ModelBackend",`+
		`"_auth_user_hash":"8096cbb04a6022aa615aa504702392de50f307fa7933e4eed353d712e9ac0064"`+rest+`}`)
	text, err := codec.Encode(d)
	if err != nil {
		b.Fatal(err)
	}
	return codec, text
}

// readLogin does what a handshake does with a session.
func readLogin(b *testing.B, codec djangocompat.SessionCodec, text string) {
	d, err := codec.Decode(text)
	if err != nil {
		b.Fatal(err)
	}
	for _, key := range []string{djangocompat.AuthUserIDKey, djangocompat.AuthBackendKey, djangocompat.AuthHashKey} {
		if _, ok := d.GetString(key); !ok {
			b.Fatal("no login")
		}
	}
}

func BenchmarkDecodeLogin(b *testing.B) {
	codec, text := benchSession(b, "")
	b.ReportAllocs()
	for b.Loop() {
		readLogin(b, codec, text)
	}
}

func BenchmarkDecodePlain200(b *testing.B) {
	codec, _ := benchSession(b, "")
	signer, err := djangocompat.NewTimestampSigner(codec.Keys, djangocompat.SignerConfig{Salt: "django.contrib.sessions.SessionStore"})
	if err != nil {
		b.Fatal(err)
	}
	text := signer.SignBytes([]byte(`{"_auth_user_id":"844","_auth_user_backend":"django.contrib.auth.backends.ModelBackend",`+
		`"_auth_user_hash":"8096cbb04a6022aa615aa504702392de50f307fa7933e4eed353d712e9ac0064"}`), djangocompat.Plain)
	b.ReportAllocs()
	for b.Loop() {
		readLogin(b, codec, text)
	}
}

func BenchmarkDecodeCompressed2K(b *testing.B) {
	codec, text := benchSession(b, `,"cart":[`+strings.Repeat(`{"sku":"abc-123","qty":2,"price":"12.50"},`, 42)+`null]`)
	b.ReportAllocs()
	for b.Loop() {
		readLogin(b, codec, text)
	}
}

func BenchmarkDecodeBadSignature(b *testing.B) {
	codec, text := benchSession(b, "")
	codec.RefuseLegacy = true
	text += "x"
	b.ReportAllocs()
	for b.Loop() {
		if _, err := codec.Decode(text); err == nil {
			b.Fatal("no error")
		}
	}
}

func BenchmarkEncodeLogin(b *testing.B) {
	codec, text := benchSession(b, "")
	d, err := codec.Decode(text)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := codec.Encode(d); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifySessionAuthHash(b *testing.B) {
	keys := djangocompat.NewKeys(strings.Repeat("k", 50))
	hash := djangocompat.SessionAuthHash(keys, benchPassword)
	b.ReportAllocs()
	for b.Loop() {
		if djangocompat.VerifySessionAuthHash(keys, benchPassword, hash) != djangocompat.HashCurrent {
			b.Fatal("wrong")
		}
	}
}

func BenchmarkCookieValue(b *testing.B) {
	header := "csrftoken=IcZckUjPxZ25jH940ZErqx3m6iWdyX0S; theme=dark; sessionid=04jpgvsojt4pltq00ysyvnwhmad7rnc2; _ga=GA1.1.123"
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := djangocompat.CookieValue(header, "sessionid"); !ok {
			b.Fatal("no cookie")
		}
	}
}

// BenchmarkDecodePickle is BenchmarkDecodeLogin with PickleSerializer.
func BenchmarkDecodePickle(b *testing.B) {
	codec, text := benchSession(b, "")
	d, err := codec.Decode(text)
	if err != nil {
		b.Fatal(err)
	}
	codec.Serializer = djangocompat.PickleSerializer
	if text, err = codec.Encode(d); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		readLogin(b, codec, text)
	}
}

// BenchmarkParsePickledSession2K is what a session costs that a cache holds.
func BenchmarkParsePickledSession2K(b *testing.B) {
	codec, text := benchSession(b, `,"cart":[`+strings.Repeat(`{"sku":"abc-123","qty":2,"price":"12.50"},`, 42)+`null]`)
	d, err := codec.Decode(text)
	if err != nil {
		b.Fatal(err)
	}
	data, err := d.Pickle()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := djangocompat.ParsePickledSession(data, 1<<20); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPickledSessionWith sets a key of a pickled session, which is decoded and encoded for it.
func BenchmarkPickledSessionWith(b *testing.B) {
	d, err := djangocompat.PickleSerializer.Convert(parse(b, `{"_auth_user_id":"844","cart":[`+
		strings.Repeat(`{"sku":"abc-123","qty":2,"price":"12.50"},`, 42)+`null]}`))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.With("n", 1); err != nil {
			b.Fatal(err)
		}
	}
}
