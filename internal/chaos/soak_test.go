package chaos_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belleville/belleville/internal/parts"
	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/internal/redistest"
)

// soak is a server with all that it stands on, for a time in which visitors come and go and parts fail.
type soak struct {
	*served
	t       *testing.T
	site    *site
	cluster *pgtest.Cluster
	redis   *redistest.Server
	debug   string
	logins  []*login // the first ones are those of the sockets that stay

	visits, refused atomic.Int64
	ended           atomic.Int64 // sessions
}

// staying is how many sockets stay all the time.
const staying = 20

// openSoak starts everything.
func openSoak(t *testing.T) *soak {
	t.Helper()
	k := &soak{t: t, cluster: pgtest.OpenCluster(t), redis: redistest.Open(t)}
	k.site = openSite(t, k.cluster.Open(t))
	k.site.migrate("up", "live_sessions")
	port, err := parts.FreePort()
	must(t, err)
	k.debug = fmt.Sprint("127.0.0.1:", port)
	k.served = serve(t, k.site.db.URL(), "BELLEVILLE_LIVE_TRIGGERS=required", "BELLEVILLE_DEBUG_LISTEN="+k.debug,
		"BELLEVILLE_CHANNEL_LAYERS_DEFAULT_BACKEND=channels_redis.core.RedisChannelLayer",
		"BELLEVILLE_CHANNEL_LAYERS_DEFAULT_HOSTS="+k.redis.URL(), "BELLEVILLE_CHANNEL_LAYERS_DEFAULT_GROUP_EXPIRY=60",
		"BELLEVILLE_LIMITS_PING_INTERVAL=2s")
	k.logins = k.site.logins("u", size(2000, 100), 1, 24*time.Hour)
	return k
}

// visit connects, says something to all, and leaves in one way or another.
func (k *soak) visit() {
	l := k.logins[staying+rand.IntN(len(k.logins)-staying)]
	s, err := dial(k.addr, "/ws/room/", l, "")
	k.visits.Add(1)
	if err != nil { // while a part is away, or with a session that has ended
		k.refused.Add(1)
		return
	}
	_ = s.write(0x1, []byte(`{"t":1}`)) // it may just be closing
	if rand.IntN(2) == 0 {
		_ = s.write(0x8, []byte{3, 0xe8})
	} else {
		_ = s.conn.Close()
	}
	<-s.ended
}

// crowd has visitors come and go until stop.
func (k *soak) crowd() (stop func()) {
	done := make(chan struct{})
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					k.visit()
				}
			}
		})
	}
	return func() { close(done); running.Wait() }
}

// soakFaults are what happens in turn.
var soakFaults = []func(k *soak){
	func(k *soak) {
		k.site.db.Exec(k.t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'belleville'")
	},
	func(k *soak) { k.redis.Do(k.t, "CLIENT", "KILL", "TYPE", "normal") },
	func(k *soak) { // logins end
		begin := staying + int(k.ended.Add(10)) - 10
		for _, l := range k.logins[begin:min(len(k.logins), begin+10)] {
			k.site.db.Exec(k.t, "DELETE FROM django_session WHERE session_key = $1", l.Key)
		}
	},
	func(k *soak) { k.redis.Do(k.t, "CLIENT", "PAUSE", "1500") },
	func(k *soak) {
		must(k.t, k.redis.Kill())
		must(k.t, k.redis.Start(k.t.Context()))
	},
	func(k *soak) {
		killPostmaster(k.t, k.site.db)
		for err := k.cluster.Start(k.t.Context()); err != nil; err = k.cluster.Start(k.t.Context()) {
			pass(100 * time.Millisecond) // what is left of the old one is just ending
		}
	},
}

// sample is what the server holds at a moment.
type sample struct {
	visits                       float64
	live, resident               float64 // MiB
	goroutines, files, openConns float64
}

// look takes a sample, right after a collection of garbage.
func (k *soak) look() sample {
	r, err := http.Get("http://" + k.debug + "/debug/pprof/heap?gc=1")
	must(k.t, err)
	_, err = io.Copy(io.Discard, r.Body)
	must(k.t, err)
	_ = r.Body.Close()
	return sample{
		float64(k.visits.Load()), k.metric("go_memstats_heap_alloc_bytes", "") / (1 << 20), float64(k.memory()),
		k.metric("go_goroutines", ""), k.metric("process_open_fds", ""), k.metric("server_connections", ""),
	}
}

// slope returns by how much a figure of the samples rises with each million visits, by least squares.
func slope(samples []sample, of func(sample) float64) float64 {
	var n, x, y, xx, xy float64
	for _, s := range samples {
		v := s.visits / 1e6
		n, x, y, xx, xy = n+1, x+v, y+of(s), xx+v*v, xy+v*of(s)
	}
	return (n*xy - x*y) / (n*xx - x*x)
}

// series returns the names of all that is counted, with their labels.
func (k *soak) series() []string {
	var names []string
	for line := range strings.Lines(k.scrape()) {
		if end := strings.LastIndexByte(line, ' '); end > 0 && line[0] != '#' {
			names = append(names, line[:end])
		}
	}
	return names
}

// round has a crowd come and go while a fault happens. It returns what the server holds when the crowd has gone.
func (k *soak) round(i int, each time.Duration) (s sample) {
	stop := k.crowd()
	soakFaults[i%len(soakFaults)](k)
	pass(each)
	stop()
	waitUntil(k.t, "the crowd has gone", func() bool { s = k.look(); return s.openConns == staying })
	return s
}

func TestF24Soak(t *testing.T) {
	k := openSoak(t)
	length, each := size(10*time.Minute, 4*time.Second), size(20*time.Second, 500*time.Millisecond)
	keys := k.keys()
	stays, _ := enter(t, k.addr, k.logins[:staying], 1)
	var before sample
	for i := range soakFaults { // what is made once is made, and remembered
		before = k.round(i, each)
	}
	before.files -= staying
	series := k.series()
	var samples []sample
	began, visits := time.Now(), k.visits.Load()
	for i := 0; time.Since(began) < length; i++ {
		samples = append(samples, k.round(i, each))
	}
	heard := k.metric("server_messages_total", "out")
	grown := slices.DeleteFunc(k.series(), func(name string) bool { return slices.Contains(series, name) })
	lost := staying - stays.open(func(*login) bool { return true })
	stays.leave()
	var after sample
	waitUntil(t, "descriptors and goroutines are as before", func() bool {
		after = k.look()
		return after.files <= before.files+3 && after.goroutines <= before.goroutines+5
	})

	what := fmt.Sprintf("%v, %d connections of %d sessions, %.0f messages delivered, %d faults", length, k.visits.Load()-visits, len(k.logins), heard, len(samples))
	t.Logf("%s; %d refused; samples %+v", what, k.refused.Load(), samples)
	row(t, lost == 0, "F24", what, fmt.Sprintf("%d of %d sockets that stay were lost", lost, staying), "0")
	if full() { // a few seconds have no slope
		live := slope(samples, func(s sample) float64 { return s.live })
		resident := slope(samples, func(s sample) float64 { return s.resident })
		rise := samples[len(samples)-1].resident - samples[0].resident
		row(t, live <= 1, "F24", what, fmt.Sprintf("live heap %+.2f MiB for each million connections: %.2f MiB after the first fault, %.2f after the last", live, samples[0].live, samples[len(samples)-1].live), "1 MiB")
		row(t, rise <= 16, "F24", what, fmt.Sprintf("resident memory %+.2f MiB for each million connections, %+.0f MiB in all", resident, rise), "16 MiB in all")
	}
	row(t, after.goroutines <= before.goroutines+5 && after.files <= before.files+3, "F24", what,
		fmt.Sprintf("goroutines %.0f, descriptors %.0f; before %.0f, %.0f", after.goroutines, after.files, before.goroutines, before.files), "as before, within 5 and 3")
	more := k.keys() - keys
	t.Logf("keys in Redis: %q", k.redis.DoLines(t, "KEYS", "*"))
	row(t, len(grown) <= size(10, 100), "F24", what, fmt.Sprintf("%d lines of metrics that were not there when each fault had come once: %q", len(grown), grown), fmt.Sprint(size(10, 100)))
	row(t, more <= 2, "F24", what, fmt.Sprintf("%+d keys in Redis", more), "2")
}

// keys returns how many keys Redis holds once no socket is there.
func (k *soak) keys() (n int) {
	k.t.Helper()
	last := -1
	waitUntil(k.t, "the keys in Redis are the same for a second", func() bool {
		last = n
		pass(time.Second)
		_, err := fmt.Sscan(strings.TrimPrefix(strings.TrimSpace(k.redis.Do(k.t, "DBSIZE")), "(integer) "), &n)
		must(k.t, err)
		return n == last
	})
	return n
}
