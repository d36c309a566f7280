package broker_test

import (
	"errors"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/broker"
)

// wantEnd wants the broker to close the connection, after answers that do not matter.
func (w *wire) wantEnd(t testing.TB) (last string) {
	t.Helper()
	for {
		s, err := w.parse()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
			return last
		}
		if err != nil {
			t.Fatalf("the connection has not ended: %v", err)
		}
		last = s
	}
}

// metric returns the value of one series.
func metric(t testing.TB, reg prometheus.Gatherer, name, reason string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if labels := m.GetLabel(); f.GetName() == name && (reason == "" || labels[0].GetValue() == reason) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	t.Fatalf("there is no series %s %s", name, reason)
	return 0
}

func TestWhatIsNotTheProtocolEndsTheConnection(t *testing.T) {
	_, address := open(t, broker.Config{MaxMessage: 1 << 20})
	tests := []struct{ name, text string }{
		{"a count beyond all bounds", "*1000000000\r\n"},
		{"a count that is no number", "*x\r\n"},
		{"a count that overflows", "*99999999999999999999\r\n"},
		{"a length beyond all bounds", "*1\r\n$1000000000\r\n"},
		{"a length below zero", "*1\r\n$-1\r\n"},
		{"an argument without its length", "*1\r\nPING\r\n"},
		{"an argument that is longer than it says", "*1\r\n$4\r\nPINGPING\r\n"},
		{"a line without an end", strings.Repeat("x", 1<<13)},
		{"arguments that are too long together", "*9\r\n" + strings.Repeat("$1000000\r\n"+strings.Repeat("x", 1000000)+"\r\n", 5)},
		{"a page that has a browser send commands", "POST / HTTP/1.1\r\nHost: x\r\n\r\n" + encode("ZADD", "fromapage", "1", "a")},
		{"a word that is no command of the protocol's", "ZADD fromapage 1 a\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := dial(t, address)
			go func() { _, _ = io.WriteString(w, tt.text) }() // the broker may close first
			if last := w.wantEnd(t); last != "" && last != "-ERR" {
				t.Errorf("the last answer was %s, want an error", last)
			}
		})
	}
	if got := dial(t, address).do(t, "EXISTS", "fromapage"); got != ":0" {
		t.Errorf("another client got %s, want no key from what was refused", got)
	}
}

func TestAnAnnouncementTakesNoMemory(t *testing.T) {
	_, address := open(t, broker.Config{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		dial(t, address).write(t, "*100000\r\n$16777216\r\nabc")
	}
	last := dial(t, address)
	for range 100 {
		last.do(t, "PING")
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.TotalAlloc) - int64(before.TotalAlloc); grown > 32<<20 {
		t.Errorf("%d bytes were allocated for 100 clients that only announced something", grown)
	}
}

func TestWhoDoesNotReadIsCutOff(t *testing.T) {
	reg := prometheus.NewRegistry()
	_, address := open(t, broker.Config{MaxOutput: 4 << 20, Registerer: reg})
	lazy, reader, sender := dial(t, address), dial(t, address), dial(t, address)
	for _, w := range []*wire{lazy, reader} {
		w.do(t, "SUBSCRIBE", "t")
	}
	message := strings.Repeat("m", 1<<20)
	for i := range 200 {
		n := sender.do(t, "PUBLISH", "t", message)
		if got := reader.read(t); !strings.HasSuffix(got, "mmm\"]") {
			t.Fatalf("who reads got %.40s", got)
		}
		if n == ":1" && metric(t, reg, "broker_clients", "") == 2 {
			break
		}
		if i == 199 {
			t.Fatal("who does not read is still there after 200 MB")
		}
	}
	if got := metric(t, reg, "broker_refused_total", "slow"); got != 1 {
		t.Errorf("%v clients were counted as slow, want 1", got)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	reg := prometheus.NewRegistry()
	l, address := open(t, broker.Config{MaxMemory: 1 << 20, Registerer: reg})
	w := dial(t, address)
	n := 0
	for ; w.do(t, "ZADD", "k", "1", strconv.Itoa(n)+strings.Repeat("m", 1000)) == ":1"; n++ {
		if n > 2000 {
			t.Fatal("2 MB were taken where 1 MB is the limit")
		}
	}
	django, _ := channel(t, l)
	for _, refused := range [][]string{{"ZADD", "k", "1", "a"}, {"EVAL", "x", "0"}, {"SUBSCRIBE", "t"}} {
		if got := w.do(t, refused...); got != "-OOM" {
			t.Errorf("%s answered %s, want OOM", refused[0], got)
		}
	}
	if err := l.Send(t.Context(), "worker", channellayer.Event{"type": "x"}); err == nil {
		t.Error("Send has an event waiting where there is no memory")
	}
	if err := l.Send(t.Context(), django, channellayer.Event{"type": "x"}); err != nil {
		t.Errorf("Send to a channel of this process: %v, though it takes no memory of the broker's", err)
	}
	if got := w.do(t, "ZREMRANGEBYSCORE", "k", "-inf", "+inf"); got != ":"+strconv.Itoa(n) {
		t.Errorf("what removes answered %s, want it to be allowed", got)
	}
	if got := w.do(t, "ZADD", "k", "1", "a"); got != ":1" {
		t.Errorf("with memory again, ZADD answered %s", got)
	}
	if got := metric(t, reg, "broker_refused_total", "memory"); got < 4 {
		t.Errorf("%v refusals were counted, want 4 at least", got)
	}
}

func TestClientsAreBounded(t *testing.T) {
	const most = 500
	reg := prometheus.NewRegistry()
	_, address := open(t, broker.Config{MaxClients: most, Registerer: reg})
	first := dial(t, address)
	first.do(t, "PING")
	for range most - 1 {
		dial(t, address).do(t, "PING")
	}
	refused := 0
	for range 50 {
		if w := dial(t, address); strings.HasPrefix(w.wantEnd(t), "-ERR") {
			refused++
		}
	}
	if refused == 0 || metric(t, reg, "broker_clients", "") != most {
		t.Errorf("%d clients were refused with a word, %v are there, want %d", refused, metric(t, reg, "broker_clients", ""), most)
	}
	if got := first.do(t, "PING"); got != "+PONG" {
		t.Errorf("who was there got %s", got)
	}
}

func TestBuffersAreBounded(t *testing.T) {
	reg := prometheus.NewRegistry()
	_, address := open(t, broker.Config{MaxBuffers: 4 << 20, Registerer: reg})
	var half []net.Conn
	for range 16 {
		w := dial(t, address)
		go func() { _, _ = io.WriteString(w, "*2\r\n$4\r\nECHO\r\n$1000000\r\n"+strings.Repeat("x", 900_000)) }() // it may be cut off
		half = append(half, w)
	}
	for range 500 {
		if metric(t, reg, "broker_refused_total", "protocol") > 0 {
			break
		}
		advance(1e7)
	}
	if used, cut := metric(t, reg, "broker_buffer_bytes", ""), metric(t, reg, "broker_refused_total", "protocol"); used > 4<<20 || cut == 0 {
		t.Errorf("%v bytes are buffered and %v clients were cut off, want 4 MiB at most", used, cut)
	}
	for _, conn := range half {
		conn.Close()
	}
	for range 500 {
		if metric(t, reg, "broker_buffer_bytes", "") == 0 {
			return
		}
		advance(1e7)
	}
	t.Errorf("%v bytes are still counted after all have gone", metric(t, reg, "broker_buffer_bytes", ""))
}

func TestThePasswordComesFirst(t *testing.T) {
	_, address := open(t, broker.Config{Password: "sesame"})
	stranger := dial(t, address)
	for _, args := range [][]string{{"PING"}, {"ZADD", "k", "1", "a"}, {"INFO"}, {"SUBSCRIBE", "t"}, {"MULTI"}, {"EVAL", "x", "0"}} {
		if got := stranger.do(t, args...); got != "-NOAUTH" {
			t.Errorf("%s answered %s before the password", args[0], got)
		}
	}
	for _, args := range [][]string{{"AUTH", "wrong"}, {"AUTH", "someone", "sesame"}, {"HELLO", "2", "AUTH", "default", "wrong"}} {
		if got := stranger.do(t, args...); got != "-WRONGPASS" {
			t.Errorf("%s answered %s", args, got)
		}
	}
	if got := stranger.do(t, "HELLO", "2"); got != "-NOAUTH" {
		t.Errorf("HELLO answered %s before the password", got)
	}
	for _, args := range [][]string{{"AUTH", "sesame"}, {"AUTH", "default", "sesame"}, {"HELLO", "2", "AUTH", "default", "sesame"}} {
		w := dial(t, address)
		w.do(t, args...)
		if got := w.do(t, "PING"); got != "+PONG" {
			t.Errorf("after %s PING answered %s", args, got)
		}
		w.do(t, "RESET")
		if got := w.do(t, "PING"); got != "-NOAUTH" {
			t.Errorf("after RESET PING answered %s", got)
		}
	}
}

func TestThePasswordMayComeTogetherWithALargeCommand(t *testing.T) {
	_, address := open(t, broker.Config{Password: "sesame"})
	for range 20 {
		w := dial(t, address)
		w.write(t, encode("AUTH", "sesame")+encode("ECHO", strings.Repeat("x", 100_000)))
		if got := w.read(t); got != "+OK" {
			t.Fatalf("AUTH answered %s", got)
		}
		if got := w.read(t); len(got) < 100_000 {
			t.Fatalf("ECHO answered %.40s", got)
		}
	}
}

func TestAStrangerHasLittleRoom(t *testing.T) {
	_, address := open(t, broker.Config{Password: "sesame"})
	guesser := dial(t, address)
	guesser.write(t, strings.Repeat(encode("AUTH", "guess"), 5))
	if last := guesser.wantEnd(t); last != "-WRONGPASS" {
		t.Errorf("the last of five wrong passwords was answered %s", last)
	}
	for _, text := range []string{"*11\r\n", "*2\r\n$4\r\nAUTH\r\n$20000\r\n"} {
		w := dial(t, address)
		w.write(t, text)
		if last := w.wantEnd(t); last != "-ERR" {
			t.Errorf("%q was answered %s", text, last)
		}
	}
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	open(t, broker.Config{Registerer: reg})
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
}
