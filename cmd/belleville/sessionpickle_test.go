package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/belleville/belleville/djangocompat"
)

// dumped returns what json.dumps makes of a session that was shown.
func dumped(t *testing.T, shown []byte) []byte {
	t.Helper()
	data, err := pickledSession(shown)
	if err != nil {
		t.Fatalf("%s: %v", shown, err)
	}
	asJSON, err := djangocompat.JSONSerializer.Convert(data)
	if err != nil {
		t.Fatalf("%s: %v", shown, err)
	}
	return asJSON.JSON()
}

func TestPickledSessionDecodeAnswersAsDjango(t *testing.T) {
	cases := vectors(t, "sessions_pickle.jsonl.gz")
	var items []map[string]any
	for _, v := range cases {
		items = append(items, map[string]any{"session_data": v.Input.SessionData, "secret_key": *v.Input.SecretKey, "salt": v.Input.Salt})
	}
	shown := 0
	for i, got := range ask(t, items, "session", "decode") {
		v := cases[i]
		if v.Name == "hand/hand/json_text" { // decode finds out that this is JSON
			continue
		}
		if string(v.Expect.Value) == "null" || v.Expect.Error != "" || !strings.HasPrefix(string(v.Expect.Value), "{") {
			if got.OK {
				t.Errorf("%s: %s, want a refusal", v.Name, got.Data)
			}
			continue
		}
		switch {
		case !got.OK && !slices.Contains(v.Expect.Allowed, "error"):
			// A hand-made pickle may be of a class, which is no session.
			if !strings.HasPrefix(string(v.Expect.Value), `{"$type"`) {
				t.Errorf("%s: %s, want %s", v.Name, got.Error, v.Expect.Value)
			}
		case got.OK && !same(t, got.Data, v.Expect.Value):
			t.Errorf("%s: %s, want %s", v.Name, got.Data, v.Expect.Value)
		case got.OK:
			shown++
		}
	}
	if shown < 90 {
		t.Errorf("%d sessions were shown, want 90 at least", shown)
	}
}

func TestPickledSessionEncodeReversesDecode(t *testing.T) {
	var shown []json.RawMessage
	var items []map[string]any
	for _, v := range vectors(t, "sessions_pickle.jsonl.gz") {
		text := string(v.Expect.Value)
		if !strings.HasPrefix(text, "{") || strings.Contains(text, `"opaque"`) || strings.Contains(text, `"recursive"`) ||
			strings.HasPrefix(text, `{"$type"`) && !strings.HasPrefix(text, `{"$type":"dict"`) {
			continue
		}
		shown = append(shown, v.Expect.Value)
		items = append(items, map[string]any{"data": v.Expect.Value, "serializer": "pickle"})
	}
	if len(items) < 60 {
		t.Fatalf("%d cases, want 60 at least", len(items))
	}
	var encoded []map[string]any
	for i, got := range ask(t, items, "session", "encode", "--secret-key=k") {
		var text string
		if !got.OK || json.Unmarshal(got.Data, &text) != nil {
			t.Fatalf("%s: %+v", shown[i], got)
		}
		encoded = append(encoded, map[string]any{"session_data": text})
	}
	for i, got := range ask(t, encoded, "session", "decode", "--secret-key=k") {
		if !got.OK || !same(t, got.Data, shown[i]) {
			t.Errorf("%s became %s %s", shown[i], got.Data, got.Error)
		}
	}
}
