package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/belleville/belleville/config"
)

// configuration returns the text of a configuration for the site, and what its reader should know. The key is in
// keyFile, or where that is empty in the text or in the environment.
func (f *siteFacts) configuration(keyFile, where string) (text string, notes []string, err error) {
	address, err := f.databaseURL()
	if err != nil {
		return "", nil, err
	}
	t := new(toml)
	t.comment("Written by belleville init, from the settings of the site. Secrets are in it: it is for its owner alone.")
	t.comment("docs/configuration.md has every key. Next: belleville check")
	t.WriteString("\n")
	t.set("listen", config.Default().Listen[0], "where the proxy sends WebSockets")
	t.set("admin_listen", config.Default().AdminListen, "/metrics /healthz /readyz")
	if root := strings.TrimSuffix(f.text("FORCE_SCRIPT_NAME"), "/"); root != "" {
		t.set("root_path", root, "FORCE_SCRIPT_NAME")
	}
	t.table("[django]")
	t.set("version", f.Django, "django.VERSION")
	const keyPlace = "@secret_key@\n"
	t.WriteString(keyPlace)
	if len(f.Fallbacks) > 0 {
		t.set("secret_key_fallbacks", f.Fallbacks, "SECRET_KEY_FALLBACKS")
	}
	if address != "" {
		t.set("database_url", address, "DATABASES")
	}
	f.writeSettings(t)
	f.writeUser(t)
	f.writeCache(t)
	f.writeLayer(t)
	f.writeTokens(t)
	writeExample(t)

	key := new(toml)
	switch {
	case keyFile != "":
		key.set("secret_key_file", keyFile, "SECRET_KEY")
	case where == "environment":
		key.comment("SECRET_KEY is in the environment variable BELLEVILLE_DJANGO_SECRET_KEY.")
	default:
		key.set("secret_key", f.SecretKey, "SECRET_KEY")
	}
	tried := new(toml)
	tried.set("secret_key", f.SecretKey, "")
	if err := validated(strings.Replace(t.String(), keyPlace, tried.String(), 1)); err != nil {
		return "", nil, err
	}
	notes = f.Notes
	if f.away() {
		notes = append(notes, "the database is on another machine: its certificate will be verified, unless django.database_url names another sslmode")
	}
	return strings.Replace(t.String(), keyPlace, key.String(), 1), notes, nil
}

// writeSettings writes what has another value than Belleville's own default, and what nobody should have to look up.
func (f *siteFacts) writeSettings(t *toml) {
	d := config.Default().Django
	if v, _ := f.Settings["ALLOWED_HOSTS"].([]any); len(v) > 0 {
		t.set("allowed_hosts", v, "ALLOWED_HOSTS")
	}
	if f.Settings["DEBUG"] == true {
		t.set("debug", true, "DEBUG")
	}
	t.set("session_engine", f.Settings["SESSION_ENGINE"], "SESSION_ENGINE")
	t.set("authentication_backends", f.Settings["AUTHENTICATION_BACKENDS"], "AUTHENTICATION_BACKENDS")
	if len(f.InactiveBackends) > 0 {
		t.set("inactive_backends", f.InactiveBackends, "user_can_authenticate() of these lets inactive users in")
	}
	if len(f.Hashers.Names) > 0 {
		t.set("password_hashers", f.Hashers.Names, "PASSWORD_HASHERS")
	}
	for _, s := range []struct {
		key, name string
		standard  any
	}{
		{"session_serializer", "SESSION_SERIALIZER", d.SessionSerializer},
		{"session_cache_alias", "SESSION_CACHE_ALIAS", d.SessionCacheAlias},
		{"session_file_path", "SESSION_FILE_PATH", ""},
		{"session_cookie_name", "SESSION_COOKIE_NAME", d.SessionCookieName},
		{"session_cookie_age", "SESSION_COOKIE_AGE", float64(14 * 24 * 60 * 60)},
		{"session_cookie_domain", "SESSION_COOKIE_DOMAIN", ""},
		{"session_cookie_path", "SESSION_COOKIE_PATH", d.SessionCookiePath},
		{"session_cookie_secure", "SESSION_COOKIE_SECURE", d.SessionCookieSecure},
		{"session_cookie_httponly", "SESSION_COOKIE_HTTPONLY", d.SessionCookieHTTPOnly},
		{"session_cookie_samesite", "SESSION_COOKIE_SAMESITE", d.SessionCookieSameSite},
		{"session_expire_at_browser_close", "SESSION_EXPIRE_AT_BROWSER_CLOSE", d.SessionExpireAtBrowserClose},
		{"session_save_every_request", "SESSION_SAVE_EVERY_REQUEST", d.SessionSaveEveryRequest},
		{"use_tz", "USE_TZ", d.UseTZ},
		{"time_zone", "TIME_ZONE", d.TimeZone},
	} {
		v := f.Settings[s.name]
		if s.key == "session_cookie_samesite" && (v == false || v == nil) { // Django sends none then
			v = ""
		}
		if v != nil && v != s.standard {
			t.set(s.key, v, s.name)
		}
	}
	if f.Sessions.Salt != d.SessionSalt {
		t.set("session_salt", f.Sessions.Salt, "SessionStore.key_salt")
	}
	if f.Sessions.Table != "" && f.Sessions.Table != d.SessionTable {
		t.set("session_table", f.Sessions.Table, "the table of the session model")
	}
	if len(f.Hashers.Cost) > 0 {
		t.table("[django.password_cost]")
		for _, key := range []string{"iterations", "bcrypt_rounds", "scrypt_n", "scrypt_r", "argon2_time", "argon2_memory"} {
			t.set(key, f.Hashers.Cost[key], "of the site's own hasher")
		}
	}
}

// writeUser writes where the user model is stored, where that is not Django's own.
func (f *siteFacts) writeUser(t *toml) {
	own := new(toml)
	d := config.Default().Django.User
	if f.User.Table != d.Table {
		own.set("table", f.User.Table, "the table of "+f.User.Label)
	}
	if f.User.PK != d.PK {
		own.set("pk", f.User.PK, "its primary key")
	}
	for _, field := range []string{
		"username", "password", "is_active", "is_staff", "is_superuser", "first_name", "last_name", "email", "last_login", "date_joined",
	} {
		column := f.User.Columns[field]
		if column != "" && column != field {
			from := field
			if field == "username" {
				from = "USERNAME_FIELD"
			}
			own.set(field, column, from)
		}
	}
	for key, suffix := range map[string]string{"user_groups_table": "_groups", "user_permissions_table": "_user_permissions"} {
		if table := f.User.Columns[key]; table != "" && table != f.User.Table+suffix {
			own.set(key, table, "")
		}
	}
	if own.Len() > 0 {
		t.table("[django.user]")
		t.WriteString(own.String())
	}
}

// writeCache writes the cache that sessions are in.
func (f *siteFacts) writeCache(t *toml) {
	engine := f.text("SESSION_ENGINE")
	if !strings.HasSuffix(engine, ".cache") && !strings.HasSuffix(engine, ".cached_db") {
		return
	}
	alias := f.text("SESSION_CACHE_ALIAS")
	t.table("[django.caches." + tomlKey(alias) + "]")
	t.comment("CACHES[" + fmt.Sprintf("%q", alias) + "]")
	for _, key := range []string{"BACKEND", "LOCATION", "KEY_PREFIX", "VERSION", "KEY_FUNCTION"} {
		if v := f.Cache[key]; v != "" {
			t.set(strings.ToLower(key), v, "")
		}
	}
	options, _ := f.Cache["OPTIONS"].(map[string]any)
	var known []string
	for _, key := range []string{"username", "password", "db", "client_class", "serializer", "compressor"} {
		v := options[strings.ToUpper(key)]
		if v == nil {
			v = options[key]
		}
		if text := tomlValue(v); text != "" {
			known = append(known, key+" = "+text)
		}
	}
	if len(known) > 0 {
		t.WriteString("options = {" + strings.Join(known, ", ") + "}\n")
	}
}

// tomlKey writes a part of a table's name.
func tomlKey(name string) string {
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
		return tomlText(name)
	}
	return name
}

// writeLayer writes the channel layer.
func (f *siteFacts) writeLayer(t *toml) {
	if f.Layer.Backend == "" || f.Layer.Backend == config.Default().ChannelLayers.Default.Backend {
		t.WriteString("\n")
		t.comment("CHANNEL_LAYERS is the layer of one process: what Django sends does not reach Belleville. See docs/configuration.md, [channel_layers.default].")
		return
	}
	t.table("[channel_layers.default]")
	t.comment("CHANNEL_LAYERS")
	t.set("backend", f.Layer.Backend, "")
	for _, key := range []string{
		"hosts", "prefix", "capacity", "channel_capacity", "expiry", "group_expiry", "symmetric_encryption_keys", "serializer_format",
		"ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS",
	} {
		v := f.Layer.Config[key]
		if port, ok := v.(float64); ok && key == "PORT" {
			v = fmt.Sprintf("%.0f", port)
		}
		if list, ok := v.([]any); ok && len(list) == 0 || v == "" {
			continue
		}
		t.set(strings.ToLower(key), v, "")
	}
}

// writeTokens writes the kinds of tokens that the site has.
func (f *siteFacts) writeTokens(t *toml) {
	if table := f.Tokens.AuthToken; table != "" {
		t.table("[[tokens]]")
		t.set("kind", "authtoken", "rest_framework.authtoken; see docs/tokens.md")
		if table != "authtoken_token" {
			t.set("table", table, "")
		}
	}
	own := f.Tokens.SimpleJWT
	if own == nil {
		return
	}
	t.table("[[tokens]]")
	t.set("kind", "simplejwt", "rest_framework_simplejwt; see docs/tokens.md")
	for _, key := range []string{
		"ALGORITHM", "SIGNING_KEY", "VERIFYING_KEY", "JWK_URL", "AUDIENCE", "ISSUER", "LEEWAY", "AUTH_HEADER_TYPES", "USER_ID_FIELD",
		"USER_ID_CLAIM", "TOKEN_TYPE_CLAIM", "JTI_CLAIM", "CHECK_REVOKE_TOKEN", "REVOKE_TOKEN_CLAIM", "CHECK_USER_IS_ACTIVE",
	} {
		v := own[key]
		symmetric := strings.HasPrefix(cmp.Or(fmt.Sprint(own["ALGORITHM"]), "HS"), "HS") || own["ALGORITHM"] == nil
		if key == "SIGNING_KEY" && (v == f.SecretKey || !symmetric) || key == "VERIFYING_KEY" && symmetric || v == "" {
			continue // the other side of a pair is for who makes tokens
		}
		if s, ok := v.(string); ok && slices.Contains([]string{"AUDIENCE", "AUTH_HEADER_TYPES"}, key) {
			v = []any{s}
		}
		t.set(strings.ToLower(key), v, "SIMPLE_JWT")
	}
	if own["blacklist"] == true {
		t.set("blacklist", true, "rest_framework_simplejwt.token_blacklist is installed")
	}
}

// writeExample writes a route to begin with.
func writeExample(t *toml) {
	t.WriteString("\n")
	t.comment("An example: the chat of the Channels tutorial, for who is logged in. Change it, or take it out.")
	t.WriteString(`[[routes]]
path = "ws/chat/<slug:room>/"
consumer = "relay"
allow = "authenticated"
groups = ["chat_{room}"]
publish = "chat.message"
stamp = ["user.username"]
`)
}
