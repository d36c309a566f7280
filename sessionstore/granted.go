package sessionstore

import (
	"sync"
	"time"

	"github.com/belleville/belleville/djangocompat"
)

// PermissionConfig says how long it is remembered what users may do. The zero PermissionConfig is a good one.
type PermissionConfig struct {
	// Age is how long a change in the admin may take to count. Below zero nothing is remembered.
	// Default: 30 s.
	Age time.Duration
	// Entries bounds the users that are remembered. Default: 10,000.
	Entries int
}

func (c PermissionConfig) withDefaults() PermissionConfig {
	c.Age = orDefault(c.Age, 30*time.Second)
	c.Entries = orDefault(c.Entries, 10_000)
	return c
}

// granted remembers what users may do, for a while. When it is full another one is forgotten: one that is old,
// if there is such among a few.
type granted struct {
	cfg PermissionConfig

	complaint sync.Once // that the tables cannot be read

	mu sync.Mutex // guards of
	of map[djangocompat.PK]grant
}

// grant is what was read, and until when it is believed.
type grant struct {
	grants *grants
	until  time.Time
}

func newGranted(cfg PermissionConfig) *granted {
	return &granted{cfg: cfg, of: make(map[djangocompat.PK]grant)}
}

// get returns what is remembered under pk, or nil.
func (c *granted) get(pk djangocompat.PK) *grants {
	c.mu.Lock()
	defer c.mu.Unlock()
	g, ok := c.of[pk]
	if !ok {
		return nil
	}
	if !time.Now().Before(g.until) {
		delete(c.of, pk)
		return nil
	}
	return g.grants
}

func (c *granted) put(pk djangocompat.PK, g *grants) {
	if c.cfg.Age < 0 || c.cfg.Entries < 0 {
		return
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.of[pk]; !ok && len(c.of) >= c.cfg.Entries {
		c.forgetOneLocked(now)
	}
	c.of[pk] = grant{g, now.Add(c.cfg.Age)}
}

// forgetOneLocked drops what is old among the first that come, and else one of them.
func (c *granted) forgetOneLocked(now time.Time) {
	const looked = 8
	var some djangocompat.PK
	n := 0
	for pk, g := range c.of {
		if n++; n > looked {
			break
		}
		if some = pk; !now.Before(g.until) {
			break
		}
	}
	delete(c.of, some)
}
