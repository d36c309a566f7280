package pyregexp_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/belleville/belleville/routing/internal/pyregexp"
)

// answers are those of Python's re, written by testdata/generate.py.
type answers struct {
	Python   string
	Unicode  string
	Assigned []rune            // the characters of that version of Unicode: first and last of each run
	Classes  map[string][]rune // those that match \w, \d and \s
	Same     []string          // those that (?i) takes for one another
	Cases    []struct {
		Pattern string
		Error   bool
		Names   []string
		Texts   []struct {
			Text              string
			Search, Fullmatch []int
		}
	}
}

func readAnswers(t testing.TB) answers {
	raw, err := os.ReadFile("testdata/re.json")
	if err != nil {
		t.Fatal(err)
	}
	var a answers
	if err := json.Unmarshal(raw, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// refused are the reasons for which a pattern that Python takes may be refused, and no others.
var refused = []string{
	"look-ahead (?= is not supported",
	"look-ahead (?! is not supported",
	"look-behind (?<= is not supported",
	"look-behind (?<! is not supported",
	"atomic groups (?> are not supported",
	"possessive quantifiers are not supported",
	`back-references \1 are not supported`,
	"back-references (?P= are not supported",
	"a repeated part that may be empty is not supported",
	"$ before the end of the pattern is not supported; $ under (?m) is",
	`\b and \B are supported only where both sides are known to be a letter or none, or to be ASCII; (?a) makes them so`,
}

func TestAsPython(t *testing.T) {
	compared := 0
	for _, c := range readAnswers(t).Cases {
		search, err := pyregexp.Search(c.Pattern)
		full, errFull := pyregexp.Fullmatch(c.Pattern)
		if c.Error {
			if err == nil || errFull == nil {
				t.Errorf("%q is accepted, and refused by Python", c.Pattern)
			}
			continue
		}
		for _, err := range []error{err, errFull} {
			if err != nil && !slices.ContainsFunc(refused, func(r string) bool { return strings.HasPrefix(err.Error(), r+" (at offset ") }) {
				t.Errorf("%q is accepted by Python, and refused: %v", c.Pattern, err)
			}
		}
		for _, x := range c.Texts {
			if x.Text == "" && strings.Contains(c.Pattern, `\B`) {
				continue // \B matches an empty text in Python 3.14, as here, and not in earlier ones
			}
			if err == nil {
				compared++
				if got := search.Match(x.Text); !slices.Equal(got, x.Search) {
					t.Errorf("Search(%q).Match(%q) = %v, want %v", c.Pattern, x.Text, got, x.Search)
				}
			}
			if errFull == nil {
				compared++
				if got := full.Match(x.Text); !slices.Equal(got, x.Fullmatch) {
					t.Errorf("Fullmatch(%q).Match(%q) = %v, want %v", c.Pattern, x.Text, got, x.Fullmatch)
				}
			}
		}
		if err == nil && !slices.Equal(search.Names(), c.Names) {
			t.Errorf("%q names its groups %q, want %q", c.Pattern, search.Names(), c.Names)
		}
	}
	if compared < 4000 {
		t.Errorf("only %d matches were compared", compared)
	}
}

func TestClassesAsPython(t *testing.T) {
	a := readAnswers(t)
	for class, members := range a.Classes {
		in, out := split(a.Assigned, members)
		all, err := pyregexp.Fullmatch(class + "+")
		if err != nil {
			t.Fatal(err)
		}
		if all.Match(in) == nil {
			t.Errorf("%s does not match all that it matches in Python", class)
		}
		if loc := compile(t, class).Match(out); loc != nil {
			t.Errorf("%s matches %+q", class, out[loc[0]:loc[1]])
		}
	}
}

// split returns the assigned characters that are members, and the others. Both are first and last of each run.
func split(assigned, members []rune) (in, out string) {
	var i, o strings.Builder
	for run := 0; run < len(assigned); run += 2 {
		for c := assigned[run]; c <= assigned[run+1]; c++ {
			for len(members) > 0 && members[1] < c {
				members = members[2:]
			}
			switch {
			case 0xd800 <= c && c <= 0xdfff: // surrogates, which no text in Go has
			case len(members) > 0 && members[0] <= c:
				i.WriteRune(c)
			default:
				o.WriteRune(c)
			}
		}
	}
	return i.String(), o.String()
}

func TestIgnoringCaseAsPython(t *testing.T) {
	a := readAnswers(t)
	for i, same := range a.Same {
		for _, c := range same {
			re := compile(t, "(?i)"+pyregexp.Quote(string(c)))
			for _, other := range same {
				if re.Match(string(other)) == nil {
					t.Errorf("(?i)%c does not match %c", c, other)
				}
			}
		}
		last, _ := utf8.DecodeLastRuneInString(same)
		inRange := compile(t, fmt.Sprintf(`(?i)[\U%08x-\U%08x]`, last, last+1))
		for _, c := range same {
			if inRange.Match(string(c)) == nil {
				t.Errorf("(?i) with a range that begins with %c does not match %c", last, c)
			}
		}
		others := strings.Join(slices.Concat(a.Same[:i], a.Same[i+1:]), "")
		if loc := compile(t, "(?i)["+same+"]").Match(others); loc != nil {
			t.Errorf("(?i)[%s] matches %s", same, others[loc[0]:loc[1]])
		}
	}
}

func compile(t testing.TB, pattern string) *pyregexp.Regexp {
	t.Helper()
	re, err := pyregexp.Search(pattern)
	if err != nil {
		t.Fatalf("%q: %v", pattern, err)
	}
	return re
}

func TestRefusals(t *testing.T) {
	tests := []struct{ name, pattern, want string }{
		{"an end is missing", "a(b", "a group without an end (at offset 1)"},
		{"an end too many", "a)b", "unbalanced ) (at offset 1)"},
		{"a class has no end", "a[b", "a class without an end (at offset 1)"},
		{"Go's own groups are not Python's", "(?<n>a)", "unknown extension or flag (at offset 0)"},
		{"Go's own flags are not Python's", "(?U)a", "unknown extension or flag (at offset 0)"},
		{"Go's own escapes are not Python's", `\Qa`, "unknown escape (at offset 0)"},
		{"Go's own classes are not Python's", `\pL`, "unknown escape (at offset 0)"},
		{"flags in the middle", "a(?i)b", "flags for the whole pattern must begin it (at offset 1)"},
		{"a condition", "(a)?(?(1)b)", "conditional groups (?( are not supported (at offset 4)"},
		{"a character by name", `\N{BULLET}`, `named characters \N are not supported (at offset 0)`},
		{"an octal escape that is no byte", `\400`, "an octal escape beyond \\377 (at offset 0)"},
		{"a short escape", `a\x4`, "an escape that is not complete (at offset 1)"},
		{"an escape that is no character", `\U00110000`, "an escape that is not complete or no character (at offset 0)"},
		{"an escape of nothing", `a\`, "unknown escape (at offset 1)"},
		{"a name that is none", "(?P<1>a)", "a group's name that is no Python identifier (at offset 0)"},
		{"a name without an end", "(?P<n", "a group's name without an end (at offset 0)"},
		{"two groups of one name", "(?P<n>a)(?P<n>a)", "two groups of the same name (at offset 8)"},
		{"a comment without an end", "a(?#a", "a comment without an end (at offset 1)"},
		{"a comment without an end at the start", "(?#a", "a comment without an end (at offset 0)"},
		{"a flag that is on and off", "(?i-i:a)", "a flag that is both on and off (at offset 0)"},
		{"a flag for bytes", "(?L)a", "the flag L is for bytes (at offset 0)"},
		{"a range that is none", `[a-\d]`, "a range in a class that is none (at offset 0)"},
		{"a quantifier of nothing", "^*", "nothing to repeat (at offset 1)"},
		{"too many repeats", "a{1001}", "a part may repeat 1000 times at most (at offset 1)"},
		{"repeats of repeats", "(?:a{900}){900}", "the pattern repeats too much (at offset 0)"},
		{"a pattern that is too long", strings.Repeat("a", 2001), "the pattern is longer than 2000 bytes (at offset 2000)"},
		{"groups too deep", strings.Repeat("(", 60), "groups are nested too deep (at offset 50)"},
		{"no text", "\xff", "the pattern is not valid UTF-8 (at offset 0)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := pyregexp.Search(tt.pattern); err == nil || err.Error() != tt.want {
				t.Errorf("error %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestMatch(t *testing.T) {
	tests := []struct {
		name, pattern, text string
		want                []int
	}{
		{"$ is before a last newline", `^a/$`, "a/\n", []int{0, 2}},
		{"a group that ends in $ does not take the newline", `(a/$)`, "a/\n", []int{0, 2, 0, 2}},
		{"and takes one that it asks for", `(a/\n$)`, "a/\n", []int{0, 3, 0, 3}},
		{"only one newline is last", `a$`, "a\n\n", nil},
		{`\Z is not before a newline`, `^a/\Z`, "a/\n", nil},
		{`\b knows the letters of Unicode`, `^/\b\w+/`, "/été/", []int{0, 7}},
		{`\b is left out where it always holds`, `/(\w+)\b/`, "/é/", []int{0, 4, 1, 3}},
		{`\B matches nothing where it never holds`, `/\B(\w+)/`, "/é/", nil},
		{`\b under (?a) knows ASCII only`, `(?a)a\b.`, "aé", []int{0, 3}},
		{"flags may follow a comment and each other", `(?#c)(?x) (?i)a`, "A", []int{0, 1}},
		{"white space in a pattern has no meaning under (?x)", "(?x) a [ ] b # $", "a b", []int{0, 3}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := compile(t, tt.pattern).Match(tt.text); !slices.Equal(got, tt.want) {
				t.Errorf("Search(%q).Match(%q) = %v, want %v", tt.pattern, tt.text, got, tt.want)
			}
		})
	}
}

func TestPrefix(t *testing.T) {
	tests := []struct{ name, pattern, want string }{
		{"literals behind ^", `^ws/(room)s/(\w+)`, "ws/rooms/"},
		{"none where a match may start anywhere", `ws/`, ""},
		{"none in alternatives", `^a/|^b/`, ""},
		{"none before something that may be left out", `^ab?`, "a"},
		{"none under (?i)", `(?i)^ws/`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := compile(t, tt.pattern).Prefix(); got != tt.want {
				t.Errorf("%q has the prefix %q, want %q", tt.pattern, got, tt.want)
			}
		})
	}
}

func FuzzSearch(f *testing.F) {
	for i, c := range readAnswers(f).Cases {
		if i%20 == 0 {
			f.Add(c.Pattern, "a\n")
		}
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		re, err := pyregexp.Search(pattern)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("the error is more than a line: %v", err)
			}
			return
		}
		loc := re.Match(text)
		if loc == nil {
			return
		}
		if len(loc) != 2*len(re.Names()) {
			t.Fatalf("%d offsets for %d groups", len(loc), len(re.Names()))
		}
		for i := 0; i < len(loc); i += 2 {
			inside := loc[0] <= loc[i] && loc[i] <= loc[i+1] && loc[i+1] <= loc[1]
			if none := loc[i] == -1 && loc[i+1] == -1; !none && !inside {
				t.Errorf("group %d of %v", i/2, loc)
			}
		}
		if !strings.HasPrefix(text, re.Prefix()) {
			t.Errorf("%q matches without the prefix %q", text, re.Prefix())
		}
	})
}

func FuzzQuote(f *testing.F) {
	f.Add("a.b+c(d)/ é#\n")
	f.Fuzz(func(t *testing.T, text string) {
		re, err := pyregexp.Fullmatch(pyregexp.Quote(text))
		if err == nil && utf8.ValidString(text) && re.Match(text) == nil {
			t.Errorf("Quote(%q) = %q does not match", text, pyregexp.Quote(text))
		}
	})
}
