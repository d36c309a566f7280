package netpoll_test

import (
	"io"
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/belleville/belleville/internal/netpoll"
)

// waits are the ways to wait.
var waits = map[string]func(*netpoll.Poller, []netpoll.Event, int) ([]netpoll.Event, error){
	"Wait": (*netpoll.Poller).Wait,
	"Park": (*netpoll.Poller).Park,
}

// descriptors returns how many this process has.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// await waits for an event in one of the ways.
func await(t *testing.T, p *netpoll.Poller, way string, timeout int) netpoll.Event {
	t.Helper()
	for {
		events, err := waits[way](p, nil, timeout)
		if err != nil {
			t.Fatalf("%s: %v", way, err)
		}
		if len(events) > 0 {
			return events[0]
		}
	}
}

func TestNoEventIsLostBetweenOneWayToWaitAndAnother(t *testing.T) {
	c := newPair(t)
	defer netpoll.Close(c.fd)
	p := newPoller(t, c.fd, 7)
	ways := []string{"Park", "Park", "Wait", "Park", "Wait", "Wait"}
	timeouts := []int{patience, -1, 1, -1}
	buf := make([]byte, 1)
	for i := range 3000 {
		var running sync.WaitGroup
		write := func() {
			if _, err := io.WriteString(c.other, "x"); err != nil {
				t.Error(err)
			}
		}
		if i%2 == 0 {
			write()
		} else {
			running.Go(write)
		}
		if ev := await(t, p, ways[i%len(ways)], timeouts[i%len(timeouts)]); ev.Token != 7 || !ev.Readable {
			t.Fatalf("round %d: %+v, want it readable", i, ev)
		}
		if n, err := netpoll.Read(c.fd, buf); n != 1 || err != nil {
			t.Fatalf("round %d: Read = %d, %v", i, n, err)
		}
		running.Wait()
	}
}

func TestParkWithoutATimeoutTakesWhatIsThere(t *testing.T) {
	c := newPair(t)
	defer netpoll.Close(c.fd)
	p := newPoller(t, c.fd, 7)
	if events, err := p.Park(nil, 0); len(events) > 0 || err != nil {
		t.Fatalf("Park = %v, %v where nothing has come", events, err)
	}
	if err := c.other.Close(); err != nil {
		t.Fatal(err)
	}
	if ev := await(t, p, "Park", 0); !ev.HungUp {
		t.Errorf("event = %+v, want that the peer hung up", ev)
	}
}

func TestWakeEndsAPark(t *testing.T) {
	p := newPoller(t, -1, 0)
	for range 1000 {
		var running sync.WaitGroup
		for range 4 {
			running.Go(p.Wake)
		}
		if events, err := p.Park(nil, -1); len(events) > 0 || err != nil {
			t.Fatalf("Park = %v, %v, want nothing", events, err)
		}
		running.Wait()
		p.Wake() // one that nobody waits for is kept for the next
		if _, err := p.Park(nil, -1); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAParkEndsWithItsTimeout(t *testing.T) {
	p := newPoller(t, -1, 0)
	for _, timeout := range []int{patience, 1, 2, 1} { // one behind a longer one does not wait for that
		if timeout == patience {
			p.Wake()
		}
		if events, err := p.Park(nil, timeout); len(events) > 0 || err != nil {
			t.Errorf("Park = %v, %v, want nothing", events, err)
		}
	}
	p.Wake()
	if _, err := p.Park(nil, -1); err != nil { // nor one for ever with what is left of the timeout
		t.Error(err)
	}
}

func TestAParksDescriptorGoesWithTheNextWait(t *testing.T) {
	p := newPoller(t, -1, 0)
	before := descriptors(t)
	for range 3 {
		p.Wake()
		if _, err := p.Park(nil, -1); err != nil {
			t.Fatal(err)
		}
		if n := descriptors(t); n != before+1 {
			t.Errorf("%d descriptors after Park, want one more than %d", n, before)
		}
		if _, err := p.Wait(nil, 0); err != nil {
			t.Fatal(err)
		}
		if n := descriptors(t); n != before {
			t.Errorf("%d descriptors after Wait, want %d", n, before)
		}
	}
}

func TestCloseGivesAParksDescriptorBack(t *testing.T) {
	before := descriptors(t)
	p, err := netpoll.Open(8)
	if err != nil {
		t.Fatal(err)
	}
	p.Wake()
	if _, err := p.Park(nil, -1); err != nil {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if n := descriptors(t); n != before {
		t.Errorf("%d descriptors, want %d", n, before)
	}
}

func TestParkWaitsWithoutADescriptorToSpare(t *testing.T) {
	c := newPair(t)
	defer netpoll.Close(c.fd)
	p := newPoller(t, c.fd, 7)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Error(err)
		}
	}()
	if _, err := io.WriteString(c.other, "x"); err != nil {
		t.Fatal(err)
	}
	if ev := await(t, p, "Park", -1); !ev.Readable {
		t.Errorf("event = %+v, want it readable", ev)
	}
}
