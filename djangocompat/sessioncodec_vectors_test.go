package djangocompat_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/djangocompat"
)

// sessionInput is what sessions_db.json and tampered.json give to a decoder.
type sessionInput struct {
	Encoding          string   `json:"encoding"`
	SecretKey         string   `json:"secret_key"`
	SecretKeyB64      string   `json:"secret_key_b64"`
	Fallbacks         []string `json:"secret_key_fallbacks"`
	Salt              string   `json:"salt"`
	SessionData       string   `json:"session_data"`
	SessionDataRepeat repeated `json:"session_data_repeat"`
}

type sessionExpect struct {
	Value         json.RawMessage `json:"value"`
	ValueTagged   json.RawMessage `json:"value_tagged"`
	ValueSHA256   string          `json:"value_sha256"`
	ValueTooLarge map[string]int  `json:"value_too_large"`
	Raises        string          `json:"raises"`
	JSONText      *string         `json:"json_text"`
	Compressed    bool            `json:"compressed"`
	Timestamp     int64           `json:"timestamp"`
	Expiry        *sessionExpiry  `json:"expiry"`
}

type sessionVector = vector[sessionInput, sessionExpect]

func (in sessionInput) text() string {
	if in.SessionDataRepeat != nil {
		return in.SessionDataRepeat.text()
	}
	return in.SessionData
}

// vectorTime is the time at which the vectors were made.
var vectorTime = time.Unix(1712345678, 0)

// codecOf returns the codec of the site that a case is about: Django 3.2, or a newer one.
func codecOf(tb testing.TB, v sessionVector) djangocompat.SessionCodec {
	secret, fallbacks := v.Input.SecretKey, v.Input.Fallbacks
	if v.Input.SecretKeyB64 != "" {
		secret = fromBase64(tb, v.Input.SecretKeyB64)
	}
	if !v.newest() {
		fallbacks = nil // 3.2 has none
	}
	codec := djangocompat.SessionCodec{
		Keys:       djangocompat.NewKeys(secret, fallbacks...),
		Salt:       v.Input.Salt,
		MaxSize:    4 << 20,
		AcceptSHA1: !v.newest(),
		Now:        func() time.Time { return vectorTime },
	}
	if v.Input.Encoding == "legacy" {
		codec.Salt = "" // the old form has a salt of its own, which the vectors name
	}
	return codec
}

func decodeVector(tb testing.TB, v sessionVector) (djangocompat.SessionData, error) {
	codec := codecOf(tb, v)
	if v.Input.Encoding == "signed_cookies" {
		return codec.DecodeMaxAge(v.Input.text(), 14*24*time.Hour)
	}
	return codec.Decode(v.Input.text())
}

// refusals are the errors that Decode may return.
var refusals = []error{
	djangocompat.ErrBadSignature,
	djangocompat.ErrSignatureExpired,
	djangocompat.ErrTooLarge,
	djangocompat.ErrMalformed,
	djangocompat.ErrPickled,
}

func isRefusal(err error) bool {
	for _, want := range refusals {
		if errors.Is(err, want) {
			return true
		}
	}
	return false
}

// rewritten are the cases whose JSON text Django itself would not write again.
var rewritten = exceptions{
	"duplicate_keys_after_str":        "a dict with the keys 1 and \"1\" is written with the key twice; read again, it has one",
	"legacy/duplicate_keys_after_str": "the same, before Django 3.1",
}

// TestDecodeVectors checks that Decode makes of a text what Django makes of it: the same dict, or an error
// where Django's session is empty or Django fails.
func TestDecodeVectors(t *testing.T) {
	for _, file := range []string{"sessions_db.json", "tampered.json"} {
		for _, v := range vectors[sessionInput, sessionExpect](t, file, "") {
			if strings.HasPrefix(v.Name, "legacy_pickle/") {
				continue // TestDecodePickles has these
			}
			t.Run(file+"/"+v.Name, func(t *testing.T) {
				d, err := decodeVector(t, v)
				switch {
				case err != nil && !isRefusal(err):
					t.Fatalf("Decode: an error of no kind: %v", err)
				case err != nil:
					checkRefusal(t, v, err)
				default:
					checkValue(t, v, d)
				}
			})
		}
	}
}

func checkRefusal(t *testing.T, v sessionVector, err error) {
	t.Helper()
	want := v.Expect.Value
	switch {
	case v.Expect.Raises != "" || string(want) == "{}":
	case v.Expect.ValueTooLarge != nil:
		if !errors.Is(err, djangocompat.ErrTooLarge) {
			t.Errorf("Decode: %v, want ErrTooLarge", err)
		}
	case want != nil && want[0] != '{':
		// Django returns what is no dict, and fails as soon as the session is used. The text itself
		// is readable nevertheless.
		text, err := codecOf(t, v).DecodeBytes(v.Input.text())
		if err != nil {
			t.Fatalf("DecodeBytes: %v", err)
		}
		got, err := djangocompat.ParseJSON(text)
		if err != nil || !sameValue(t, got, want) {
			t.Errorf("ParseJSON: %v, %v, want %s", got, err, want)
		}
	default:
		t.Errorf("Decode: %v, want a value", err)
	}
}

func checkValue(t *testing.T, v sessionVector, d djangocompat.SessionData) {
	t.Helper()
	want := v.Expect.Value
	if v.Expect.ValueTagged != nil {
		want = v.Expect.ValueTagged
	}
	if v.Expect.ValueSHA256 != "" {
		if got := digestOf(t, asMap(d)); got != v.Expect.ValueSHA256 {
			t.Errorf("digest of the value = %s, want %s", got, v.Expect.ValueSHA256)
		}
		return
	}
	if want == nil {
		t.Fatalf("Decode gave a value of %d keys, want a refusal", d.Len())
	}
	if !sameValue(t, asMap(d), want) {
		t.Errorf("Decode = %s, want %s", d.JSON(), want)
	}
	if _, ok := rewritten[v.Name]; !ok && v.Expect.JSONText != nil && string(d.JSON()) != *v.Expect.JSONText {
		t.Errorf("JSON = %s, want %s", d.JSON(), *v.Expect.JSONText)
	}
}

// TestEncodeVectors checks that Encode writes what Django wrote: byte for byte where nothing is deflated,
// and where it is, the same JSON from a text with a dot in front.
func TestEncodeVectors(t *testing.T) {
	for _, v := range vectors[sessionInput, sessionExpect](t, "sessions_db.json", "") {
		if v.Expect.JSONText == nil || v.Input.Encoding != "signed" {
			continue
		}
		t.Run(v.Name, func(t *testing.T) {
			rewritten.skip(t, v.Name)
			d, err := djangocompat.ParseSessionData([]byte(*v.Expect.JSONText))
			if err != nil {
				t.Fatal(err)
			}
			codec := codecOf(t, v)
			codec.Now = func() time.Time { return time.Unix(v.Expect.Timestamp, 0) }
			got, err := codec.Encode(d)
			if err != nil {
				t.Fatal(err)
			}
			if deflated := strings.HasPrefix(got, "."); deflated != v.Expect.Compressed && !nearThreshold(v) {
				t.Errorf("deflated = %v, want %v", deflated, v.Expect.Compressed)
			}
			if !v.Expect.Compressed && got != v.Input.SessionData {
				t.Errorf("Encode = %q, want %q", got, v.Input.SessionData)
			}
			again, err := codec.Decode(got)
			if err != nil || string(again.JSON()) != *v.Expect.JSONText {
				t.Errorf("Decode of Encode = %s, %v, want %s", again.JSON(), err, *v.Expect.JSONText)
			}
		})
	}
}

// nearThreshold reports whether deflating saved Django so little that Go's deflate, which ends its stream
// with an empty block of five bytes, saves nothing. Django reads both forms.
func nearThreshold(v sessionVector) bool {
	payload, _, _ := strings.Cut(strings.TrimPrefix(v.Input.SessionData, "."), ":")
	return v.Expect.Compressed && len(*v.Expect.JSONText)-base64.RawURLEncoding.DecodedLen(len(payload)) <= 7
}

// TestDecodePickles checks that a rightly signed pickle is told apart from what is broken.
func TestDecodePickles(t *testing.T) {
	for _, v := range vectors[sessionInput, sessionExpect](t, "sessions_db.json", "legacy_pickle/") {
		t.Run(v.Name, func(t *testing.T) {
			if _, err := decodeVector(t, v); !errors.Is(err, djangocompat.ErrPickled) {
				t.Errorf("Decode: %v, want ErrPickled", err)
			}
			text, err := codecOf(t, v).DecodeBytes(v.Input.text())
			if err != nil || text[len(text)-1] != '.' {
				t.Errorf("DecodeBytes: %q, %v, want a pickle", text, err)
			}
		})
	}
}
