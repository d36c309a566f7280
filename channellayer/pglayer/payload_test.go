package pglayer

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer/wireformat"
)

// captured is a notification that channels_postgres 1.1.3 made.
const captured = "1:specific.1a2b3!00000000000000000000000000000001:gqR0eXBlrGNoYXQubWVzc2FnZaR0ZXh0pmjDqWxsbw==:1795357182.109173"

func TestParsePayload(t *testing.T) {
	const channel = "specific.1a2b3!00000000000000000000000000000001"
	tests := []struct {
		name string
		text string
		want payload
		ok   bool
	}{
		{"what was captured", captured, payload{1, channel, "gqR0eXBlrGNoYXQubWVzc2FnZaR0ZXh0pmjDqWxsbw==", 1795357182.109173}, true},
		{"a row that is named", "2147483647:" + channel, payload{id: 2147483647, channel: channel}, true},
		{"a message without a row", "-7:a!b:AA==:1", payload{-7, "a!b", "AA==", 1}, true},
		{"no message and no row", "-7:a!b", payload{}, false},
		{"the end of all listeners", shutdown, payload{id: 1, channel: "shutdown"}, true},
		{"nothing", "", payload{}, false},
		{"an id that is no number", "x:a!b", payload{}, false},
		{"an id that is too large", "99999999999999999999:a!b", payload{}, false},
		{"an empty message", "1:a!b::1", payload{}, false},
		{"no time", "1:a!b:AA==", payload{}, false},
		{"a time that is none", "1:a!b:AA==:NaN", payload{}, false},
		{"a time beyond all dates", "1:a!b:AA==:1e300", payload{}, false},
		{"an endless time", "1:a!b:AA==:-Inf", payload{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parsePayload(tt.text)
			if got != tt.want || (err == nil) != tt.ok {
				t.Errorf("parsePayload(%q) = %+v, %v, want %+v", tt.text, got, err, tt.want)
			}
		})
	}
}

func TestDecodePayload(t *testing.T) {
	codec := &wireformat.Codec{Format: wireformat.Msgpack, MaxMessage: 1 << 20}
	p, err := parsePayload(captured)
	if err != nil {
		t.Fatal(err)
	}
	message, err := p.decode()
	if err != nil {
		t.Fatal(err)
	}
	if e, _, err := codec.Open(message, time.Now()); err != nil || e.Type() != "chat.message" || e["text"] != "héllo" {
		t.Errorf("the captured message is %v, %v", e, err)
	}
	long := bytes.Repeat([]byte("x"), 200)
	text := base64.StdEncoding.EncodeToString(long)
	p.message = text[:76] + "\n" + text[76:152] + "\n" + text[152:]
	if got, err := p.decode(); err != nil || !bytes.Equal(got, long) {
		t.Errorf("base64 in lines is %q, %v", got, err)
	}
	p.message = "***"
	if got, err := p.decode(); err == nil {
		t.Errorf("no base64 is %q, want an error", got)
	}
}

func FuzzPayload(f *testing.F) {
	seeds, err := filepath.Glob("testdata/payloads/*")
	if err != nil || len(seeds) == 0 {
		f.Fatal("there are no seeds", err)
	}
	for _, name := range seeds {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(strings.TrimSuffix(string(text), "\n"))
	}
	codec := &wireformat.Codec{Format: wireformat.Msgpack, MaxMessage: 1 << 16}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePayload(text)
		if err != nil || p.message == "" {
			return
		}
		if left := seconds(p.expires); left.Abs() > 24*365*11*time.Hour {
			t.Errorf("%v is beyond all bounds", left)
		}
		if message, err := p.decode(); err == nil {
			if e, _, err := codec.Open(message, time.Now()); err == nil && e.Type() == "" {
				t.Error("an event without a type")
			}
		}
	})
}

func TestReceiverLock(t *testing.T) {
	if got := receiverLock("specific.1a2b3!00000000000000000000000000000001"); got != 7857328182576371514 {
		t.Errorf("receiverLock = %d, want what Python calculates", got)
	}
}

func TestNames(t *testing.T) {
	n := newNodeNames("web-1")
	for _, group := range []string{"room", strings.Repeat("g", 89)} {
		name := n.representative(group)
		if len(name) > 99 {
			t.Errorf("the representative of %q has %d characters", group, len(name))
		}
		if id, ok := nodeOf(name); !ok || id != n.id {
			t.Errorf("nodeOf(%q) = %q, %t", name, id, ok)
		}
	}
	if again := newNodeNames("web-1"); again.id == n.id || again.id[:6] != n.id[:6] {
		t.Errorf("the same node is %s and %s, want one name and two incarnations", n.id, again.id)
	}
	for _, other := range []string{"", "specific.1a2b3!00", "specific.bv.", nodePrefix + n.id, "jobs"} {
		if id, ok := nodeOf(other); ok {
			t.Errorf("nodeOf(%q) = %q, want none", other, id)
		}
	}
}
