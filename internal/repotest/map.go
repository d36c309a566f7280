// Package repotest holds the map of this repository, and tests that the code keeps to it: which package may
// import which, where each third-party package lives, and how large a file, a function or an interface may be.
//
// Start with floors. It has nothing that other packages could use.
package repotest

// module is the path that all packages of this repository begin with.
const module = "github.com/belleville/belleville/"

// floors says how high each package stands. A package imports only what stands on a lower floor; its tests may
// import neighbours, and more.
var floors = map[string]int{
	"pickle":            0,
	"internal/lazyctx":  0,
	"internal/busy":     0,
	"internal/netpoll":  0,
	"internal/parts":    0,
	"internal/repotest": 0,
	"internal/swapfile": 0,
	"channellayer":      0, // it stands on nothing

	"djangocompat/internal/argon2": 0,

	"djangocompat":            1,
	"sessionstore/cache":      1,
	"channellayer/membership": 1,
	"channellayer/wireformat": 1,
	"migrations":              1,

	"sessionstore/changes":         1,
	"sessionstore":                 2,
	"channellayer/memlayer":        2,
	"channellayer/redislayer":      2,
	"channellayer/pglayer":         2,
	"channellayer/broker":          2,
	"channellayer/layertest":       2,
	"internal/pgtest":              2,
	"internal/redistest":           2,
	"sessionstore/cache/cachetest": 2,
	"internal/memcachetest":        2,
	"internal/djangotest":          2,

	"consumers":                 3,
	"routing/internal/pyregexp": 3,

	"authmw":            4,
	"authmw/token":      4,
	"authmw/live":       4,
	"routing":           4,
	"consumers/builtin": 4,
	"consumers/worker":  4,
	"wstest":            4,

	"server": 5,

	"config": 6,

	"internal/chaos":          6,
	"internal/layerbench":     6,
	"cmd/belleville/bench":    6,
	"cmd/belleville/demo":     6,
	"cmd/belleville":          7,
	"internal/benchtable":     7,
	"examples/django/rundemo": 7,
}

// homes says which packages may import a third-party package, by the prefix of its path. The tests of any
// package may.
var homes = map[string][]string{
	"github.com/gobwas/ws":                  {"server"},
	"golang.org/x/sys":                      {"internal/netpoll", "internal/swapfile"},
	"github.com/jackc/pgx/v5":               {"sessionstore", "sessionstore/changes", "channellayer/pglayer", "migrations", "internal/pgtest", "cmd/belleville"},
	"modernc.org/sqlite":                    {"sessionstore", "cmd/belleville/demo"}, // the demo makes the database that Django would
	"github.com/kisielk/og-rek":             {"pickle"},
	"github.com/redis/rueidis":              {"channellayer/redislayer", "sessionstore/cache"},
	"github.com/bradfitz/gomemcache":        {"sessionstore/cache"},
	"github.com/golang-jwt/jwt/v5":          {"authmw/token"},
	"github.com/MicahParks/keyfunc/v3":      {"authmw/token"},
	"github.com/MicahParks/jwkset":          {"authmw/token"},
	"github.com/pires/go-proxyproto":        {"server"},
	"golang.org/x/time":                     {"server"},
	"github.com/tinylib/msgp":               {"channellayer/wireformat"},
	"github.com/BurntSushi/toml":            {"config"},
	"github.com/alecthomas/kong":            {"cmd/belleville"},
	"golang.org/x/crypto":                   {"djangocompat", "djangocompat/internal/argon2"},
	"golang.org/x/sync":                     {"sessionstore", "authmw/live", "cmd/belleville", "cmd/belleville/demo"},
	"github.com/coder/websocket":            {},
	"github.com/chromedp":                   {},
	"go.uber.org/goleak":                    {},
	"github.com/prometheus/client_golang":   {"sessionstore", "sessionstore/changes", "channellayer/broker", "channellayer/memlayer", "channellayer/redislayer", "channellayer/pglayer", "authmw", "authmw/live", "authmw/token", "consumers/builtin", "consumers/worker", "server", "config", "cmd/belleville", "cmd/belleville/demo"},
	"github.com/prometheus/client_model/go": {},
}

// unseeded says which packages may import a hash that anybody can calculate. With one, who chooses names chooses where
// they are put; it is for what another program calculates too. Everything else has hash/maphash, or a map.
var unseeded = map[string][]string{
	"hash/adler32": {},
	"hash/crc32":   {"channellayer/redislayer"}, // Django finds the host of a name by it
	"hash/crc64":   {},
	"hash/fnv":     {},
}

// The largest sizes, in lines or methods.
const (
	maxFile      = 400
	maxFunction  = 60
	maxInterface = 6
)
