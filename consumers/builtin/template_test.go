package builtin_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/belleville/belleville/consumers/builtin"
)

func TestCheckGroup(t *testing.T) {
	tests := []struct {
		name  string
		text  string
		names []string
		want  string // the problem
	}{
		{"a fixed name", "news", nil, ""},
		{"values", "chat_{room}-{user.pk}", []string{"room", "user.pk"}, ""},
		{"a number is an argument of the path", "{0}", []string{"0"}, ""},
		{"nothing is no name", "", nil, "a group's name has at most 99 letters, digits, hyphens, underscores and periods"},
		{"a blank is in no name", "chat {room}", nil, "a group's name has at most 99 letters, digits, hyphens, underscores and periods"},
		{"100 characters are too many", strings.Repeat("x", 100), nil, "a group's name has at most 99 letters, digits, hyphens, underscores and periods"},
		{"a brace is closed", "chat_{room", nil, "a { is not closed"},
		{"a brace was opened", "chat_room}", nil, "a } closes nothing"},
		{"a name is not empty", "chat_{}", nil, `"" is no name of a value`},
		{"a name has no signs", "chat_{+1}", nil, `"+1" is no name of a value`},
		{"there is one dot", "chat_{user.a.b}", nil, `"user.a.b" is no name of a value`},
		{"braces do not nest", "chat_{{room}}", nil, `"{room" is no name of a value`},
		{"true is no part of a name", "x_{user.is_staff}", nil, "user.is_staff is true or false, which is no part of a group's name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			names, err := builtin.CheckGroup(tt.text)
			if got := problem(err); got != tt.want || !slices.Equal(names, tt.names) {
				t.Errorf("CheckGroup(%q) = %v, %q; want %v, %q", tt.text, names, got, tt.names, tt.want)
			}
		})
	}
}

// problem returns what a SyntaxError says.
func problem(err error) string {
	if e, ok := errors.AsType[*builtin.SyntaxError](err); ok {
		return e.Problem
	}
	if err != nil {
		return "no SyntaxError: " + err.Error()
	}
	return ""
}

func TestCheckPublish(t *testing.T) {
	tests := []struct {
		name string
		typ  string
		ok   bool
	}{
		{"names and periods", "chat.message", true},
		{"one name", "message", true},
		{"no underscore at the beginning", "_private", false},
		{"no period at the beginning", ".chat", false},
		{"no period at the end", "chat.", false},
		{"not empty", "", false},
		{"no blank", "chat message", false},
		{"nothing that closes others", "websocket.close", false},
		{"nothing that kicks others", "belleville.kick", false},
		{"a name that only begins like one of these", "websockets.close", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := builtin.CheckPublish(tt.typ); (err == nil) != tt.ok {
				t.Errorf("CheckPublish(%q) = %v, want ok = %v", tt.typ, err, tt.ok)
			}
		})
	}
}

func FuzzCheckGroup(f *testing.F) {
	for _, s := range []string{"chat_{room}", "{user.pk}", "{", "}", "{0}{0}", "a{b}c}d", "{user.}", "{99}", "{100}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		names, err := builtin.CheckGroup(text)
		if err != nil {
			if len(err.Error()) > 400 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		for _, n := range names {
			if err := builtin.CheckName(n); err != nil || !strings.Contains(text, "{"+n+"}") {
				t.Errorf("CheckGroup(%q) names %q: %v", text, n, err)
			}
		}
	})
}
