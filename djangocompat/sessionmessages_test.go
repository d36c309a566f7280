package djangocompat_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/pickle"
)

func TestFlashMessagesOfDjango(t *testing.T) {
	seen := 0
	for _, v := range vectors[sessionInput, sessionExpect](t, "sessions_db.json", "") {
		if !strings.Contains(v.Name, "messages_session_storage") {
			continue
		}
		d, err := decodeVector(t, v)
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		seen++
		s := djangocompat.NewSession("", d, nil)
		got, err := s.FlashMessages()
		if err != nil || len(got) != 4 {
			t.Fatalf("%s: %v, %v", v.Name, got, err)
		}
		levels := []int{got[0].Level, got[1].Level, got[2].Level, got[3].Level}
		safe := []bool{got[0].Safe, got[1].Safe, got[2].Safe, got[3].Safe}
		if !slices.Equal(levels, []int{20, 25, 30, 37}) || !slices.Equal(safe, []bool{false, true, false, true}) ||
			got[3].ExtraTags != "a b c" || !strings.HasSuffix(got[2].Text, " \U0001F6A8 \x00 end") {
			t.Errorf("%s: %+v", v.Name, got)
		}
		s.SetFlashMessages(got...)
		if again, err := s.FlashMessages(); err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("%s: written and read: %+v, %v", v.Name, again, err)
		}
	}
	if seen < 3 {
		t.Errorf("%d cases, want 3 at least", seen)
	}
}

func TestFlashMessages(t *testing.T) {
	tests := []struct {
		name string
		v    any
		ok   bool
	}{
		{"none", nil, true},
		{"an empty text", "", true},
		{"an empty list", "[]", true},
		{"a text that is safe", pickle.SafeString(`[["__json_message",1,20,"a"]]`), true},
		{"no tags", `[["__json_message",false,20,"a",null]]`, true},
		{"a number", int64(1), false},
		{"no JSON", "[", false},
		{"no list", "{}", false},
		{"another mark", `[["__message",1,20,"a"]]`, false},
		{"too few fields", `[["__json_message",1,20]]`, false},
		{"too many fields", `[["__json_message",1,20,"a","b","c"]]`, false},
		{"a level that is a text", `[["__json_message",1,"20","a"]]`, false},
		{"a text that is a number", `[["__json_message",1,20,7]]`, false},
		{"tags that are a number", `[["__json_message",1,20,"a",7]]`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := djangocompat.NewSession("", djangocompat.PickleSerializer.Empty(), nil)
			s.Set(djangocompat.MessagesKey, tt.v)
			if got, err := s.FlashMessages(); tt.ok != (err == nil) {
				t.Errorf("FlashMessages = %+v, %v", got, err)
			}
		})
	}
	t.Run("no messages remove the key", func(t *testing.T) {
		s := djangocompat.NewSession("", parse(t, `{"_messages":"[]","a":1}`), nil)
		s.SetFlashMessages()
		if s.Has(djangocompat.MessagesKey) || s.Len() != 1 {
			t.Errorf("%s", s.Data().JSON())
		}
	})
	t.Run("a text that is not UTF-8 is an error of Save", func(t *testing.T) {
		s := djangocompat.NewSession("", djangocompat.SessionData{}, newShelf())
		s.SetFlashMessages(djangocompat.FlashMessage{Text: "\xff"})
		if err := s.Save(t.Context()); err == nil {
			t.Error("Save = nil, want an error")
		}
	})
}

func TestEncodeLikeDjangoBefore31(t *testing.T) {
	seen := 0
	for _, v := range vectors[sessionInput, sessionExpect](t, "sessions_db.json", "legacy") {
		codec := codecOf(t, v)
		d, err := codec.DecodeAny(v.Input.SessionData)
		if err != nil || strings.Contains(v.Name, "duplicate_keys") {
			continue // Django writes such a key twice
		}
		seen++
		codec.WriteLegacy = true
		if d.IsPickled() {
			codec.Serializer = djangocompat.PickleSerializer
		}
		got, err := codec.Encode(d)
		if err != nil || got != v.Input.SessionData {
			t.Errorf("%s: Encode = %q, %v, want %q", v.Name, got, err, v.Input.SessionData)
		}
	}
	if seen < 20 {
		t.Errorf("%d cases, want 20 at least", seen)
	}
	if text, err := (djangocompat.SessionCodec{WriteLegacy: true}).Encode(djangocompat.SessionData{}); err == nil {
		t.Errorf("Encode without a key = %q", text)
	}
}

func TestSignsWithSHA1(t *testing.T) {
	for django, want := range map[string]bool{"2.2": true, "3.0.14": true, "3.1": false, "3.2": false, "5.2": false, "": false, "x": false} {
		if got := djangocompat.SignsWithSHA1(django); got != want {
			t.Errorf("SignsWithSHA1(%q) = %v", django, got)
		}
	}
}

func TestCookieOfDjangoBefore31(t *testing.T) {
	codec := djangocompat.SessionCodec{Keys: djangocompat.NewKeys("k"), Salt: "django.contrib.sessions.backends.signed_cookies", WriteLegacy: true, AcceptSHA1: true}
	text, err := codec.EncodeCookie(parse(t, `{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if d, err := codec.DecodeMaxAge(text, time.Minute); err != nil || d.Len() != 1 {
		t.Errorf("DecodeMaxAge = %s, %v", d.JSON(), err)
	}
	codec.AcceptSHA1 = false
	if d, err := codec.DecodeMaxAge(text, time.Minute); !errors.Is(err, djangocompat.ErrBadSignature) {
		t.Errorf("DecodeMaxAge without SHA-1 = %s, %v, want ErrBadSignature", d.JSON(), err)
	}
	codec.WriteLegacy = false
	if text, err = codec.EncodeCookie(parse(t, `{"a":1}`)); err != nil {
		t.Fatal(err)
	}
	if d, err := codec.DecodeMaxAge(text, time.Minute); err != nil || d.Len() != 1 {
		t.Errorf("DecodeMaxAge = %s, %v", d.JSON(), err)
	}
	if text, err := (djangocompat.SessionCodec{}).EncodeCookie(djangocompat.SessionData{}); err == nil {
		t.Errorf("EncodeCookie without a key = %q", text)
	}
}
