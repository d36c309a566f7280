package wireformat

import (
	"bytes"
	"crypto/hmac"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// captured are messages that channels_redis 4.3 wrote.
func captured() map[string]string {
	return map[string]string{
		"group_send": `a3d52b4d9c8ffd34e641312f
			8ca474797065ac636861742e6d657373616765a474657874a668c3a96c6c6fa16e2aa36e6567f9a3626967cf0000010000000000a166cb
			3ff8000000000000a162c40200ffa46e6f6e65c0a174c3a16c9201a161a16481a16ba176b05f5f617367695f6368616e6e656c5f5f91d9
			4a73706563696669632e666163623632306338376266346533303861383135613734396632656434383521643465363764393836663064
			3466306139383037383031646265333766313136`,
		"send": `d30046d4693a686a1c5cf3bb
			83a474797065ac636861742e6d657373616765a474657874a6646972656374b05f5f617367695f6368616e6e656c5f5fd94a7370656369
			6669632e666163623632306338376266346533303861383135613734396632656434383521643465363764393836663064346630613938
			3037383031646265333766313136`,
		"plain": `c5b31910f16075bd3243a391
			82a474797065a867656e6572617465a26964ce075bcd15`,
	}
}

func plainCodec() *Codec { return &Codec{Format: Msgpack, PrefixLength: 12, MaxMessage: 1 << 20} }

func TestOpenCaptured(t *testing.T) {
	const name = "specific.facb620c87bf4e308a815a749f2ed485!d4e67d986f0d4f0a9807801dbe37f116"
	tests := []struct {
		name     string
		event    channellayer.Event
		channels []string
	}{
		{"group_send", channellayer.Event{
			"type": "chat.message", "text": "héllo", "n": int64(42), "neg": int64(-7), "big": int64(1 << 40), "f": 1.5,
			"b": []byte{0, 255}, "none": nil, "t": true, "l": []any{int64(1), "a"}, "d": map[string]any{"k": "v"},
		}, []string{name}},
		{"send", channellayer.Event{"type": "chat.message", "text": "direct"}, []string{name}},
		{"plain", channellayer.Event{"type": "generate", "id": int64(123456789)}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, channels, err := plainCodec().Open(unhex(t, captured()[tt.name]), time.Now())
			if err != nil || !reflect.DeepEqual(e, tt.event) || !slices.Equal(channels, tt.channels) {
				t.Errorf("open = %v for %q, %v, want %v for %q", e, channels, err, tt.event, tt.channels)
			}
		})
	}
}

func TestEncodeAsPythonDoes(t *testing.T) {
	b, err := plainCodec().Encode(channellayer.Event{"type": "chat.message"})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		got  []byte
		want string
	}{
		{"a plain channel", b.Plain(), "81a474797065ac636861742e6d657373616765"},
		{"one channel", b.To("a!b"), "82a474797065ac636861742e6d657373616765b05f5f617367695f6368616e6e656c5f5fa3612162"},
		{"a list of channels", b.ToAll([]string{"a!b"}), "82a474797065ac636861742e6d657373616765b05f5f617367695f6368616e6e656c5f5f91a3612162"},
		{"small integers", AppendMsgpack(nil, []any{int64(0), int64(127), int64(128), int64(-32), int64(-33)}), "95007fcc80e0d0df"},
		{
			"large integers", AppendMsgpack(nil, []any{int64(65535), int64(65536), int64(math.MaxInt64), int64(math.MinInt64)}),
			"94cdffffce00010000cf7fffffffffffffffd38000000000000000",
		},
		{"floats are long", AppendMsgpack(nil, 1.5), "cb3ff8000000000000"},
		{"bytes are no string", AppendMsgpack(nil, []byte("a")), "c40161"},
	}
	for _, tt := range tests {
		if got := hex.EncodeToString(tt.got); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestJSONSerializer(t *testing.T) {
	c := &Codec{Format: JSON, PrefixLength: 12, MaxMessage: 1 << 20}
	message := append(unhex(t, "2aaf2aebfc408becdc350804"), `{"type": "chat.message", "text": "h\u00e9llo", "x": NaN}`...)
	e, _, err := c.Open(message, time.Now())
	if err != nil || e["text"] != "héllo" || !math.IsNaN(e["x"].(float64)) {
		t.Errorf("open = %v, %v, want the event that json.dumps wrote", e, err)
	}
	b, err := c.Encode(channellayer.Event{"type": "chat.message", "text": "héllo"})
	if err != nil {
		t.Fatal(err)
	}
	const wantJSON = `{"text": "h\u00e9llo", "type": "chat.message", "__asgi_channel__": ["a!b"]}`
	if got := string(b.ToAll([]string{"a!b"})); got != wantJSON {
		t.Errorf("encoded %s, want %s", got, wantJSON)
	}
	if got := string(b.Plain()); got != `{"text": "h\u00e9llo", "type": "chat.message"}` {
		t.Errorf("encoded %s for a plain channel", got)
	}
	if _, err := c.Encode(channellayer.Event{"type": "x", "l": []any{map[string]any{"b": []byte("b")}}}); !errors.Is(err, channellayer.ErrInvalidEvent) {
		t.Errorf("bytes: got error %v, want ErrInvalidEvent", err)
	}
}

func TestParseMsgpack(t *testing.T) {
	tests := []struct {
		name string
		data string
		want any
	}{
		{"a key that is a number becomes text", "\x81\x01\xc0", map[string]any{"1": nil}},
		{"a key that is bytes becomes text", "\x81\xc4\x01k\xc0", map[string]any{"k": nil}},
		{"the last of equal keys wins", "\x82\xa1k\x01\xa1k\x02", map[string]any{"k": int64(2)}},
		{"what is not UTF-8 has a replacement", "\xa2a\xff", "a\uFFFD"},
		{"an integer beyond int64 is a float", "\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 18446744073709551615.0},
		{"a short float is a float", "\xca\x3f\x80\x00\x00", 1.0},
		{"a timestamp is its Unix time", "\xd6\xff\x00\x00\x00\x01", 1.0},
		{"a timestamp with nanoseconds", "\xd7\xff\x77\x35\x94\x00\x00\x00\x00\x01", 1.5},
		{"a long timestamp", "\xc7\x0c\xff\x1d\xcd\x65\x00\xff\xff\xff\xff\xff\xff\xff\xff", -0.5},
		{"another extension is its bytes", "\xd4\x05x", []byte("x")},
		{"an extension of 16 bytes", "\xd80123456789abcdefX", []byte("123456789abcdefX")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseMsgpack([]byte(tt.data))
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("ParseMsgpack = %#v, %v, want %#v", got, err, tt.want)
			}
		})
	}
	for name, data := range map[string]string{
		"nothing": "", "a map of 4 billion": "\xdf\xff\xff\xff\xff", "a list of 4 billion": "\xdd\xff\xff\xff\xff",
		"bytes of 4 billion": "\xc6\xff\xff\xff\xff", "more than it says": "\xc0\xc0", "a byte that means nothing": "\xc1",
		"too deep":              strings.Repeat("\x91", channellayer.MaxDepth+1) + "\xc0",
		"a map as a key":        "\x81\x80\xc0",
		"a cut-off extension":   "\xc9\xff\xff\xff\xff\x01",
		"too many in all":       "\xdd\x00\x10\x00\x01" + strings.Repeat("\xc0", 1<<20+1),
		"too many maps in all":  "\xdd\x00\x01\x00\x00" + strings.Repeat("\x80", 1<<16),
		"a length that is less": "\xa5four",
	} {
		if v, err := ParseMsgpack([]byte(data)); err == nil {
			t.Errorf("%s: parsed as %.60v, want an error", name, v)
		}
	}
}

func TestFernet(t *testing.T) {
	made := time.Unix(1795356278, 0)
	c, err := NewCrypter([]string{"new-key-0123456789", "old-key"}, 70*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	// What channels_redis derives from the first secret.
	key, err := base64.URLEncoding.DecodeString("aHwpIbUENcckfYB0cNE6hYNOUXWoMaMZsZP-xgpUWvg=")
	if err != nil || !hmac.Equal(c.keys[0].sign, key[:16]) {
		t.Fatalf("the derived key is another one than channels_redis has")
	}
	plain := []byte("a message of some length")
	token := c.Encrypt(plain, made)
	old, err := NewCrypter([]string{"old-key", "new-key-0123456789"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := NewCrypter([]string{"another"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Clone(token)
	changed[len(changed)/2] ^= 1
	tests := []struct {
		name    string
		crypter *Crypter
		token   []byte
		at      time.Time
		ok      bool
	}{
		{"a fresh token is read", c, token, made, true},
		{"the order of keys does not matter for reading", old, token, made, true},
		{"a token at its greatest age is read", c, token, made.Add(70 * time.Second), true},
		{"an old token is refused", c, token, made.Add(72 * time.Second), false},
		{"an old token is read where age does not count", old, token, made.Add(1000 * time.Hour), true},
		{"a token from a clock that is a little fast is read", c, token, made.Add(-time.Minute), true},
		{"a token from the future is refused", c, token, made.Add(-62 * time.Second), false},
		{"a token of another key is refused", foreign, token, made, false},
		{"a token that was changed is refused", c, changed, made, false},
		{"plain text is refused", c, plain, made, false},
		{"nothing is refused", c, nil, made, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.crypter.Decrypt(tt.token, tt.at)
			if (err == nil) != tt.ok || tt.ok && !bytes.Equal(got, plain) {
				t.Errorf("decrypt = %q, %v, want success %v", got, err, tt.ok)
			}
		})
	}
}

func FuzzOpen(f *testing.F) {
	for _, message := range captured() {
		f.Add(unhex(f, message))
	}
	f.Add([]byte("twelve bytes\x84\xa4type\xa1x\x01\x02\xa3bad\xa2\xff\xfe\xd6\xff\x00\x00\x00\x01\xc0"))
	c := plainCodec()
	f.Fuzz(func(t *testing.T, message []byte) {
		e, _, err := c.Open(message, time.Now())
		if err != nil {
			return
		}
		if err := e.Check(); err != nil {
			t.Errorf("open gave an event that no layer can carry: %v", err)
		}
		b, err := c.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := c.Open([]byte(c.Seal(b.Plain(), time.Now())), time.Now())
		if err != nil {
			t.Errorf("what was encoded is not read: %v", err)
		}
		if len(again) != len(e) {
			t.Errorf("got %d keys after encoding, want %d", len(again), len(e))
		}
	})
}

func FuzzOpenJSON(f *testing.F) {
	f.Add([]byte(`twelve bytes{"type": "chat.message", "text": "h\u00e9llo", "x": [NaN, 1.5, null]}`))
	f.Add([]byte(`twelve bytes{"type": "a", "__asgi_channel__": ["a!b", 1]}`))
	c := &Codec{Format: JSON, PrefixLength: 12, MaxMessage: 1 << 20}
	f.Fuzz(func(t *testing.T, message []byte) {
		e, _, err := c.Open(message, time.Now())
		if err == nil && e.Check() != nil {
			t.Errorf("open gave an event that no layer can carry")
		}
	})
}

func FuzzFernet(f *testing.F) {
	c, err := NewCrypter([]string{"key", "old"}, time.Minute)
	if err != nil {
		f.Fatal(err)
	}
	now := time.Unix(1795356278, 0)
	f.Add(c.Encrypt([]byte("plain"), now), []byte("plain"))
	f.Add([]byte("gAAAAABrAvZ3"), []byte{})
	f.Fuzz(func(t *testing.T, token, plain []byte) {
		_, _ = c.Decrypt(token, now) // returns
		got, err := c.Decrypt(c.Encrypt(plain, now), now)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("decrypt(encrypt) = %q, %v, want what was encrypted", got, err)
		}
	})
}
