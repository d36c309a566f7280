package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belleville/belleville/config"
)

// Secrets that no line may show.
const (
	canaryKey      = "canary-key-7Qz"
	canaryPassword = "canary-password-8Rw"
)

// good is a configuration without a mistake.
const good = `
[django]
secret_key = "` + canaryKey + `"
database_url = "postgres://app:` + canaryPassword + `@127.0.0.1/site"
allowed_hosts = ["example.com"]
`

// with returns good with a line more in its table [django].
func with(line string) string { return good + line + "\n" }

// route returns good with a route that has these lines.
func route(lines ...string) string {
	return good + "[[routes]]\n" + strings.Join(lines, "\n") + "\n"
}

// onRedis is a layer that Django is on too.
const onRedis = "[channel_layers.default]\nbackend = \"channels_redis.core.RedisChannelLayer\"\n"

// without returns good without the lines that begin with a key.
func without(key string) string {
	var kept []string
	for line := range strings.SplitSeq(good, "\n") {
		if !strings.HasPrefix(line, key+" ") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

// Lines of a site whose sessions are in a cache.
const (
	cacheEngine      = `session_engine = "django.contrib.sessions.backends.cache"`
	redisCache       = "\n[django.caches.default]\nbackend = \"django.core.cache.backends.redis.RedisCache\"\n"
	djangoRedisCache = "\n[django.caches.default]\nbackend = \"django_redis.cache.RedisCache\"\nlocation = \"redis://127.0.0.1\"\n"

	otherEngine = ` is not Django's, and only its own code knows where it has sessions; write one of "django.contrib.sessions.backends.db", "django.contrib.sessions.backends.cached_db", "django.contrib.sessions.backends.cache", "django.contrib.sessions.backends.file", "django.contrib.sessions.backends.signed_cookies", as the site has it, or let the site use one of them`
)

type mistake struct {
	name string
	text string
	env  []string
	want string
}

var fileMistakes = []mistake{
	{"an unknown key", with(`sekret_key = "x"`), nil, `django.sekret_key: there is no such key; did you mean django.secret_key?`},
	{"an unknown key that resembles none", with(`xyzzy_plugh_frotz = 1`), nil, `django.xyzzy_plugh_frotz: there is no such key; take it out; docs/configuration.md has all keys`},
	{"a key in the wrong table", `SECRET_KEY = "x"` + good, nil, `SECRET_KEY: there is no such key; did you mean django.secret_key?`},
	{"a key of a route", route(`path = "a"`, `consumer = "echo"`, `alow = "staff"`), nil, `routes[0].alow: there is no such key; did you mean routes.allow?`},
	{"an unknown table", good + "[limit]\n", nil, `limit: there is no such key; did you mean limits?`},
	{"a key that is no name", with(`"a\nb" = 1`), nil, `django."a\nb": there is no such key; take it out; docs/configuration.md has all keys`},
	{"a second channel layer", good + "[channel_layers.other]\n", nil, `channel_layers.other: this version has one channel layer; name it [channel_layers.default]`},
	{"a port alone", "listen = 8101\n" + good, nil, `listen: it is a whole number; write an address in quotes, as in ":8101"`},
	{"Python's True", with("debug = True # True"), nil, `line 6 near django.debug: this is not TOML: True is Python's; write true, without a capital letter`},
	{"Python's None", with("session_cookie_domain = None"), nil, `line 6 near django.session_cookie_domain: this is not TOML: None is Python's; take the key out`},
	{"Python's words inside a text are no trouble", with(`session_cookie_domain = "True" x`), nil, `line 6 near django: this is not TOML; texts stand in double quotes, lists in brackets`},
	{"a value without quotes", without("secret_key") + "secret_key = " + canaryKey, nil, `line 5 near django.secret_key: this is not TOML; texts stand in double quotes, lists in brackets`},
	{"a key that stands there twice", with(`debug = true` + "\ndebug = false"), nil, `line 7 near django.debug: a key or table stands there for the second time; keep one of them`},
	{"a key in two cases", with(`debug = true` + "\nDEBUG = false"), nil, `django.debug: it is there twice, in different case; keep one of them`},
	{"a number for a text", with(`session_cookie_name = 7`), nil, `django.session_cookie_name: it is a whole number; write a text in quotes`},
	{"a text for a truth value", with(`debug = "yes"`), nil, `django.debug: it is a text; write true or false, without quotes`},
	{"a text for a number", good + "[limits]\nmax_message = \"1MB\"", nil, `limits.max_message: it is a text; write a whole number, without quotes`},
	{"a fraction for a number", good + "[limits]\nmax_message = 1.5", nil, `limits.max_message: it is a number with a fraction; write a whole number, without quotes`},
	{"a text for a list", with(`allowed_origins = "https://example.com"`), nil, `django.allowed_origins: it is a text; write a list, as in ["a", "b"]`},
	{"a number in a list", with(`allowed_origins = ["*", 7]`), nil, `django.allowed_origins[1]: it is a whole number; write a text in quotes`},
	{"a list for a secret", without("secret_key") + `secret_key = ["` + canaryKey + `"]`, nil, `django.secret_key: it is a list; write a text in quotes`},
	{"a value for a table", "limits = 3" + good, nil, `limits: it is a whole number; write [limits] and its keys below`},
	{"a table for a list of tables", good + "[routes]\npath = \"a\"", nil, `routes: it is a table; write [[routes]] and its keys below`},
	{"a list of other things than tables", "routes = [\"a\"]" + good, nil, `routes: it is a text; write [[routes]] and its keys below`},
	{"a duration without a unit", good + "[limits]\nping_interval = \"30\"", nil, `limits.ping_interval: "30" is no duration; write a number with its unit, as in "30s", "1m30s" or "500ms"`},
	{"a duration without quotes", good + "[limits]\nping_interval = 30", nil, `limits.ping_interval: it is a whole number; write a duration in quotes, as in "30s"`},
	{"seconds below 0", with(`session_cookie_age = -1`), nil, `django.session_cookie_age: it is out of range; write a positive number of seconds`},
	{"seconds in quotes", with(`session_cookie_age = "2w"`), nil, `django.session_cookie_age: it is a text; write a whole number of seconds, without quotes`},
	{"a session that lasts no time", with(`session_cookie_age = 0`), nil, `django.session_cookie_age: 0 would allow nothing; write a positive value, or take it out for the default`},
	{"a proxy that is no network", `trusted_proxies = ["10.0.0.0/40"]` + good, nil, `trusted_proxies[0]: "10.0.0.0/40" is no network; write an address or a network, as in "10.0.0.7" or "10.0.0.0/8"`},
	{"an unknown level", good + "[log]\nlevel = \"verbose\"", nil, `log.level: "verbose" is no level; write "debug", "info", "warn" or "error"`},
	{"an unknown format", good + "[log]\nformat = \"xml\"", nil, `log.format: "xml" is not known; write one of "text", "json"`},
	{"a limit below 0", good + "[limits]\nmax_connections = -1", nil, `limits.max_connections: it is below 0; write a positive value, or take it out for the default`},
	{"a limit of 0", good + "[limits]\nmax_message = 0", nil, `limits.max_message: 0 would allow nothing; write a positive value, or take it out for the default`},
	{"a capacity that is no number", good + "[channel_layers.default]\nchannel_capacity = {\"a*\" = \"many\"}", nil, `channel_layers.default.channel_capacity."a*": it is no whole number above 0; write how many events may wait`},
}

var settingMistakes = []mistake{
	{"no secret key", without("secret_key"), nil, `django.secret_key: it is missing; copy SECRET_KEY from the site's settings, or name a file in django.secret_key_file, or set BELLEVILLE_DJANGO_SECRET_KEY`},
	{"an empty fallback", with(`secret_key_fallbacks = ["a", ""]`), nil, `django.secret_key_fallbacks[1]: it is empty; copy SECRET_KEY_FALLBACKS from the site's settings`},
	{"a key and a file", with(`secret_key_file = "/nowhere"`), nil, `django.secret_key_file: django.secret_key is set too; keep one of them`},
	{"a file that is not there", without("secret_key") + `secret_key_file = "/nowhere/key"`, nil, `django.secret_key_file: the file cannot be read: no such file or directory; make it readable for this program`},
	{"a file that is empty", without("secret_key") + `secret_key_file = "/dev/null"`, nil, `django.secret_key_file: the file is empty; write the site's SECRET_KEY into it`},
	{"no database for a query of a route", without("database_url") + `session_engine = "django.contrib.sessions.backends.signed_cookies"` + "\n[[routes]]\npath = \"a\"\nconsumer = \"echo\"\nallow_sql = \"SELECT 1\"", nil, `django.database_url: it is missing, and routes[0].allow_sql asks it; write where the site's database is, as in "postgres://user:password@host/name" or "sqlite:///path/db.sqlite3"`},
	{"no database", without("database_url"), nil, `django.database_url: it is missing, and the sessions are there; write where the site's database is, as in "postgres://user:password@host/name" or "sqlite:///path/db.sqlite3"`},
	{"a database that is not supported", without("database_url") + `database_url = "mysql://app:` + canaryPassword + `@h/d"`, nil, `django.database_url: databases of the kind "mysql" are not supported; only PostgreSQL and SQLite are`},
	{"a database of an unknown scheme", without("database_url") + `database_url = "` + canaryPassword + `://h/d"`, nil, `django.database_url: its scheme is not known; begin it with "postgres://" or "sqlite:///"`},
	{"a database that is no URL", without("database_url") + `database_url = "host=h password=` + canaryPassword + `"`, nil, `django.database_url: it is no URL; write "postgres://user:password@host/name" or "sqlite:///path/db.sqlite3"`},
	{"nobody may connect", without("allowed_hosts"), nil, `django.allowed_hosts: neither it nor django.allowed_origins says which sites may connect; copy ALLOWED_HOSTS from the site's settings`},
	{"a host with a scheme", without("allowed_hosts") + `allowed_hosts = ["https://example.com"]`, nil, `django.allowed_hosts[0]: "https://example.com" has a scheme; write the host alone, or put it into django.allowed_origins`},
	{"a host with a wildcard", without("allowed_hosts") + `allowed_hosts = ["*.example.com"]`, nil, `django.allowed_hosts[0]: "*.example.com" matches nothing: Django has no such wildcard; write ".example.com" for a domain and all below it`},
	{"a host with a port", without("allowed_hosts") + `allowed_hosts = ["example.com:8000"]`, nil, `django.allowed_hosts[0]: "example.com:8000" has a port; write the host alone: every port is allowed`},
	{"a host that is none", without("allowed_hosts") + `allowed_hosts = ["exa mple"]`, nil, `django.allowed_hosts[0]: "exa mple" is no host; write "example.com", ".example.com" or "*"`},
	{"an origin without a scheme and with a port", with(`allowed_origins = ["localhost:8000"]`), nil, `django.allowed_origins[0]: "localhost:8000" matches nothing: it has a port and no scheme; write "https://host:port", or the host alone for every port`},
	{"an origin with a wildcard", with(`allowed_origins = ["https://*.example.com"]`), nil, `django.allowed_origins[0]: "https://*.example.com" matches nothing: the only wildcard is a lone *; write "https://.example.com" for a domain and all below it`},
	{"an origin with a path", with(`allowed_origins = ["https://example.com/chat"]`), nil, `django.allowed_origins[0]: "https://example.com/chat" is more than an origin; write scheme, host and port alone, as in "https://example.com"`},
	{"an origin with a bad port", with(`allowed_origins = ["https://example.com:http"]`), nil, `django.allowed_origins[0]: "https://example.com:http" has an odd port; write it as in "https://example.com:8443"`},
	{"an origin without a host", with(`allowed_origins = ["null "]`), nil, `django.allowed_origins[0]: "null " names no host; write "https://example.com", "example.com", ".example.com" or "*"`},
	{"no authentication backend", with(`authentication_backends = []`), nil, `django.authentication_backends: it is empty, so nobody would be logged in; copy AUTHENTICATION_BACKENDS from the site's settings`},
	{"a backend that is no path", with(`authentication_backends = ["my backend"]`), nil, `django.authentication_backends[0]: "my backend" is no dotted path; write it as in the site's settings`},
	{"an inactive backend that is not used", with(`inactive_backends = ["a.B"]`), nil, `django.inactive_backends[0]: "a.B" is not in django.authentication_backends; take it out, or add it there`},
	{"an engine of a site's own", with(`session_engine = "mysite.sessions"`), nil, `django.session_engine: "mysite.sessions"` + otherEngine},
	{"an engine with a cache that is not there", with(cacheEngine), nil, `django.caches.default.backend: it is missing; copy BACKEND from CACHES in the site's settings`},
	{"a cache of another name that is not there", with(cacheEngine + "\nsession_cache_alias = \"sessions\""), nil, `django.session_cache_alias: there is no [django.caches.sessions]; copy that entry of CACHES from the site's settings`},
	{"a cache that cannot be shared", with(cacheEngine + "\n[django.caches.default]\nbackend = \"django.core.cache.backends.locmem.LocMemCache\""), nil, `django.caches.default.backend: "django.core.cache.backends.locmem.LocMemCache": each process of the site has it for itself, so sessions in it cannot be shared; move the sessions to one of Redis, memcached, a file or a database cache, or to another session engine`},
	{"a cache that keeps nothing", with(cacheEngine + "\n[django.caches.default]\nbackend = \"django.core.cache.backends.dummy.DummyCache\""), nil, `django.caches.default.backend: "django.core.cache.backends.dummy.DummyCache": it keeps nothing; move the sessions to one of Redis, memcached, a file or a database cache, or to another session engine`},
	{"an unknown cache", with(cacheEngine + "\n[django.caches.default]\nbackend = \"mysite.Cache\""), nil, `django.caches.default.backend: "mysite.Cache" is not known; move the sessions to one of Redis, memcached, a file or a database cache, or to another session engine`},
	{"a cache's key that is none", with("[django.caches.sessions]\nbackand = \"x\""), nil, `django.caches.sessions.backand: there is no such key; did you mean django.caches.default.backend?`},
	{"a cache that is no table", with("[django.caches]\nsessions = 1"), nil, `django.caches.sessions: it is a whole number; write [django.caches.sessions] and its keys below`},
	{"a location that is wrong", with(cacheEngine + redisCache + "location = \"http://:" + canaryPassword + "@127.0.0.1\""), nil, `django.caches.default.location: it is malformed; a password in it must be percent-encoded; write it as in "redis://:password@127.0.0.1:6379/1", "rediss://…" or "unix:///run/redis.sock?db=1"`},
	{"a compressor that is not known", with(cacheEngine + djangoRedisCache + "[django.caches.default.options]\ncompressor = \"django_redis.compressors.lzma.LzmaCompressor\""), nil, `django.caches.default.options.compressor: "django_redis.compressors.lzma.LzmaCompressor" is not supported; only django_redis.compressors.identity.IdentityCompressor, django_redis.compressors.zlib.ZlibCompressor and django_redis.compressors.gzip.GzipCompressor are`},
	{"a key function", with(cacheEngine + redisCache + "location = \"redis://127.0.0.1\"\nkey_function = \"mysite.key\""), nil, `django.caches.default.key_function: "mysite.key" is the site's own code, which is not run; keep the sessions in a cache without a KEY_FUNCTION`},
	{"several servers of memcached", with(cacheEngine + "\n[django.caches.default]\nbackend = \"django.core.cache.backends.memcached.PyMemcacheCache\"\nlocation = [\"a:1\", \"b:1\"]"), nil, `django.caches.default.location: it names several servers, over which Python's clients spread keys each in their own way; keep the sessions in a cache of one server`},
	{"a serializer of the site's own", with(`session_serializer = "mysite.serializers.OrJSON"`), nil, `django.session_serializer: "mysite.serializers.OrJSON" is not Django's, and only its own code knows what it writes; write "django.contrib.sessions.serializers.JSONSerializer" or "django.contrib.sessions.serializers.PickleSerializer", as the site has it, or let the site use one of them`},
	{"a version that is none", with(`version = "four"`), nil, `django.version: "four" is no version of Django; write it as in "4.2"`},
	{"a hasher of the site's own", with(`password_hashers = ["argon2", "mysite.hashers.Slow"]`), nil, `django.password_hashers[1]: password hasher "mysite.hashers.Slow" is none that Django ships; copy PASSWORD_HASHERS from the site's settings; of a class of the site's own that changes the cost, write the algorithm`},
	{"a hasher that only reads, first", with(`password_hashers = ["sha1"]`), nil, `django.password_hashers[0]: password hasher "sha1" only reads what is old: put another hasher first; as in the site's settings`},
	{"an impossible cost", good + "[django.password_cost]\niterations = -1", nil, `django.password_cost: password hasher "pbkdf2_sha256" has an impossible number of iterations; copy it from the site's hasher, or take it out for Django's`},
	{"nobody may log in", good + "[limits]\nmax_hashing = -1", nil, `limits.max_hashing: it is below 0; write a positive value, or take it out for the default`},
	{"a cookie without a name", with(`session_cookie_name = ""`), nil, `django.session_cookie_name: "" is no name of a cookie; copy SESSION_COOKIE_NAME from the site's settings`},
	{"a cookie's path with a semicolon", with(`session_cookie_path = "/;"`), nil, `django.session_cookie_path: "/;" is no part of a cookie; copy it from the site's settings`},
	{"an unknown SameSite", with(`session_cookie_samesite = "lax"`), nil, `django.session_cookie_samesite: "lax" is not known; write one of "Lax", "Strict", "None", ""`},
	{"SameSite None over plain HTTP", with(`session_cookie_samesite = "None"`), nil, `django.session_cookie_secure: browsers refuse a cookie that is SameSite "None" and not secure; set it to true`},
	{"an empty salt", with(`session_salt = ""`), nil, `django.session_salt: it is empty; take it out, or write "django.contrib.sessions." and the name of the site's SessionStore class`},
	{"an unknown time zone", with(`time_zone = "Europe/Belleville"`), nil, `django.time_zone: "Europe/Belleville" is no time zone; copy TIME_ZONE from the site's settings`},
	{"a user table without a name", good + "[django.user]\ntable = \"\"", nil, `django.user.table: "" is no name of a table or column; write 1 to 63 characters`},
	{"a column with a NUL", good + "[django.user]\ncolumns = [\"a\\u0000\"]", nil, `django.user.columns[0]: "a\x00" is no name of a table or column; write 1 to 63 characters`},
	{"an odd way to query", good + "[database]\nquery_exec_mode = \"simple\"", nil, `database.query_exec_mode: "simple" is not known; write one of "", "cache_statement", "cache_describe", "exec"`},
	{"a bracket that is not closed", route(`path = "ws/chat/<slug:room/"`, `consumer = "echo"`), nil, `routes[0].path: "<" stands for itself in a path; write a value as "<slug:room>", or use re_path for a regular expression`},
	{"a regular expression as a path", route(`path = '^ws/chat/(?P<room>\w+)/$'`, `consumer = "echo"`), nil, `routes[0].path: "(?P<" stands for itself in a path; write a value as "<slug:room>", or use re_path for a regular expression`},
	{"a template as a path", route(`path = "ws/chat/{room}/"`, `consumer = "echo"`), nil, `routes[0].path: "{" stands for itself in a path; write a value as "<slug:room>", or use re_path for a regular expression`},
	{"an end as in a regular expression", route(`path = "ws/chat/$"`, `consumer = "echo"`), nil, `routes[0].path: "$" stands for itself in a path; write a value as "<slug:room>", or use re_path for a regular expression`},
	{"a layer of a later version", good + "[channel_layers.default]\nbackend = \"channels_rabbitmq.core.RabbitmqChannelLayer\"", nil, `channel_layers.default.backend: "channels_rabbitmq.core.RabbitmqChannelLayer" is not in this version; only "channels.layers.InMemoryChannelLayer", "channels_redis.core.RedisChannelLayer", "channels_redis.pubsub.RedisPubSubChannelLayer", "channels_postgres.core.PostgresChannelLayer" are possible`},
	{"a Postgres layer without a database", postgresLayer, nil, `channel_layers.default.name: it is missing; copy NAME, USER, PASSWORD, HOST and PORT from the site's CONFIG, or write channel_layers.default.url`},
	{"a Postgres layer of another engine", postgresLayer + "name = \"site\"\nengine = \"django.db.backends.mysql\"", nil, `channel_layers.default.engine: "django.db.backends.mysql" is not known; write "django.db.backends.postgresql" or "django.db.backends.postgresql_psycopg2" or "django.contrib.gis.db.backends.postgis"`},
	{"a Postgres layer whose URL is none", postgresLayer + "url = \"redis://:" + canaryPassword + "@h\"", nil, `channel_layers.default.url: the URL is none as in "postgres://user:password@127.0.0.1:5432/site"; write "%25" for a "%"; compare it with the site's CONFIG`},
	{"a Postgres layer whose port is none", postgresLayer + "name = \"site\"\nport = \"" + canaryPassword + "\"", nil, `channel_layers.default.name: the port, or an option such as sslmode or sslrootcert, is not one that libpq takes; compare it with the site's CONFIG`},
	{"a Postgres layer with JSON", postgresLayer + "name = \"site\"\nserializer_format = \"json\"", nil, `channel_layers.default.serializer_format: channels_postgres writes msgpack alone; take it out`},
	{"a Postgres layer with hosts", postgresLayer + "name = \"site\"\nhosts = [\"redis://h\"]", nil, `channel_layers.default.hosts: the layer in Postgres has one host; write it as channel_layers.default.host`},
	{"a database of a layer that has none", good + "[channel_layers.default]\nname = \"site\"", nil, `channel_layers.default.name: this layer has no database; take it out, or name "channels_postgres.core.PostgresChannelLayer" as the backend`},
	{"a host of no known kind", good + "[channel_layers.default]\nbackend = \"channels_redis.core.RedisChannelLayer\"\nhosts = [\"amqp://:" + canaryPassword + "@h\"]", nil, `channel_layers.default.hosts[0]: a host's URL begins neither with redis:// nor rediss:// nor unix://; write a URL, as in "redis://127.0.0.1:6379/0"`},
	{"a broker for everybody", good + onRedis + "[channel_layers.broker]\nlisten = \":6380\"", nil, `channel_layers.broker.listen: other machines reach it, and it asks for no password; name channel_layers.broker.password, or listen on "127.0.0.1:6380"`},
	{"a broker on an inherited socket, which may be anywhere", good + onRedis + "[channel_layers.broker]\nlisten = \"fd:3\"", nil, `channel_layers.broker.listen: other machines reach it, and it asks for no password; name channel_layers.broker.password, or listen on "127.0.0.1:6380"`},
	{"a broker at no address", good + onRedis + "[channel_layers.broker]\nlisten = \"6380\"", nil, `channel_layers.broker.listen: "6380" is no address; write "host:port", ":port", "unix:/path" or "fd:3"`},
	{"a broker that nobody uses", good + "[channel_layers.broker]\nlisten = \"127.0.0.1:6380\"", nil, `channel_layers.broker.listen: the broker is for channels_redis; name "channels_redis.core.RedisChannelLayer" or "channels_redis.pubsub.RedisPubSubChannelLayer" in channel_layers.default.backend, as in settings.py`},
	{"a broker among others", good + onRedis + "hosts = [\"redis://a\", \"redis://b\"]\n[channel_layers.broker]\nlisten = \"127.0.0.1:6380\"", nil, `channel_layers.default.hosts: the broker is the only host; take the others out, in settings.py too`},
	{"an unknown serializer", good + "[channel_layers.default]\nserializer_format = \"pickle\"", nil, `channel_layers.default.serializer_format: "pickle" is not known; write "msgpack" or "json"`},
	{"an empty encryption key", good + "[channel_layers.default]\nsymmetric_encryption_keys = [\"\"]", nil, `channel_layers.default.symmetric_encryption_keys[0]: it is empty; copy it from the site's settings`},
	{"hosts of a layer that has none", good + "[channel_layers.default]\nhosts = [\"redis://:" + canaryPassword + "@h\"]", nil, `channel_layers.default.hosts: the layer of one process has no hosts; take it out, or name "channels_redis.core.RedisChannelLayer" as the backend`},
	{"nowhere to listen", `listen = []` + good, nil, `listen: it is empty; write an address, as in ":8001" or "unix:/run/belleville.sock"`},
	{"an address that is none", `listen = "8001"` + good, nil, `listen: "8001" is no address; write "host:port", ":port", "unix:/path" or "fd:3"`},
	{"an inherited socket that is standard output", `listen = [":1", "fd:1"]` + good, nil, `listen[1]: "fd:1" names no inherited socket; write its number, 3 or above, as in "fd:3"`},
	{"one address for two", `admin_listen = ":8001"` + good, nil, `admin_listen: it is the address of listen too; give each its own`},
	{"sessions that are asked about all the time", good + "[live]\nrecheck_interval = \"10ms\"", nil, `live.recheck_interval: 10ms is too short; write a second at least, as in "30s"`},
	{"an unknown way of triggers", good + "[live]\ntriggers = \"yes\"", nil, `live.triggers: "yes" is not known; write one of "auto", "required", "off"`},
	{"a root path with a slash at its end", `root_path = "/app/"` + good, nil, `root_path: "/app/" is no path to be mounted at; write it with a slash in front and none at the end, as in "/app"`},
}

var routeMistakes = []mistake{
	{"no path", route(`consumer = "echo"`), nil, `routes[0].path: it is missing; write which path the route is for, as in "ws/chat/<slug:room>/"`},
	{"two paths", route(`path = "a"`, `re_path = "a"`, `consumer = "echo"`), nil, `routes[0].re_path: there is a path too; keep one of them`},
	{"a slash in front", route(`path = "/ws/"`, `consumer = "echo"`), nil, `routes[0].path: it begins with a slash, and would match nothing; take the slash out, as in Django`},
	{"an unknown converter", route(`path = "<word:room>/"`, `consumer = "echo"`), nil, `routes[0].path: path "<word:room>/": no converter "word": there are str, int, slug, uuid and path; write it as in Django's urlpatterns`},
	{"the same pattern twice", route(`path = "a"`, `consumer = "echo"`, `[[routes]]`, `path = "a"`, `consumer = "whoami"`), nil, `routes[1]: routes[0] has the same pattern and wins; take one of them out`},
	{"no consumer", route(`path = "a"`), nil, `routes[0].consumer: it is missing; write one of "relay", "bridge", "echo", "whoami"`},
	{"an unknown consumer", route(`path = "a"`, `consumer = "chat"`), nil, `routes[0].consumer: "chat" is not known; write one of "relay", "bridge", "echo", "whoami"`},
	{"a bridge to nowhere", route(`path = "a"`, `consumer = "bridge"`) + onRedis, nil, `routes[0].channel: the channel is missing; name the channel that Django's runworker serves, as in "chat"`},
	{"a bridge to one process's channel", route(`path = "a"`, `consumer = "bridge"`, `channel = "a!b"`) + onRedis, nil, `routes[0].channel: a channel with a ! is one process's own, and no worker can listen to it; name the channel that Django's runworker serves, as in "chat"`},
	{"a bridge without Django", route(`path = "a"`, `consumer = "bridge"`, `channel = "chat"`), nil, `routes[0].consumer: a bridge needs a channel layer that Django is on too; name channel_layers.default.backend as in settings.py, with its hosts`},
	{"an echo with a channel", route(`path = "a"`, `consumer = "echo"`, `channel = "chat"`), nil, `routes[0].channel: only a bridge has it; take it out, or write consumer = "bridge"`},
	{"an unknown rule", route(`path = "a"`, `consumer = "echo"`, `allow = "everyone"`), nil, `routes[0].allow: "everyone" is not known; write one of "anyone", "authenticated", "staff", "superuser", "perm:APP.CODENAME", "group:NAME"`},
	{"a permission without an app", route(`path = "a"`, `consumer = "echo"`, `allow = "perm:use"`), nil, `routes[0].allow: "perm:use" names no permission; write it as in "perm:polls.add_choice"`},
	{"a group without a name", route(`path = "a"`, `consumer = "echo"`, `allow = "group:"`), nil, `routes[0].allow: "group:" names no group; write it as in "group:editors"`},
	{"a permission table that is no name", good + "[django.user]\ngroup_table = \"\\u0000\"", nil, `django.user.group_table: "\x00" is no name of a table or column; write 1 to 63 characters`},
	{"a value in quotes", route(`path = "<room>"`, `consumer = "echo"`, `allow_sql = "SELECT 1 WHERE r = '{room}'"`), nil, `routes[0].allow_sql: {room} stands inside quotes, where it is not bound: take the quotes away; write it as in "SELECT 1 FROM chat_member WHERE room = {room} AND user_id = {user.pk}"`},
	{"a query for another value", route(`path = "<room>"`, `consumer = "echo"`, `allow_sql = "SELECT {rom}"`), nil, `routes[0].allow_sql: "rom" is no value of this route; the path captures room`},
	{"a query that is empty", route(`path = "a"`, `consumer = "echo"`, `allow_sql = ""`), nil, `routes[0].allow_sql: it is empty; write a query, or take it out`},
	{"a group with a blank", route(`path = "a"`, `consumer = "relay"`, `groups = ["a b"]`), nil, `routes[0].groups[0]: a group's name has at most 99 letters, digits, hyphens, underscores and periods; write it as in "chat_{room}"`},
	{"a group of another value", route(`path = "a"`, `consumer = "relay"`, `groups = ["x", "chat_{room}"]`), nil, `routes[0].groups[1]: "room" is no value of this route; the path captures nothing`},
	{"a group of a column that is not configured", route(`path = "a"`, `consumer = "relay"`, `groups = ["x_{user.team}"]`), nil, `routes[0].groups[0]: a user has no "team"; write it without a mistake, or name the column in django.user.columns`},
	{"groups of an echo", route(`path = "a"`, `consumer = "echo"`, `groups = ["x"]`), nil, `routes[0].groups: only a relay has it; take it out, or write consumer = "relay"`},
	{"nothing to publish to", route(`path = "a"`, `consumer = "relay"`, `publish = "a.b"`), nil, `routes[0].publish: there is no group to publish to; write groups, as in ["chat_{room}"]`},
	{"clients that command", route(`path = "a"`, `consumer = "relay"`, `groups = ["x"]`, `publish = "websocket.close"`), nil, `routes[0].publish: events of type websocket.… tell the server what to do, which is not for clients; name the type that Django's consumers handle, or take it out`},
	{"a stamp on nothing", route(`path = "a"`, `consumer = "relay"`, `groups = ["x"]`, `stamp = ["user.pk"]`), nil, `routes[0].stamp: nothing is published; write publish, or take it out`},
	{"a mode that is none", "unix_socket_mode = \"rw\"\n" + good, nil, `unix_socket_mode: "rw" is no mode; write it in octal digits, as in "0660"`},
	{"a mode with more than permissions", "unix_socket_mode = \"4660\"\n" + good, nil, `unix_socket_mode: "4660" is no mode; write it in octal digits, as in "0660"`},
	{"an unknown way with slow clients", route(`path = "a"`, `consumer = "echo"`, `slow_client = "drop"`), nil, `routes[0].slow_client: "drop" is not known; write one of "close", "drop_oldest", "drop_newest", "keep_latest"`},
	{"a key by which nothing is kept", route(`path = "a"`, `consumer = "relay"`, `slow_client_key = "symbol"`), nil, `routes[0].slow_client_key: nothing is kept by a key; write slow_client = "keep_latest", or take it out`},
	{"a key that only a relay has", route(`path = "a"`, `consumer = "echo"`, `slow_client = "keep_latest"`, `slow_client_key = "symbol"`), nil, `routes[0].slow_client_key: only a relay has it; take it out, or write consumer = "relay"`},
	{"a least size of what is not compressed", route(`path = "a"`, `consumer = "echo"`, `compression_minimum = 100`), nil, `routes[0].compression_minimum: nothing is compressed; write compression = true, or take it out`},
	{"a least size below 0", route(`path = "a"`, `consumer = "echo"`, `compression = true`, `compression_minimum = -1`), nil, `routes[0].compression_minimum: it is below 0; write a positive value, or take it out for the default`},
	{"a stamp that is no name", route(`path = "a"`, `consumer = "relay"`, `groups = ["x"]`, `publish = "a"`, `stamp = ["user pk"]`), nil, `routes[0].stamp[0]: "user pk" is no name of a value; write it as in "user.username"`},
}

var variableMistakes = []mistake{
	{"an unknown variable", good, []string{"BELLEVILLE_DJANGO_SECRETKEY=" + canaryKey}, `BELLEVILLE_DJANGO_SECRETKEY: there is no such setting; did you mean BELLEVILLE_DJANGO_SECRET_KEY?`},
	{"an unknown variable that resembles none", good, []string{"BELLEVILLE_TOKEN=" + canaryKey}, `BELLEVILLE_TOKEN: there is no such setting; unset it; docs/configuration.md has all names`},
	{"the name of a list of tables", good, []string{"BELLEVILLE_ROUTES_N_PATH=a"}, `BELLEVILLE_ROUTES_N_PATH: N stands for the number of a route; write it from 0, as in BELLEVILLE_ROUTES_0_PATH`},
	{"a truth value that is none", good, []string{"BELLEVILLE_DJANGO_DEBUG=maybe"}, `django.debug (BELLEVILLE_DJANGO_DEBUG): it is neither true nor false; write true or false`},
	{"a number that is none", good, []string{"BELLEVILLE_LIMITS_MAX_MESSAGE=1MB"}, `limits.max_message (BELLEVILLE_LIMITS_MAX_MESSAGE): it is no whole number; write digits alone`},
	{"a value that would be wrong in the file", good, []string{"BELLEVILLE_DJANGO_SESSION_ENGINE=x"}, `django.session_engine (BELLEVILLE_DJANGO_SESSION_ENGINE): "x"` + otherEngine},
	{"a value in a list", good, []string{"BELLEVILLE_DJANGO_ALLOWED_HOSTS=example.com,a:1"}, `django.allowed_hosts[1] (BELLEVILLE_DJANGO_ALLOWED_HOSTS): "a:1" has a port; write the host alone: every port is allowed`},
	{"a route behind a gap", good, []string{"BELLEVILLE_ROUTES_2_PATH=a"}, `BELLEVILLE_ROUTES_2_PATH: there is no route 1 before it; number routes from 0, without a gap`},
	{"a key that a route has not", good, []string{"BELLEVILLE_ROUTES_0_PATH=a", "BELLEVILLE_ROUTES_0_CONSUMER=echo", "BELLEVILLE_ROUTES_0_ALOW=x"}, `BELLEVILLE_ROUTES_0_ALOW: there is no such setting; did you mean BELLEVILLE_ROUTES_N_ALLOW?`},
	{"capacities without a number", good, []string{"BELLEVILLE_CHANNEL_LAYERS_DEFAULT_CHANNEL_CAPACITY=a*"}, `channel_layers.default.channel_capacity (BELLEVILLE_CHANNEL_LAYERS_DEFAULT_CHANNEL_CAPACITY): it is no list of globs and numbers; write it as in http.request=200,chat.*=50`},
	{"conditions without a value", good, []string{"BELLEVILLE_DJANGO_USER_WHERE=deleted"}, `django.user.where (BELLEVILLE_DJANGO_USER_WHERE): it is no list of names and values; write it as in deleted=false,site=3`},
	{"a key and a file, both from the environment", without("secret_key"), []string{"BELLEVILLE_DJANGO_SECRET_KEY=a", "BELLEVILLE_DJANGO_SECRET_KEY_FILE=/nowhere"}, `django.secret_key_file (BELLEVILLE_DJANGO_SECRET_KEY_FILE): django.secret_key is set too; keep one of them`},
}

func TestMistakes(t *testing.T) {
	for group, tests := range map[string][]mistake{
		"file": fileMistakes, "setting": settingMistakes, "route": routeMistakes, "variable": variableMistakes,
	} {
		for _, tt := range tests {
			t.Run(group+"/"+tt.name, func(t *testing.T) {
				_, err := config.Parse([]byte(tt.text), tt.env)
				if err == nil {
					t.Fatalf("no mistake, want %q", tt.want)
				}
				if got := err.Error(); got != tt.want {
					t.Errorf("got\n%s\nwant\n%s", got, tt.want)
				}
			})
		}
	}
}

func TestMistakesAreCollected(t *testing.T) {
	_, err := config.Parse([]byte("nonsense = 1\nlisten = 2\n"), nil)
	ms, ok := errors.AsType[config.Mistakes](err)
	if !ok || len(ms) != 5 {
		t.Fatalf("%d mistakes, want 5:\n%v", len(ms), err)
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if key, rest, ok := strings.Cut(line, ": "); !ok || key == "" || !strings.Contains(rest, "; ") {
			t.Errorf("%q is not key, problem and remedy", line)
		}
	}
}

func TestMistakesHideSecrets(t *testing.T) {
	var all []mistake
	all = append(append(append(append(all, fileMistakes...), settingMistakes...), routeMistakes...), variableMistakes...)
	for _, tt := range all {
		_, err := config.Parse([]byte(tt.text), tt.env)
		for _, secret := range []string{canaryKey, canaryPassword} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: a secret is in %q", tt.name, err)
			}
		}
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "b.toml")
	if err := os.WriteFile(file, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	large := filepath.Join(dir, "large.toml")
	if err := os.WriteFile(large, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	env := []string{"BELLEVILLE_DJANGO_SECRET_KEY=k", "BELLEVILLE_DJANGO_DATABASE_URL=sqlite:///d", "BELLEVILLE_DJANGO_DEBUG=1"}
	tests := []struct {
		name string
		path string
		env  []string
		want string
	}{
		{"a file", file, nil, ""},
		{"no file and no environment", config.DefaultPath, []string{"BELLEVILLE_CONFIG=x", "BELLEVILLE_SERVICE_HOST=1.2.3.4"}, "belleville.toml: there is no such file; write one, or name it with --config"},
		{"the environment alone", config.DefaultPath, env, ""},
		{"a named file must be there", filepath.Join(dir, "none"), env, filepath.Join(dir, "none") + ": there is no such file; write one, or name it with --config"},
		{"a folder is no file", dir, nil, dir + ": it cannot be read: is a directory; make it readable for this program"},
		{"a file has a bound", large, nil, large + ": it cannot be read: it is larger than 1048576 bytes; make it readable for this program"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if _, err := config.Load(tt.path, tt.env); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("Load: %q, want %q", got, tt.want)
			}
		})
	}
}
