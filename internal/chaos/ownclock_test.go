package chaos_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer/pglayer"
	"github.com/belleville/belleville/channellayer/redislayer"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/chaos"
	"github.com/belleville/belleville/internal/parts"
	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/internal/redistest"
)

// ownClockProgram builds belleville with a wall clock of its own, once for all tests of the process. What is added to
// Go's package time is in testdata.
var ownClockProgram = sync.OnceValues(func() (built, error) {
	dir, err := os.MkdirTemp("", "chaos-")
	if err != nil {
		return built{}, err
	}
	guard, err := parts.NewGuard(parts.Account{}, `rm -rf "$1"`, dir)
	if err != nil {
		return built{}, err
	}
	overlay, err := writeOverlay(dir)
	if err != nil {
		return built{}, err
	}
	path := filepath.Join(dir, "belleville")
	if out, err := exec.Command("go", "build", "-overlay", overlay, "-o", path, "../../cmd/belleville").CombinedOutput(); err != nil {
		return built{}, fmt.Errorf("build belleville: %w\n%s", err, out)
	}
	return built{path, guard}, nil
})

// writeOverlay writes what "go build -overlay" needs so that time.Now adds the seconds of step.go.
func writeOverlay(dir string) (overlay string, err error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("find Go: %w", err)
	}
	theirs := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	text, err := os.ReadFile(filepath.Join(theirs, "time.go"))
	if err != nil {
		return "", err
	}
	const reads = "\tsec, nsec, mono := runtimeNow()\n" // in Now
	if n := strings.Count(string(text), reads); n != 1 {
		return "", fmt.Errorf("the time.go of this Go reads its clock in %d places, want 1", n)
	}
	changed := filepath.Join(dir, "time.go")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(text), reads, reads+"\tsec += stepped()\n", 1)), 0o600); err != nil {
		return "", err
	}
	step, err := filepath.Abs("testdata/ownclock/step.go")
	if err != nil {
		return "", err
	}
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {
		filepath.Join(theirs, "time.go"): changed, filepath.Join(theirs, "step.go"): step,
	}})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, replace, 0o600)
}

// ownClock gives a server a wall clock of its own, and returns what sets it off.
func ownClock(t *testing.T, b *served) (set func(time.Duration)) {
	t.Helper()
	p, err := ownClockProgram()
	must(t, err)
	file, err := os.Create(filepath.Join(t.TempDir(), "clock"))
	must(t, err)
	t.Cleanup(func() { _ = file.Close() }) // what is in it was written
	set = func(off time.Duration) {
		_, err := file.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(int64(off/time.Second))), 0)
		must(t, err)
	}
	set(0)
	b.wrap = []string{"sh", "-c", `program=$0; shift; exec "$program" "$@"`, p.path} // instead of the usual one
	b.env = append(b.env, "CHAOS_CLOCK="+file.Name())
	return set
}

// TestF19OwnClock sets the wall clock of a server's process, by a day and by an hour, while it has sockets.
func TestF19OwnClock(t *testing.T) {
	if !full() {
		t.Skip("it builds the program anew with another clock, which takes minutes: make chaos")
	}
	t.Run("Redis", func(t *testing.T) {
		redis := redistest.Open(t)
		clockMoves(t, openSite(t, pgtest.Open(t)), node(t, redislayer.Config{}, redis.URL()), "Redis",
			"BELLEVILLE_CHANNEL_LAYERS_DEFAULT_BACKEND=channels_redis.core.RedisChannelLayer", "BELLEVILLE_CHANNEL_LAYERS_DEFAULT_HOSTS="+redis.URL())
	})
	t.Run("Postgres", func(t *testing.T) {
		s := openSite(t, pgtest.Open(t))
		s.migrate("up", "channels_postgres")
		other, err := pglayer.New(t.Context(), pglayer.Config{Database: pglayer.Database{URL: djangocompat.NewSecret(pgtest.Restricted(t, s.db.URL()))}})
		must(t, err)
		t.Cleanup(func() { must(t, other.Close()) })
		clockMoves(t, s, other, "Postgres", "BELLEVILLE_CHANNEL_LAYERS_DEFAULT_BACKEND=channels_postgres.core.PostgresChannelLayer")
	})
}

const (
	clockRecheck = 2 * time.Second  // the interval in which sessions are asked about
	clockPing    = 5 * time.Second  // that of pings
	clockPong    = 10 * time.Second // the time for their answers
	clockSlack   = 3 * time.Second  // what a machine may need that has other things to do
)

// clockMoves is row F19 for a server on a layer, on which other is a process whose clock is right.
func clockMoves(t *testing.T, s *site, other form, layer string, env ...string) {
	t.Helper()
	long, short := s.logins("long", 500, 1, 14*24*time.Hour), s.logins("short", 100, 1, 30*time.Minute)
	spare := s.logins("spare", 50, 1, 14*24*time.Hour)
	b := prepare(t, pgtest.Restricted(t, s.db.URL()), append(env, "BELLEVILLE_LIVE_TRIGGERS=off", "BELLEVILLE_LIVE_RECHECK_INTERVAL="+clockRecheck.String(),
		"BELLEVILLE_LIMITS_PING_INTERVAL="+clockPing.String(), "BELLEVILLE_LIMITS_PONG_TIMEOUT="+clockPong.String(),
		"BELLEVILLE_ROUTES_2_PATH=ws/open/", "BELLEVILLE_ROUTES_2_CONSUMER=relay", "BELLEVILLE_ROUTES_2_ALLOW=authenticated",
		"BELLEVILLE_ROUTES_2_GROUPS=open", "BELLEVILLE_ROUTES_2_PUBLISH=numbered")...)
	set := ownClock(t, b)
	b.start()
	stay, leave := fillHall(t, b.addr, long), fillHall(t, b.addr, short)
	hearers := members(t, other, []string{"open"}, 5)
	right := startLoad(t, "right", other, []string{"open"}, 50*time.Millisecond)
	ours := sayNumbers(t, b.addr, spare[0], 50*time.Millisecond)
	spare = spare[1:]
	for _, off := range []time.Duration{-24 * time.Hour, -time.Hour, time.Hour, 24 * time.Hour, 0} {
		set(off)
		what := fmt.Sprintf("the clock of a process with %d sockets, on a layer of %s, %+.0f h", len(long)+len(short), layer, off.Hours())
		mute, rechecked, fresh := timersAt(t, s, b, spare[0], spare[1], spare[2])
		spare = spare[3:]
		lost, how := stay.ended()
		left, _ := leave.ended()
		wantLeft := len(short)
		if off < 0 {
			wantLeft = 0
		}
		row(t, lost == 0 && left == wantLeft && fresh, "F19", what,
			fmt.Sprintf("%d of %d sockets lost whose sessions last for 14 days%s; %d of %d whose sessions last for half an hour more; a handshake succeeds: %v", lost, len(long), how, left, len(short), fresh),
			fmt.Sprintf("0; %d; true", wantLeft))
		row(t, mute <= clockPing+clockPong+clockSlack && rechecked <= clockRecheck+clockSlack, "F19", what,
			fmt.Sprintf("a client that answers no ping is closed after %s, one whose session is gone after %s", seconds(mute), seconds(rechecked)),
			fmt.Sprintf("%v, %v", clockPing+clockPong+clockSlack, clockRecheck+clockSlack))
	}
	again := fillHall(t, b.addr, short)
	sent := map[string]chaos.Sent{"right": right.stop()["open"], "ours": {Count: ours()}}
	waitUntil(t, "the last messages have come", func() bool {
		for _, c := range append(append([]*chaos.Checker(nil), stay.checkers...), hearers["open"]...) {
			if c.Last("right") < sent["right"].Count-1 || c.Last("ours") < sent["ours"].Count-1 {
				return false
			}
		}
		return true
	})
	var here, there chaos.Verdict
	for _, c := range stay.checkers {
		here.Add(c.Verdict(sent))
	}
	for _, c := range hearers["open"] {
		there.Add(c.Verdict(sent))
	}
	n, _ := again.ended()
	row(t, here.Lost+there.Lost+there.Gaps == 0 && here.Kept() && there.Kept() && len(sent["right"].Failed) == 0 && n == 0, "F19",
		fmt.Sprintf("%d messages from and %d to a process of %s whose clock is right, all the time", sent["ours"].Count, sent["right"].Count, layer),
		fmt.Sprintf("in the process whose clock moves %v; in the other %v; %d sends failed; who was closed is in again", here, there, len(sent["right"].Failed)),
		"0 lost, no gap, all in again")
}

// timersAt returns after what time a client is closed that answers no ping, and one whose session is deleted; and whether
// a visitor gets in.
func timersAt(t *testing.T, s *site, b *served, silent, deleted, visitor *login) (mute, rechecked time.Duration, fresh bool) {
	t.Helper()
	began := time.Now()
	conn, in := rawWith(t, b.addr, "/ws/open/", "Cookie: sessionid="+silent.Key+"\r\n")
	ended := make(chan time.Duration, 1)
	go func() {
		for _, _, err := readFrame(in); err == nil; _, _, err = readFrame(in) {
			continue
		}
		ended <- time.Since(began)
	}()
	doomed, err := dial(b.addr, "/ws/open/", deleted, "")
	must(t, err)
	pass(3 * time.Second) // it is asked about for the first time
	deletion := time.Now()
	s.db.Exec(t, "DELETE FROM django_session WHERE session_key = ANY($1)", keysOf([]*login{deleted}))
	<-doomed.ended
	rechecked = time.Since(deletion)
	mute = <-ended
	_ = conn.Close()
	w, err := dial(b.addr, "/ws/open/", visitor, "")
	if err != nil {
		return mute, rechecked, false
	}
	_ = w.conn.Close()
	<-w.ended
	return mute, rechecked, true
}

// sayNumbers has a client of a session say numbered messages until stop, which returns how many those were.
func sayNumbers(t *testing.T, addr string, l *login, every time.Duration) (stop func() int64) {
	t.Helper()
	s, err := dial(addr, "/ws/open/", l, "")
	must(t, err)
	var n int64
	end := make(chan struct{})
	var running sync.WaitGroup
	stop = sync.OnceValue(func() int64 { close(end); running.Wait(); return n })
	t.Cleanup(func() { stop(); _ = s.conn.Close(); <-s.ended })
	running.Go(func() {
		ticks := time.NewTicker(every)
		defer ticks.Stop()
		for {
			select {
			case <-ticks.C:
			case <-end:
				return
			}
			if s.write(0x1, fmt.Appendf(nil, `{"sender":"ours","n":%d}`, n)) != nil {
				return
			}
			n++
		}
	})
	return stop
}
