// Package config reads belleville.toml and the environment. Names and values are Django's own wherever
// Django has one, so that a line can be copied from settings.py, in whatever case.
//
// Start with [Load]. It collects every mistake, each in a line that names the key, what is wrong and what to
// do; a value that may be a secret is in none of them.
package config

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/authmw/token"
	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// DefaultPath is where the configuration is, unless the command line says otherwise.
const DefaultPath = "belleville.toml"

// A Config is what an operator wrote. [Default] returns one with the values of keys that are left out; a
// number or duration that is 0 there is left to the Config of the part that it is for.
type Config struct {
	Listen         Addresses      `toml:"listen"`
	AdminListen    string         `toml:"admin_listen"`
	DebugListen    string         `toml:"debug_listen"`
	ControlSocket  string         `toml:"control_socket"`
	TrustedProxies []netip.Prefix `toml:"trusted_proxies"`
	RootPath       string         `toml:"root_path"`
	// UnixSocketMode is the mode of the file of "unix:/path" in Listen, in octal digits.
	UnixSocketMode string `toml:"unix_socket_mode"`
	ProxyProtocol  bool   `toml:"proxy_protocol"`
	TLS            TLS    `toml:"tls"`

	Django         Django         `toml:"django"`
	Database       Database       `toml:"database"`
	Live           Live           `toml:"live"`
	ChannelLayers  ChannelLayers  `toml:"channel_layers"`
	Limits         Limits         `toml:"limits"`
	Authentication Authentication `toml:"authentication"`
	Tokens         []Token        `toml:"tokens"`
	Log            Log            `toml:"log"`
	Routes         []Route        `toml:"routes"`

	// Spent are the tickets that this process has taken, by the Token. Application fills it in, and Reloaded keeps it.
	Spent map[string]token.SpentTickets
}

// Addresses are where to listen: "host:port", ":port", "unix:/path" or "fd:N". In the file it is one text or
// a list of them.
type Addresses []string

// Seconds is a duration that Django gives as a number.
type Seconds time.Duration

// Django holds what the site's settings.py says.
type Django struct {
	SecretKey          djangocompat.Secret   `toml:"secret_key"`
	SecretKeyFile      string                `toml:"secret_key_file"`
	SecretKeyFallbacks []djangocompat.Secret `toml:"secret_key_fallbacks"`
	// DatabaseURL holds a password, and is as secret as the key.
	DatabaseURL            djangocompat.Secret `toml:"database_url"`
	AllowedHosts           []string            `toml:"allowed_hosts"`
	AllowedOrigins         []string            `toml:"allowed_origins"`
	Debug                  bool                `toml:"debug"`
	AuthenticationBackends []string            `toml:"authentication_backends"`
	// InactiveBackends are those of AuthenticationBackends that let inactive users in.
	InactiveBackends []string `toml:"inactive_backends"`
	// Version is the site's Django, as "4.2", whose defaults count for passwords.
	Version         string       `toml:"version"`
	PasswordHashers []string     `toml:"password_hashers"`
	PasswordCost    PasswordCost `toml:"password_cost"`

	SessionEngine               string  `toml:"session_engine"`
	SessionSerializer           string  `toml:"session_serializer"`
	SessionCacheAlias           string  `toml:"session_cache_alias"`
	SessionFilePath             string  `toml:"session_file_path"`
	SessionSalt                 string  `toml:"session_salt"`
	SessionTable                string  `toml:"session_table"`
	SessionCookieName           string  `toml:"session_cookie_name"`
	SessionCookieAge            Seconds `toml:"session_cookie_age"`
	SessionCookieDomain         string  `toml:"session_cookie_domain"`
	SessionCookiePath           string  `toml:"session_cookie_path"`
	SessionCookieSecure         bool    `toml:"session_cookie_secure"`
	SessionCookieHTTPOnly       bool    `toml:"session_cookie_httponly"`
	SessionCookieSameSite       string  `toml:"session_cookie_samesite"`
	SessionExpireAtBrowserClose bool    `toml:"session_expire_at_browser_close"`
	SessionSaveEveryRequest     bool    `toml:"session_save_every_request"`
	// FlushStale deletes sessions of an old password or key, as Channels does.
	FlushStale bool `toml:"flush_stale"`
	// RefuseLegacy refuses what Django 4.0 and later refuse: SHA-1, and sessions of Django before 3.1.
	RefuseLegacy bool   `toml:"refuse_legacy"`
	UseTZ        bool   `toml:"use_tz"`
	TimeZone     string `toml:"time_zone"`

	User   User   `toml:"user"`
	Caches Caches `toml:"caches"`
}

// User says where the site's AUTH_USER_MODEL is stored: its table, and the columns whose names differ.
type User struct {
	Table       string         `toml:"table"`
	PK          string         `toml:"pk"`
	Username    string         `toml:"username"`
	Password    string         `toml:"password"`
	IsActive    string         `toml:"is_active"`
	IsStaff     string         `toml:"is_staff"`
	IsSuperuser string         `toml:"is_superuser"`
	FirstName   string         `toml:"first_name"`
	LastName    string         `toml:"last_name"`
	Email       string         `toml:"email"`
	LastLogin   string         `toml:"last_login"`
	DateJoined  string         `toml:"date_joined"`
	Columns     []string       `toml:"columns"`
	Where       map[string]any `toml:"where"`

	PermissionTable       string `toml:"permission_table"`
	ContentTypeTable      string `toml:"content_type_table"`
	GroupTable            string `toml:"group_table"`
	GroupPermissionsTable string `toml:"group_permissions_table"`
	UserGroupsTable       string `toml:"user_groups_table"`
	UserPermissionsTable  string `toml:"user_permissions_table"`
	UserColumn            string `toml:"user_column"`
}

// Database says how the database is used that Django.DatabaseURL names.
type Database struct {
	Schema         string        `toml:"schema"`
	PoolSize       int           `toml:"pool_size"`
	ConnectTimeout time.Duration `toml:"connect_timeout"`
	QueryTimeout   time.Duration `toml:"query_timeout"`
	QueryExecMode  string        `toml:"query_exec_mode"`
	MaxWaiting     int           `toml:"max_waiting"`
	MaxSessionSize int           `toml:"max_session_size"`
	// ListenURL holds a password, and is as secret as the key.
	ListenURL djangocompat.Secret `toml:"listen_url"`
}

// ChannelLayers is Django's CHANNEL_LAYERS.
type ChannelLayers struct {
	Default ChannelLayer `toml:"default"`
	Broker  Broker       `toml:"broker"`
}

// ChannelLayer is one of CHANNEL_LAYERS, with the keys of its CONFIG.
type ChannelLayer struct {
	Backend         string                  `toml:"backend"`
	Hosts           []djangocompat.Secret   `toml:"hosts"`
	Prefix          string                  `toml:"prefix"`
	Capacity        int                     `toml:"capacity"`
	ChannelCapacity []channellayer.Capacity `toml:"channel_capacity"`
	Expiry          Seconds                 `toml:"expiry"`
	GroupExpiry     Seconds                 `toml:"group_expiry"`

	Engine   string              `toml:"engine"`
	URL      djangocompat.Secret `toml:"url"`
	Name     string              `toml:"name"`
	User     string              `toml:"user"`
	Password djangocompat.Secret `toml:"password"`
	Host     string              `toml:"host"`
	Port     string              `toml:"port"`
	Options  map[string]any      `toml:"options"`

	SerializerFormat        string                `toml:"serializer_format"`
	SymmetricEncryptionKeys []djangocompat.Secret `toml:"symmetric_encryption_keys"`
}

// Limits bound what clients may do. See the server's Config.
type Limits struct {
	MaxMessage               int           `toml:"max_message"`
	MaxFragments             int           `toml:"max_fragments"`
	MaxControlFrames         int           `toml:"max_control_frames"`
	MaxHead                  int           `toml:"max_head"`
	MaxHeaders               int           `toml:"max_headers"`
	HandshakeTimeout         time.Duration `toml:"handshake_timeout"`
	MaxConnections           int           `toml:"max_connections"`
	MaxConnectionsPerAddress int           `toml:"max_connections_per_address"`
	MaxUnknownKeys           int           `toml:"max_unknown_keys"`
	MaxConnectionsPerUser    int           `toml:"max_connections_per_user"`
	HandshakeRate            int           `toml:"handshake_rate"`
	HandshakeBurst           int           `toml:"handshake_burst"`
	MessageRate              int           `toml:"message_rate"`
	MessageBurst             int           `toml:"message_burst"`
	MessageRatePerUser       int           `toml:"message_rate_per_user"`
	MessageBurstPerUser      int           `toml:"message_burst_per_user"`
	QueueBytes               int           `toml:"queue_bytes"`
	QueueFrames              int           `toml:"queue_frames"`
	WriteTimeout             time.Duration `toml:"write_timeout"`
	PingInterval             time.Duration `toml:"ping_interval"`
	PongTimeout              time.Duration `toml:"pong_timeout"`
	MaxAge                   time.Duration `toml:"max_age"`
	UserTimeout              time.Duration `toml:"tcp_user_timeout"`
	DrainCode                int           `toml:"drain_code"`
	DrainWindow              time.Duration `toml:"drain_window"`
	DrainTimeout             time.Duration `toml:"drain_timeout"`
	Loops                    int           `toml:"loops"`
	MaxHashing               int           `toml:"max_hashing"`
}

// Log says what is logged, and in which form.
type Log struct {
	Level  slog.Level `toml:"level"`
	Format string     `toml:"format"`
}

// A Route sends a path to one of the built-in consumers.
type Route struct {
	Path     string   `toml:"path"`
	RePath   string   `toml:"re_path"`
	Consumer string   `toml:"consumer"`
	Allow    string   `toml:"allow"`
	AllowSQL string   `toml:"allow_sql"`
	Groups   []string `toml:"groups"`
	Publish  string   `toml:"publish"`
	Stamp    []string `toml:"stamp"`
	Channel  string   `toml:"channel"`
	Recheck  bool     `toml:"recheck"`

	Compression        bool `toml:"compression"`
	CompressionMinimum int  `toml:"compression_minimum"`

	SlowClient    string `toml:"slow_client"`
	SlowClientKey string `toml:"slow_client_key"`
}

// Default returns a Config with the values that keys have when they are left out.
func Default() Config {
	return Config{
		Listen:      Addresses{":8001"},
		AdminListen: "127.0.0.1:9001",

		UnixSocketMode: "0660",
		Django: Django{
			AuthenticationBackends: []string{"django.contrib.auth.backends.ModelBackend"},
			SessionEngine:          "django.contrib.sessions.backends.db",
			SessionSerializer:      "django.contrib.sessions.serializers.JSONSerializer",
			SessionSalt:            "django.contrib.sessions.SessionStore",
			SessionCacheAlias:      "default",
			SessionCookieName:      "sessionid",
			SessionCookieAge:       Seconds(14 * 24 * time.Hour),
			SessionCookiePath:      "/",
			SessionCookieHTTPOnly:  true,
			SessionCookieSameSite:  "Lax",
			SessionTable:           "django_session",
			UseTZ:                  true,
			TimeZone:               "UTC",
			User:                   User{Table: "auth_user", PK: "id", Username: "username", Password: "password"},
		},
		ChannelLayers:  ChannelLayers{Default: ChannelLayer{Backend: inMemoryBackend, Prefix: "asgi", SerializerFormat: "msgpack", Capacity: 100, Expiry: Seconds(time.Minute), GroupExpiry: Seconds(24 * time.Hour)}},
		Authentication: defaultAuthentication(),
		Live:           Live{RecheckInterval: 30 * time.Second, Triggers: TriggersAuto, CacheAge: 10 * time.Second},
		Log:            Log{Format: "text"},
	}
}

// DefaultRoute returns a Route with the values that keys have when they are left out.
func DefaultRoute() Route {
	return Route{SlowClient: consumers.CloseSlow.String(), Allow: authmw.Anyone.String()}
}
