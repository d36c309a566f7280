package djangocompat_test

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"sync"
	"testing"

	"github.com/belleville/belleville/djangocompat"
)

// shelf is a Backend in memory.
type shelf struct {
	stored map[string]djangocompat.SessionData
	taken  int // so many keys are said to be taken
	fail   error
}

func newShelf() *shelf { return &shelf{stored: make(map[string]djangocompat.SessionData)} }

func (b *shelf) Save(_ context.Context, s *djangocompat.Session, mode djangocompat.SaveMode) (string, error) {
	old, ok := b.stored[s.Key()]
	switch {
	case b.fail != nil:
		return "", b.fail
	case mode == djangocompat.MustCreate && b.taken > 0:
		b.taken--
		return "", djangocompat.ErrSessionExists
	case mode == djangocompat.MustUpdate && !ok:
		return "", djangocompat.ErrSessionGone
	case mode == djangocompat.MustUpdate && !old.Equal(s.Loaded()):
		s.Rebase(old)
	}
	b.stored[s.Key()] = s.Data()
	return s.Key(), nil
}

func (b *shelf) Replace(ctx context.Context, old string, s *djangocompat.Session) (string, error) {
	key, err := b.Save(ctx, s, djangocompat.MustCreate)
	if err == nil {
		delete(b.stored, old)
	}
	return key, err
}

func (b *shelf) Delete(_ context.Context, key string) error {
	if b.fail != nil {
		return b.fail
	}
	delete(b.stored, key)
	return nil
}

var keyPattern = regexp.MustCompile(`^[a-z0-9]{32}$`)

func checkStored(t *testing.T, b *shelf, key, want string) {
	t.Helper()
	d, ok := b.stored[key]
	if !ok || string(d.JSON()) != want {
		t.Errorf("stored under %q: %s, %v, want %s", key, d.JSON(), ok, want)
	}
}

func TestZeroSession(t *testing.T) {
	var s djangocompat.Session
	if s.Key() != "" || !s.IsEmpty() || s.Modified() || s.Accessed() {
		t.Error("the zero Session is not the empty one")
	}
	s.Set("a", 1)
	if v, ok := s.Get("a"); v != int64(1) || !ok {
		t.Errorf("Get = %v, %v, want 1", v, ok)
	}
	if err := s.Save(t.Context()); !errors.Is(err, djangocompat.ErrNoBackend) {
		t.Errorf("Save: %v, want ErrNoBackend", err)
	}
	if err := s.Flush(t.Context()); err != nil || !s.IsEmpty() {
		t.Errorf("Flush: %v", err)
	}
}

func TestSessionAccessedAndModified(t *testing.T) {
	tests := []struct {
		name               string
		use                func(*djangocompat.Session)
		accessed, modified bool
	}{
		{"nothing", func(*djangocompat.Session) {}, false, false},
		{"Key and Data are no access", func(s *djangocompat.Session) { s.Key(); s.Data() }, false, false},
		{"Get", func(s *djangocompat.Session) { s.Get("x") }, true, false},
		{"GetString", func(s *djangocompat.Session) { s.GetString("x") }, true, false},
		{"Has", func(s *djangocompat.Session) { s.Has("x") }, true, false},
		{"Set, even to the same", func(s *djangocompat.Session) { s.Set("a", 1) }, true, true},
		{"Delete", func(s *djangocompat.Session) { s.Delete("a") }, true, true},
		{"Delete of what is not there", func(s *djangocompat.Session) { s.Delete("x") }, true, false},
		{"Pop", func(s *djangocompat.Session) { s.Pop("a") }, true, true},
		{"Clear", (*djangocompat.Session).Clear, true, true},
		{"an expiry", (*djangocompat.Session).SetExpiryAtBrowserClose, true, true},
		{"a test cookie", (*djangocompat.Session).SetTestCookie, true, true},
		{"whether that worked", func(s *djangocompat.Session) { s.TestCookieWorked() }, true, false},
		{"its end, where there is none", (*djangocompat.Session).DeleteTestCookie, true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := djangocompat.NewSession("key", parse(t, `{"a":1}`), newShelf())
			tt.use(s)
			if s.Accessed() != tt.accessed || s.Modified() != tt.modified {
				t.Errorf("accessed %v, modified %v, want %v, %v", s.Accessed(), s.Modified(), tt.accessed, tt.modified)
			}
		})
	}
}

func TestSessionTestCookie(t *testing.T) {
	tests := []struct {
		name, data string
		use        func(*djangocompat.Session)
		want       bool
	}{
		{"none", `{"a":1}`, func(*djangocompat.Session) {}, false},
		{"one that was set", `{"a":1}`, (*djangocompat.Session).SetTestCookie, true},
		{"one that Django has set", `{"testcookie":"worked"}`, func(*djangocompat.Session) {}, true},
		{"one that was deleted", `{"testcookie":"worked"}`, (*djangocompat.Session).DeleteTestCookie, false},
		{"something else", `{"testcookie":["worked"]}`, func(*djangocompat.Session) {}, false},
		{"another word", `{"testcookie":"Worked"}`, func(*djangocompat.Session) {}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := djangocompat.NewSession("key", parse(t, tt.data), newShelf())
			if tt.use(s); s.TestCookieWorked() != tt.want {
				t.Errorf("TestCookieWorked = %v, want %v", !tt.want, tt.want)
			}
		})
	}
}

func TestSessionSave(t *testing.T) {
	b := newShelf()
	b.taken = 2
	s := djangocompat.NewSession("", djangocompat.SessionData{}, b)
	s.Set("a", 1)
	if err := s.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !keyPattern.MatchString(s.Key()) {
		t.Errorf("a session that is saved first has the key %q", s.Key())
	}
	checkStored(t, b, s.Key(), `{"a":1}`)

	s.Set("b", 2)
	if err := s.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkStored(t, b, s.Key(), `{"a":1,"b":2}`)

	delete(b.stored, s.Key())
	if err := s.Save(t.Context()); !errors.Is(err, djangocompat.ErrSessionGone) || len(b.stored) > 0 {
		t.Errorf("Save of a session that was deleted: %v, want ErrSessionGone and nothing stored", err)
	}
}

func TestSessionSaveRefusesWhatHasNoJSON(t *testing.T) {
	b := newShelf()
	s := djangocompat.NewSession("", parse(t, `{"f":1}`), b)
	s.Set("f", func() {})
	s.Set("g", "a\xff")
	if err := s.Clone().Save(t.Context()); err == nil {
		t.Error("Save of a clone: no error")
	}
	if v, _ := s.Get("f"); v != int64(1) {
		t.Errorf("Get after a Set that failed = %v, want the old value", v)
	}
	s.Set("f", 2)
	if err := s.Save(t.Context()); err == nil {
		t.Error("Save with one of two values mended: no error")
	}
	s.Delete("g")
	if err := s.Save(t.Context()); err != nil {
		t.Errorf("Save with both mended: %v", err)
	}
	checkStored(t, b, s.Key(), `{"f":2}`)
}

func TestSessionSaveMerges(t *testing.T) {
	tests := []struct {
		name   string
		theirs string
		change func(*djangocompat.Session)
		want   string
	}{
		{"what they set stays", `{"a":1,"b":2,"c":3}`, func(s *djangocompat.Session) { s.Set("mine", 0) }, `{"a":1,"b":2,"c":3,"mine":0}`},
		{"what they deleted stays away", `{"a":1}`, func(s *djangocompat.Session) { s.Set("mine", 0) }, `{"a":1,"mine":0}`},
		{"what I set wins", `{"a":5,"b":2}`, func(s *djangocompat.Session) { s.Set("a", 6) }, `{"a":6,"b":2}`},
		{"what I deleted goes", `{"a":5,"b":2}`, func(s *djangocompat.Session) { s.Delete("a") }, `{"b":2}`},
		{"what I did not touch is theirs", `{"a":5,"b":2}`, func(s *djangocompat.Session) { s.Set("b", 3) }, `{"a":5,"b":3}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newShelf()
			s := djangocompat.NewSession("key", parse(t, `{"a":1,"b":2}`), b)
			b.stored["key"] = parse(t, tt.theirs)
			tt.change(s)
			if err := s.Save(t.Context()); err != nil {
				t.Fatal(err)
			}
			checkStored(t, b, "key", tt.want)
			if got := string(s.Data().JSON()); got != tt.want || !s.Data().Equal(s.Loaded()) {
				t.Errorf("Data = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestSessionCycleKey(t *testing.T) {
	b := newShelf()
	s := djangocompat.NewSession("old", parse(t, `{"cart":[1]}`), b)
	b.stored["old"] = s.Data()
	s.Set("more", true)
	if err := s.CycleKey(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !keyPattern.MatchString(s.Key()) || len(b.stored) != 1 {
		t.Errorf("key %q, %d stored, want a new key and the old one gone", s.Key(), len(b.stored))
	}
	checkStored(t, b, s.Key(), `{"cart":[1],"more":true}`)

	b.taken = 1000
	key := s.Key()
	if err := s.CycleKey(t.Context()); !errors.Is(err, djangocompat.ErrSessionExists) || s.Key() != key {
		t.Errorf("CycleKey where every key is taken: %v, key %q, want ErrSessionExists and the old key", err, s.Key())
	}
}

func TestSessionFlush(t *testing.T) {
	b := newShelf()
	s := djangocompat.NewSession("key", parse(t, `{"a":1}`), b)
	b.stored["key"] = s.Data()
	b.fail = errors.New("no database")
	if err := s.Flush(t.Context()); !errors.Is(err, b.fail) || s.Key() != "key" {
		t.Errorf("Flush without a database: %v, key %q, want its error and the key, to try again", err, s.Key())
	}
	b.fail = nil
	if err := s.Flush(t.Context()); err != nil || !s.IsEmpty() || len(b.stored) != 0 {
		t.Errorf("Flush: %v, key %q, %d stored", err, s.Key(), len(b.stored))
	}
}

func TestSessionClone(t *testing.T) {
	shared := djangocompat.NewSession("key", parse(t, `{"a":1}`), newShelf())
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			s := shared.Clone()
			shared.Get("a")
			s.Set("b", i)
			if v, _ := s.Get("b"); v != int64(i) {
				t.Errorf("Get = %v, want %d", v, i)
			}
		})
	}
	wg.Wait()
	if shared.Has("b") || shared.Modified() {
		t.Error("a change of a clone shows in the original")
	}
}

func TestSessionGetIsFresh(t *testing.T) {
	s := djangocompat.NewSession("key", parse(t, `{"l":[1]}`), nil)
	l, _ := s.Get("l")
	l.([]any)[0] = "changed"
	mine := []any{1}
	s.Set("mine", mine)
	mine[0] = "changed"
	if got := string(s.Data().JSON()); got != `{"l":[1],"mine":[1]}` {
		t.Errorf("after Go values were changed: %s", got)
	}
	if got := slices.Collect(s.Keys()); !slices.Equal(got, []string{"l", "mine"}) {
		t.Errorf("Keys = %q", got)
	}
}

func TestSessionKeys(t *testing.T) {
	seen := make(map[string]bool)
	counts := make(map[byte]int)
	for range 10_000 {
		key := djangocompat.NewSessionKey()
		if !keyPattern.MatchString(key) || seen[key] {
			t.Fatalf("key %q: malformed or made before", key)
		}
		seen[key] = true
		for i := range len(key) {
			counts[key[i]]++
		}
	}
	var chi2 float64
	const expected = 10_000 * 32 / 36.0
	for _, n := range counts {
		chi2 += (float64(n) - expected) * (float64(n) - expected) / expected
	}
	if len(counts) != 36 || chi2 > 90 { // 35 degrees of freedom: one in a million
		t.Errorf("%d characters, chi-square %.1f: not uniform", len(counts), chi2)
	}
}

func TestPlausibleSessionKey(t *testing.T) {
	tests := []struct {
		name string
		key  string
		want bool
	}{
		{"Django's own", "04jpgvsojt4pltq00ysyvnwhmad7rnc2", true},
		{"eight characters of any alphabet", "ÄÖÜ äöü!", true},
		{"forty characters", "0123456789012345678901234567890123456789", true},
		{"none", "", false},
		{"seven", "0123456", false},
		{"seven of many bytes", "ÄÖÜäöüß", false},
		{"forty-one", "01234567890123456789012345678901234567890", false},
		{"a NUL, which Postgres cannot hold", "0123456\x00", false},
		{"no UTF-8", "0123456\xff", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := djangocompat.PlausibleSessionKey(tt.key); got != tt.want {
				t.Errorf("PlausibleSessionKey(%q) = %v, want %v", tt.key, got, tt.want)
			}
		})
	}
}
