package chaos_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/redislayer"
	"github.com/belleville/belleville/internal/redistest"
)

// renamed is a name of a host that only one process knows.
const renamed = "moved.test"

// ownHosts gives a server an /etc/hosts of its own, and returns what changes where renamed leads to.
func ownHosts(t *testing.T, b *served) (lead func(address string)) {
	t.Helper()
	if os.Getuid() != 0 || exec.Command("unshare", "--mount", "true").Run() != nil {
		t.Skip("only root can give a process an /etc/hosts of its own")
	}
	hosts := filepath.Join(t.TempDir(), "hosts")
	lead = func(address string) {
		must(t, os.WriteFile(hosts, []byte("127.0.0.1 localhost\n"+address+" "+renamed+"\n"), 0o644))
	}
	b.wrap = []string{"unshare", "--mount", "sh", "-c", `mount --bind "$0" /etc/hosts && exec "$@"`, hosts}
	return lead
}

// TestF20Redis changes the address that the name of Redis leads to, while what is at the old one has gone.
func TestF20Redis(t *testing.T) {
	for form, backend := range map[string]string{
		coreForm: "channels_redis.core.RedisChannelLayer", pubSubForm: "channels_redis.pubsub.RedisPubSubChannelLayer",
	} {
		t.Run(form, func(t *testing.T) { redisMoves(t, form, backend) })
	}
}

// redisMoves is row F20 for a form of the layer.
func redisMoves(t *testing.T, form, backend string) {
	t.Helper()
	redis := redistest.Open(t)
	target := fmt.Sprintf("127.0.0.1:%d", redis.Port())
	old := startProxy(t, target)
	_, port, err := net.SplitHostPort(old.listener.Addr().String())
	must(t, err)
	next := startProxyAt(t, "127.0.0.2:"+port, target)
	b := prepare(t, "", openRoutes("BELLEVILLE_CHANNEL_LAYERS_DEFAULT_BACKEND="+backend,
		"BELLEVILLE_CHANNEL_LAYERS_DEFAULT_HOSTS=redis://"+net.JoinHostPort(renamed, port)+"/0")...)
	lead := ownHosts(t, b)
	lead("127.0.0.1")
	b.start()
	hearers := guests(t, b.addr, "/ws/open/", size(1000, 20))
	django := openForm(t, form, redislayer.Config{}, redis.URL()) // whose own way to Redis stays

	// heard sends until all hear, and returns how long that took since a moment.
	heard := func(since time.Time) time.Duration {
		waitUntil(t, "all sockets hear", func() bool {
			now := time.Now()
			_ = django.GroupSend(t.Context(), "open", channellayer.Event{"type": "room.message", "t": now.UnixMilli()}) // it is tried again
			pass(50 * time.Millisecond)
			for _, s := range hearers {
				if _, _, _, newest := s.end(); time.UnixMilli(newest).Before(since) {
					return false
				}
			}
			return true
		})
		return time.Since(since)
	}
	heard(time.Now())
	must(t, old.listener.Close())
	old.cut()
	lead("127.0.0.2")
	back := heard(time.Now())
	open := 0
	for _, s := range hearers {
		if s.isOpen() {
			open++
		}
	}
	row(t, back <= size(10*time.Second, 30*time.Second) && open == len(hearers) && next.accepted() > 0, "F20", "the name of Redis leads to another address ("+form+" form)",
		fmt.Sprintf("%d of %d sockets open; all hear again after %s, over the new address", open, len(hearers), seconds(back)), "10 s: Go keeps what /etc/hosts says for 5 s")
}
