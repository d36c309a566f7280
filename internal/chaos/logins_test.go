package chaos_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/consumers/builtin"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/routing"
	"github.com/belleville/belleville/server"
	"github.com/belleville/belleville/sessionstore"
)

// asLoginServer makes the test's program be a server that logs in: its value is the URL of a database.
const asLoginServer = "BELLEVILLE_CHAOS_LOGINS"

// iterations is what a hash costs in Django 3.2, or less where the race detector makes it cost more.
func iterations() int { return size(260_000, 40_000) }

// beLoginServer serves an echo, and logins over HTTP that are checked against the database, until it is killed. It prints
// where, and then, for each line that it reads, how many logins were under way at once since the line before.
func beLoginServer(databaseURL string) error {
	ctx := context.Background()
	store, err := sessionstore.Open(ctx, sessionstore.Config{
		DatabaseURL: djangocompat.NewSecret(databaseURL), Keys: djangocompat.NewKeys(secretKey), Passwords: djangocompat.HasherConfig{Iterations: iterations()},
	})
	if err != nil {
		return err
	}
	var now, most atomic.Int64
	login := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		from, _ := netip.ParseAddr(r.FormValue("from")) // none where it is damaged
		_, err := store.AuthenticateFrom(r.Context(), from, r.FormValue("username"), r.FormValue("password"))
		now.Add(-1)
		tries, tooMany := errors.AsType[*sessionstore.TriesError](err)
		switch {
		case tooMany:
			w.Header().Set("Retry-After", fmt.Sprint(int(tries.After.Seconds())+1))
			w.WriteHeader(http.StatusTooManyRequests)
			return
		case errors.Is(err, sessionstore.ErrBusy): // it was not under way
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		case err != nil:
			w.WriteHeader(http.StatusForbidden)
		}
		for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
		}
	})
	app := routing.URLRouter{
		routing.Path("ws/anyone/", builtin.Echo()),
		routing.Path("login/", consumers.Handler(login)),
	}
	l, err := server.Listen("127.0.0.1:0")
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- server.New(app, memlayer.New(memlayer.Config{}), server.Config{}).Serve(ctx, l) }()
	fmt.Println(l.Addr())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		fmt.Println(most.Swap(0))
	}
	return <-ended
}

// startLoginServer starts such a server, and returns where it is and how to ask how many logins were under way at once.
func startLoginServer(t *testing.T, db *pgtest.Database) (addr string, most func() int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asLoginServer+"="+pgtest.Restricted(t, db.URL()))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	_, err = fmt.Fscanln(out, &addr)
	must(t, err)
	return addr, func() (n int) {
		_, err := fmt.Fprintln(in)
		must(t, err)
		_, err = fmt.Fscanln(out, &n)
		must(t, err)
		return n
	}
}

// TestT09FloodOfLogins has passwords to check come faster than they can be hashed, beside clients that talk.
func TestT09FloodOfLogins(t *testing.T) {
	n, aSecond, duration := size(5000, 100), size(200, 150), size(30*time.Second, 3*time.Second)
	db := pgtest.Open(t)
	pgtest.Schema(t, db, pgtest.Django52)
	db.Exec(t, "INSERT INTO auth_user (id, password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined) "+
		"VALUES (1, $1, false, 'alice', '', '', '', false, true, now())", djangocompat.HashPassword("wonderland", djangocompat.PasswordConfig{Iterations: iterations()}))
	addr, most := startLoginServer(t, db)
	honest := talk(t, addr, n, size(5*time.Second, 200*time.Millisecond))
	window, calm := size(5*time.Second, time.Second), size(15*time.Second, time.Second)
	before := honest.windows(window, func() { pass(calm) })
	var answers map[string]map[int]int
	during := honest.windows(window, func() { answers = floodLogins(t, "http://"+addr+"/login/", aSecond, duration) })
	after := honest.windows(window, func() { pass(calm) })
	_, failed := honest.took()
	honest.end()
	const bound = 64 // the default of Config.MaxHashing
	what := fmt.Sprintf("%.0f logins a second beside %d sockets that echo", float64(tried(answers))/duration.Seconds(), n)
	atOnce := most()
	// Those that are refused are counted for a moment, too.
	row(t, atOnce > 0 && atOnce <= bound+20, "T09", what, fmt.Sprintf("%d under way at once; answers %v", atOnce, answers), fmt.Sprintf("%d wait, the others are refused", bound))
	row(t, failed == 0 && answers[rightLogin][0]+answers[guessLogin][0]+answers[nobodysLogin][0] == 0, "T09", what, fmt.Sprintf("%d sockets lost", failed), "none, and no login without an answer")
	in := answers[rightLogin][http.StatusOK]
	row(t, in > 0 && answers[rightLogin][http.StatusTooManyRequests] == 0, "T09", what, fmt.Sprintf("who is guessed gets in %d times, and is never told that there were too many", in), "that")
	const guesses = 10*(5+1) + 2*30 + bound // each address's own, those of the name, and those that were under way at once
	hashed := answers[guessLogin][http.StatusForbidden]
	row(t, hashed > 0 && hashed <= guesses, "T09", what, fmt.Sprintf("%d guesses at one password from 10 addresses are checked", hashed), fmt.Sprint(guesses, " at most"))
	if !full() {
		return // how long the machine lets the echoes wait proves nothing there
	}
	calmly := max(median(before), median(after)) // a machine that has other things to do is not always as busy
	row(t, median(during) <= max(2*calmly, 2*time.Millisecond), "T09", what,
		fmt.Sprintf("p99 of the echoes, medians of windows of %v: %s, the worst of %d %s; before and after it at most %s",
			window, milliseconds(median(during)), len(during), milliseconds(slices.Max(during)), milliseconds(calmly)),
		"twice, or 2 ms where that is more")
}

// The kinds of logins of a flood.
const (
	rightLogin   = "right"   // with the right password, from where alice is
	guessLogin   = "guess"   // of alice's password, from ten addresses
	nobodysLogin = "unknown" // as nobody, from everywhere
)

// tried returns how many logins there were.
func tried(answers map[string]map[int]int) (n int) {
	for _, of := range answers {
		for _, count := range of {
			n += count
		}
	}
	return n
}

// floodLogins tries to log in, so often a second, in each way by turns. It returns how many tries of each had which status,
// 0 for no answer.
func floodLogins(t *testing.T, to string, aSecond int, duration time.Duration) map[string]map[int]int {
	t.Helper()
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 200}}
	defer client.CloseIdleConnections()
	var mu sync.Mutex // guards answers
	answers := map[string]map[int]int{rightLogin: {}, guessLogin: {}, nobodysLogin: {}}
	var trying sync.WaitGroup
	ticks := time.NewTicker(time.Second / time.Duration(aSecond))
	defer ticks.Stop()
	for i := range int(duration.Seconds()) * aSecond {
		<-ticks.C
		trying.Go(func() {
			kind, form := aLogin(i)
			status := 0
			if r, err := client.Post(to, "application/x-www-form-urlencoded", strings.NewReader(form.Encode())); err == nil {
				_, _ = io.Copy(io.Discard, r.Body) // the status is what counts
				_ = r.Body.Close()
				status = r.StatusCode
			}
			mu.Lock()
			defer mu.Unlock()
			answers[kind][status]++
		})
	}
	trying.Wait()
	return answers
}

// aLogin returns a login of a flood.
func aLogin(i int) (kind string, form url.Values) {
	switch i % 3 {
	case 0:
		return rightLogin, url.Values{"username": {"alice"}, "password": {"wonderland"}, "from": {"192.0.2.1"}}
	case 1:
		return guessLogin, url.Values{"username": {"alice"}, "password": {"x"}, "from": {fmt.Sprint("198.51.100.", i%10)}}
	}
	return nobodysLogin, url.Values{"username": {fmt.Sprint("nobody", i)}, "password": {"x"}, "from": {fmt.Sprintf("203.0.%d.%d", i>>8&255, i&255)}}
}
