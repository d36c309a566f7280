package config_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/config"
)

// sample is one value of a key, as in the file and as in the environment.
type sample struct{ file, env string }

// samples has a value for each key.
func samples(secretFile string) map[string]sample {
	text := func(s string) sample { return sample{`"` + s + `"`, s} }
	bare := func(s string) sample { return sample{s, s} }
	return map[string]sample{
		"listen":          {`["127.0.0.1:1", "unix:/b.sock"]`, "127.0.0.1:1, unix:/b.sock"},
		"admin_listen":    text("127.0.0.1:2"),
		"debug_listen":    text("[::1]:3"),
		"control_socket":  text("/run/c.sock"),
		"trusted_proxies": {`["10.0.0.0/8", "::1"]`, "10.0.0.0/8,::1"},
		"root_path":       text("/app"),

		"django.secret_key":                      text("k=,k"),
		"django.secret_key_file":                 text(secretFile),
		"django.secret_key_fallbacks":            {`["a", "b"]`, "a,b"},
		"django.database_url":                    text("sqlite:///d"),
		"django.allowed_hosts":                   {`[".example.com", "[::1]"]`, ".example.com,[::1]"},
		"django.allowed_origins":                 {`["https://a.example:8443"]`, "https://a.example:8443"},
		"django.debug":                           bare("true"),
		"django.authentication_backends":         {`["a.B", "c.D"]`, "a.B,c.D"},
		"django.inactive_backends":               {`["django.contrib.auth.backends.ModelBackend"]`, "django.contrib.auth.backends.ModelBackend"},
		"django.version":                         text("4.2"),
		"django.password_hashers":                {`["argon2", "md5"]`, "argon2,md5"},
		"django.password_cost.iterations":        bare("2"),
		"django.password_cost.bcrypt_rounds":     bare("5"),
		"django.password_cost.scrypt_n":          bare("1024"),
		"django.password_cost.scrypt_r":          bare("4"),
		"django.password_cost.scrypt_p":          bare("2"),
		"django.password_cost.argon2_time":       bare("1"),
		"django.password_cost.argon2_memory":     bare("1024"),
		"django.password_cost.argon2_threads":    bare("2"),
		"django.session_engine":                  text("django.contrib.sessions.backends.db"),
		"django.session_serializer":              text("django.contrib.sessions.serializers.PickleSerializer"),
		"django.session_salt":                    text("django.contrib.sessions.Mine"),
		"django.session_table":                   text("s"),
		"django.session_cookie_name":             text("sid"),
		"django.session_cookie_age":              bare("60"),
		"django.session_cookie_domain":           text(".example.com"),
		"django.session_cookie_path":             text("/a"),
		"django.session_cookie_secure":           bare("true"),
		"django.session_cookie_httponly":         bare("false"),
		"django.session_cookie_samesite":         text("Strict"),
		"django.session_expire_at_browser_close": bare("true"),
		"django.session_save_every_request":      bare("true"),
		"django.flush_stale":                     bare("true"),
		"django.refuse_legacy":                   bare("true"),
		"django.use_tz":                          bare("false"),
		"django.time_zone":                       text("Europe/Paris"),
		"django.user.table":                      text("u"),
		"django.user.pk":                         text("a"),
		"django.user.username":                   text("b"),
		"django.user.password":                   text("c"),
		"django.user.is_active":                  text("d"),
		"django.user.is_staff":                   text("e"),
		"django.user.is_superuser":               text("f"),
		"django.user.first_name":                 text("g"),
		"django.user.last_name":                  text("h"),
		"django.user.email":                      text("i"),
		"django.user.last_login":                 text("j"),
		"django.user.date_joined":                text("k"),
		"django.user.columns":                    {`["l", "m"]`, "l,m"},
		"django.user.permission_table":           text("n"),
		"django.user.content_type_table":         text("o"),
		"django.user.group_table":                text("p"),
		"django.user.group_permissions_table":    text("q"),
		"django.user.user_groups_table":          text("r"),
		"django.user.user_permissions_table":     text("s"),
		"django.user.user_column":                text("t"),
		"django.user.where":                      {`{deleted = false, site = 3, kind = "x"}`, "deleted=false, site=3,kind=x"},

		"django.session_cache_alias":                 text("sessions"),
		"django.session_file_path":                   text("/f"),
		"django.caches.default.backend":              text("django.core.cache.backends.redis.RedisCache"),
		"django.caches.default.location":             {`["redis://a", "redis://b"]`, "redis://a,redis://b"},
		"django.caches.default.key_prefix":           text("p"),
		"django.caches.default.version":              bare("2"),
		"django.caches.default.key_function":         text(""),
		"django.caches.default.timeout":              bare("60"),
		"django.caches.default.options.username":     text("u"),
		"django.caches.default.options.password":     text("w"),
		"django.caches.default.options.db":           bare("3"),
		"django.caches.default.options.client_class": text("c"),
		"django.caches.default.options.serializer":   text("d"),
		"django.caches.default.options.compressor":   text("e"),

		"database.schema":          text("s"),
		"database.pool_size":       bare("3"),
		"database.connect_timeout": text("3s"),
		"database.query_timeout":   text("500ms"),
		"database.listen_url":      text("postgres://u:p@127.0.0.1/direct"),

		"live.recheck_interval":     text("10s"),
		"live.triggers":             text("required"),
		"live.cache_age":            text("3s"),
		"live.cache_bytes":          bare("1000000"),
		"live.control":              {`true`, "true"},
		"database.query_exec_mode":  text("exec"),
		"database.max_waiting":      bare("9"),
		"database.max_session_size": bare("9"),

		"channel_layers.default.backend":          text("channels.layers.InMemoryChannelLayer"),
		"channel_layers.default.hosts":            {`[]`, ""},
		"channel_layers.default.capacity":         bare("7"),
		"channel_layers.default.channel_capacity": {`{"b*" = 1, "a*" = 2, "c.d" = 3}`, "b*=1, a*=2,c.d=3"},
		"channel_layers.default.expiry":           bare("7"),
		"channel_layers.default.group_expiry":     bare("7"),

		"channel_layers.default.engine":   text("django.db.backends.postgresql"),
		"channel_layers.default.url":      text(""),
		"channel_layers.default.name":     text(""),
		"channel_layers.default.user":     text("a"),
		"channel_layers.default.password": text("b"),
		"channel_layers.default.host":     text("c"),
		"channel_layers.default.port":     text("5433"),
		"channel_layers.default.options":  {`{sslmode = "require"}`, "sslmode=require"},

		"channel_layers.default.prefix":                    text("site"),
		"channel_layers.default.serializer_format":         text("json"),
		"channel_layers.default.symmetric_encryption_keys": {`["a", "b"]`, "a,b"},

		"channel_layers.broker.listen":     text("127.0.0.1:6380"),
		"channel_layers.broker.password":   text("sesame"),
		"channel_layers.broker.max_memory": bare("7"),

		"limits.max_message":                 bare("1"),
		"unix_socket_mode":                   text("0600"),
		"limits.max_connections_per_user":    bare("2"),
		"limits.handshake_rate":              bare("2"),
		"limits.handshake_burst":             bare("2"),
		"limits.message_rate":                bare("2"),
		"limits.message_burst":               bare("2"),
		"limits.max_fragments":               bare("2"),
		"limits.max_control_frames":          bare("2"),
		"limits.max_hashing":                 bare("2"),
		"limits.max_head":                    bare("3"),
		"limits.max_headers":                 bare("4"),
		"limits.handshake_timeout":           text("5s"),
		"limits.max_connections":             bare("6"),
		"limits.max_connections_per_address": bare("7"),
		"limits.max_unknown_keys":            bare("8"),
		"limits.queue_bytes":                 bare("8"),
		"limits.queue_frames":                bare("9"),
		"limits.write_timeout":               text("10s"),
		"limits.ping_interval":               text("11s"),
		"limits.pong_timeout":                text("12s"),
		"limits.drain_window":                text("0s"),
		"limits.drain_timeout":               text("13s"),
		"limits.loops":                       bare("14"),

		"log.level":  text("debug"),
		"log.format": text("json"),

		"routes.path":                text("ws/<room>"),
		"routes.re_path":             text("^ws/$"),
		"routes.consumer":            text("whoami"),
		"routes.allow":               text("staff"),
		"routes.allow_sql":           text("SELECT {user.pk}"),
		"routes.groups":              {`["a", "b"]`, "a,b"},
		"routes.publish":             text("a.b"),
		"routes.stamp":               {`["user.pk"]`, "user.pk"},
		"routes.compression":         bare("true"),
		"routes.slow_client":         text("drop_oldest"),
		"routes.slow_client_key":     text("symbol"),
		"routes.compression_minimum": bare("2"),
		"routes.channel":             {`"chat"`, "chat"},
		"routes.recheck":             {`true`, "true"},
	}
}

// base is the environment that every configuration needs, without what a test sets itself.
func base(path string) []string {
	env := []string{"BELLEVILLE_DJANGO_DATABASE_URL=sqlite:///d", "BELLEVILLE_DJANGO_DEBUG=true"}
	if path != "django.secret_key" && path != "django.secret_key_file" {
		env = append(env, "BELLEVILLE_DJANGO_SECRET_KEY=k")
	}
	env = append(append(env, tokenBase(path)...), frontBase(path)...)
	if path == "routes.channel" {
		return append(env, "BELLEVILLE_ROUTES_0_PATH=ws/", "BELLEVILLE_ROUTES_0_CONSUMER=bridge",
			"BELLEVILLE_CHANNEL_LAYERS_DEFAULT_BACKEND=channels_redis.core.RedisChannelLayer")
	}
	if path == "channel_layers.broker.listen" {
		env = append(env, "BELLEVILLE_CHANNEL_LAYERS_DEFAULT_BACKEND=channels_redis.core.RedisChannelLayer")
	}
	if path == "routes.slow_client_key" {
		env = append(env, "BELLEVILLE_ROUTES_0_SLOW_CLIENT=keep_latest")
	}
	if path == "routes.compression_minimum" {
		env = append(env, "BELLEVILLE_ROUTES_0_COMPRESSION=true")
	}
	for name, value := range map[string]string{
		"routes.path": "ws/", "routes.consumer": "relay", "routes.groups": "g", "routes.publish": "t",
	} {
		_, key, _ := strings.Cut(name, ".")
		inTheWay := name == path || name == "routes.path" && path == "routes.re_path" ||
			path == "routes.consumer" && (key == "groups" || key == "publish")
		if !inTheWay {
			env = append(env, "BELLEVILLE_ROUTES_0_"+strings.ToUpper(key)+"="+value)
		}
	}
	return slices.DeleteFunc(env, func(e string) bool {
		return strings.HasPrefix(e, "BELLEVILLE_"+strings.ToUpper(strings.ReplaceAll(path, ".", "_"))+"=")
	})
}

// inFile returns a file in which a key has a value.
func inFile(path, value string) string {
	dot := strings.LastIndexByte(path, '.')
	switch {
	case dot < 0:
		return path + " = " + value + "\n"
	case path[:dot] == "routes", path[:dot] == "tokens":
		return "[[" + path[:dot] + "]]\n" + path[dot+1:] + " = " + value + "\n"
	}
	return "[" + path[:dot] + "]\n" + path[dot+1:] + " = " + value + "\n"
}

func TestEveryKeyCanBeSetByFileAndEnvironment(t *testing.T) {
	secretFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(secretFile, []byte("from a file\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	values := samples(secretFile)
	maps.Copy(values, tokenSamples())
	maps.Copy(values, frontSamples())
	for _, k := range config.Keys() {
		t.Run(k.Path, func(t *testing.T) {
			v, ok := values[k.Path]
			if !ok {
				t.Fatal("has no sample")
			}
			byFile, err := config.Parse([]byte(inFile(k.Path, v.file)), base(k.Path))
			if err != nil {
				t.Fatalf("file: %v", err)
			}
			variable := strings.Replace(k.Env, "_N_", "_0_", 1) + "=" + v.env
			byEnv, err := config.Parse(nil, append(base(k.Path), variable))
			if err != nil {
				t.Fatalf("environment: %v", err)
			}
			if !reflect.DeepEqual(byFile, byEnv) {
				t.Errorf("the file gives\n%+v\nthe environment gives\n%+v", byFile, byEnv)
			}
		})
	}
}

func TestParse(t *testing.T) {
	upper := strings.NewReplacer("secret_key", "SECRET_KEY", "allowed_hosts", "ALLOWED_HOSTS").Replace(good)
	tests := []struct {
		name string
		text string
		env  []string
		got  func(*config.Config) any
		want any
	}{
		{"the default is Django's", good, nil, func(c *config.Config) any { return c.Django.SessionCookieName }, "sessionid"},
		{"settings may be in upper case", upper, nil, func(c *config.Config) any { return c.Django.AllowedHosts }, []string{"example.com"}},
		{"listen may be one text", `listen = "fd:3"` + good, nil, func(c *config.Config) any { return c.Listen }, config.Addresses{"fd:3"}},
		{"any free port is nobody else's", "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"" + good, nil, func(c *config.Config) any { return c.AdminListen }, "127.0.0.1:0"},
		{"the environment wins", good, []string{"BELLEVILLE_DJANGO_SECRET_KEY=other"}, func(c *config.Config) any { return c.Django.SecretKey.Reveal() }, "other"},
		{"the environment's key wins over a file", without("secret_key") + `secret_key_file = "/nowhere"`, []string{"BELLEVILLE_DJANGO_SECRET_KEY=other"}, func(c *config.Config) any { return c.Django.SecretKey.Reveal() }, "other"},
		{"the environment mends a mistake", with(`debug = 3`), []string{"BELLEVILLE_DJANGO_DEBUG=false"}, func(c *config.Config) any { return c.Django.Debug }, false},
		{"an empty variable is a setting", good, []string{"BELLEVILLE_ADMIN_LISTEN="}, func(c *config.Config) any { return c.AdminListen }, ""},
		{"the variables of Kubernetes are none", good, []string{"BELLEVILLE_SERVICE_HOST=1", "BELLEVILLE_PORT=tcp://1", "BELLEVILLE_PORT_80_TCP_ADDR=1", "BELLEVILLE_METRICS_SERVICE_PORT_HTTP=1"}, func(c *config.Config) any { return len(c.Routes) }, 0},
		{"other variables are others' business", good, []string{"PATH=/", "BELLEVILLEX=1"}, func(c *config.Config) any { return len(c.Routes) }, 0},
		{"a route is open to anyone", route(`path = ""`, `consumer = "echo"`), nil, func(c *config.Config) any { return c.Routes }, []config.Route{{Consumer: "echo", Allow: "anyone", SlowClient: "close"}}},
		{"a variable changes a route", route(`path = "a"`, `consumer = "echo"`), []string{"BELLEVILLE_ROUTES_0_ALLOW=staff"}, func(c *config.Config) any { return c.Routes }, []config.Route{{Path: "a", Consumer: "echo", Allow: "staff", SlowClient: "close"}}},
		{"routes of the environment come in the order of their numbers", "", []string{
			"BELLEVILLE_DJANGO_SECRET_KEY=k", "BELLEVILLE_DJANGO_DATABASE_URL=sqlite:///d", "BELLEVILLE_DJANGO_DEBUG=1",
			"BELLEVILLE_ROUTES_10_PATH=10", "BELLEVILLE_ROUTES_9_PATH=9", "BELLEVILLE_ROUTES_8_PATH=8", "BELLEVILLE_ROUTES_7_PATH=7",
			"BELLEVILLE_ROUTES_6_PATH=6", "BELLEVILLE_ROUTES_5_PATH=5", "BELLEVILLE_ROUTES_4_PATH=4", "BELLEVILLE_ROUTES_3_PATH=3",
			"BELLEVILLE_ROUTES_2_PATH=2", "BELLEVILLE_ROUTES_1_PATH=1", "BELLEVILLE_ROUTES_0_PATH=0",
			"BELLEVILLE_ROUTES_0_CONSUMER=echo", "BELLEVILLE_ROUTES_1_CONSUMER=echo", "BELLEVILLE_ROUTES_2_CONSUMER=echo", "BELLEVILLE_ROUTES_3_CONSUMER=echo",
			"BELLEVILLE_ROUTES_4_CONSUMER=echo", "BELLEVILLE_ROUTES_5_CONSUMER=echo", "BELLEVILLE_ROUTES_6_CONSUMER=echo", "BELLEVILLE_ROUTES_7_CONSUMER=echo",
			"BELLEVILLE_ROUTES_8_CONSUMER=echo", "BELLEVILLE_ROUTES_9_CONSUMER=echo", "BELLEVILLE_ROUTES_10_CONSUMER=echo",
		}, func(c *config.Config) any { return c.Routes[10].Path + c.Routes[2].Path }, "102"},
		{"capacities keep their order", good + "[channel_layers.default]\nchannel_capacity = {z = 1, a = 2}", nil, func(c *config.Config) any { return c.ChannelLayers.Default.ChannelCapacity }, []channellayer.Capacity{{Glob: "z", Capacity: 1}, {Glob: "a", Capacity: 2}}},
		{"capacities in their own table too", good + "[channel_layers.default.channel_capacity]\nz = 1\na = 2", nil, func(c *config.Config) any { return c.ChannelLayers.Default.ChannelCapacity }, []channellayer.Capacity{{Glob: "z", Capacity: 1}, {Glob: "a", Capacity: 2}}},
		{"routes may be inline", `routes = [{path = "a", consumer = "echo"}]` + good, nil, func(c *config.Config) any { return c.Routes[0].Path }, "a"},
		{"origins in all good forms", with(`allowed_origins = ["*", "example.com", ".example.com", "https://.example.com", "http://[::1]:80", "[::1]", "chrome-extension://abc"]`), nil, func(c *config.Config) any { return len(c.Django.AllowedOrigins) }, 7},
		{"hosts in all good forms", without("allowed_hosts") + `allowed_hosts = ["*", "localhost", ".example.com.", "127.0.0.1", "[::1]", "a_b"]`, nil, func(c *config.Config) any { return len(c.Django.AllowedHosts) }, 6},
		{"an unnamed value of a regular expression", route(`re_path = "^a/(\\w+)/$"`, `consumer = "relay"`, `groups = ["x_{0}"]`), nil, func(c *config.Config) any { return c.Routes[0].Groups }, []string{"x_{0}"}},
		{"a further column of the user", "[django.user]\ncolumns = [\"team\"]\n" + route(`path = "a"`, `consumer = "relay"`, `groups = ["x_{user.team}"]`), nil, func(c *config.Config) any { return c.Routes[0].Groups }, []string{"x_{user.team}"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := config.Parse([]byte(tt.text), tt.env)
			if err != nil {
				t.Fatal(err)
			}
			if got := tt.got(c); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestSecretKeyFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(" from a file \r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse([]byte(without("secret_key")+`secret_key_file = "`+file+`"`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Django.SecretKey.Reveal(), " from a file "; got != want {
		t.Errorf("the key is %q, want %q", got, want)
	}
}

func TestConfigHidesSecrets(t *testing.T) {
	c, err := config.Parse([]byte(with(`secret_key_fallbacks = ["canary-fallback"]`)), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%+v", *c), fmt.Sprintf("%#v", c)} {
		if strings.Contains(text, "canary") {
			t.Errorf("a secret is in %q", text)
		}
	}
}

func TestWarnings(t *testing.T) {
	tests := []struct {
		name string
		text string
		want []string
	}{
		{"nothing to warn of", route(`path = "a"`, `consumer = "echo"`), nil},
		{"no routes", good, []string{"routes"}},
		{"a key for development", strings.Replace(route(`path = "a"`, `consumer = "echo"`), canaryKey, "django-insecure-x", 1), []string{"django.secret_key"}},
		{"everybody and everything", "admin_listen = \":1\"\ndebug_listen = \"0.0.0.0:2\"\n" + with("debug = true\nallowed_origins = [\"*\"]"), []string{"routes", "django.debug", "django.allowed_origins", "admin_listen", "debug_listen"}},
		{"all hosts", strings.Replace(route(`path = "a"`, `consumer = "echo"`), "example.com", "*", 1), []string{"django.allowed_hosts"}},
		{"listeners that only this machine reaches", "admin_listen = \"unix:/a\"\ndebug_listen = \"localhost:2\"\n" + route(`path = "a"`, `consumer = "echo"`), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := config.Parse([]byte(tt.text), nil)
			if err != nil {
				t.Fatal(err)
			}
			var keys []string
			for _, line := range c.Warnings() {
				key, _, _ := strings.Cut(line, ":")
				keys = append(keys, key)
			}
			if !slices.Equal(keys, tt.want) {
				t.Errorf("warnings of %v, want %v", keys, tt.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, tt := range slices.Concat(fileMistakes, settingMistakes, routeMistakes, variableMistakes) {
		f.Add([]byte(tt.text), strings.Join(tt.env, "\n"))
	}
	f.Add([]byte(good), "")
	f.Fuzz(func(t *testing.T, text []byte, env string) {
		if strings.Contains(strings.ToLower(string(text)+env), "key_file") {
			return // it would read files
		}
		_, err := config.Parse(text, strings.Split(env, "\n"))
		if err == nil {
			return
		}
		for line := range strings.SplitSeq(err.Error(), "\n") {
			if line == "" || len(line) > 4000 || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("%q is no line for an operator", line)
			}
		}
	})
}

func TestOriginsThatMatchNothingAreMistakes(t *testing.T) {
	for _, origin := range []string{
		"*", "example.com", ".example.com", "https://example.com", "https://example.com/", "https://.example.com",
		"https://example.com:8443", "http://[::1]:80", "[::1]", "localhost", "127.0.0.1", "chrome-extension://abc",
	} {
		_, err := config.Parse([]byte(with("allowed_origins = ['"+origin+"']")), nil)
		if middleware := authmw.CheckOrigins([]string{origin}); err != nil || middleware != nil {
			t.Errorf("%q: here %v, there %v, want neither", origin, err, middleware)
		}
	}
	for _, origin := range []string{
		"", " ", "localhost:8000", "*.example.com", "http://*", "https://*.x", "https://example.com:bad", "https://u@example.com",
		"example.com/chat", "https://", "://example.com", "[::1", "https://[::1",
	} {
		if _, err := config.Parse([]byte(with("allowed_origins = ['"+origin+"']")), nil); err == nil {
			t.Errorf("%q is no mistake; to the middleware it is: %v", origin, authmw.CheckOrigins([]string{origin}))
		}
	}
}
