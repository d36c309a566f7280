package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// siteFacts are what init.py tells of a site.
type siteFacts struct {
	Refused [][2]string `json:"refused"`
	Notes   []string    `json:"notes"`

	Django    string         `json:"django"`
	Settings  map[string]any `json:"settings"`
	SecretKey string         `json:"secret_key"`
	Fallbacks []string       `json:"fallbacks"`
	Sessions  struct {
		Salt  string `json:"salt"`
		Table string `json:"table"`
	} `json:"sessions"`
	User struct {
		Table   string            `json:"table"`
		PK      string            `json:"pk"`
		Label   string            `json:"label"`
		Columns map[string]string `json:"columns"`
	} `json:"user"`
	InactiveBackends []string `json:"inactive_backends"`
	Hashers          struct {
		Names []string       `json:"names"`
		Cost  map[string]any `json:"cost"`
	} `json:"hashers"`
	Database struct {
		Engine, Name, User, Password, Host string
		Port                               any
		Options                            map[string]string
	} `json:"database"`
	Cache map[string]any `json:"cache"`
	Layer struct {
		Backend string         `json:"backend"`
		Config  map[string]any `json:"config"`
	} `json:"layer"`
	Tokens struct {
		AuthToken string         `json:"authtoken"`
		SimpleJWT map[string]any `json:"simplejwt"`
	} `json:"tokens"`
}

// refusal returns what Belleville does not do, a line for each.
func (f *siteFacts) refusal() error {
	var lines []error
	for _, r := range f.Refused {
		lines = append(lines, errors.New(r[0]+"; "+r[1]))
	}
	return errors.Join(lines...)
}

// databaseURL returns the URL of the site's database.
func (f *siteFacts) databaseURL() (string, error) {
	d := f.Database
	kind := d.Engine[strings.LastIndexByte(d.Engine, '.')+1:]
	switch kind {
	case "sqlite3", "spatialite":
		path, err := filepath.Abs(d.Name)
		if err != nil {
			return "", err
		}
		return "sqlite:///" + (&url.URL{Path: path}).EscapedPath(), nil
	case "postgresql", "postgresql_psycopg2", "postgis":
		return f.postgresURL(), nil
	case "", "dummy":
		return "", nil
	}
	return "", fmt.Errorf("DATABASES has the engine %s; Belleville reads PostgreSQL and SQLite", printable(d.Engine))
}

// postgresURL is databaseURL for PostgreSQL.
func (f *siteFacts) postgresURL() string {
	d := f.Database
	port := ""
	if d.Port != nil && d.Port != "" {
		port = fmt.Sprint(d.Port)
	}
	query := url.Values{}
	for name, value := range d.Options {
		if name != "service" && name != "passfile" && name != "isolation_level" && name != "pool" && name != "server_side_binding" && name != "assume_role" {
			query.Set(name, value)
		}
	}
	authority := d.Host
	if strings.HasPrefix(d.Host, "/") || d.Host == "" { // a folder of unix sockets
		authority = ""
		if d.Host != "" {
			query.Set("host", d.Host)
		}
		if port != "" {
			query.Set("port", port)
		}
	} else if port != "" {
		authority += ":" + port
	}
	text := "postgres://"
	if d.User != "" {
		text += url.PathEscape(d.User)
		if d.Password != "" {
			text += ":" + strings.ReplaceAll(url.PathEscape(d.Password), ":", "%3A")
		}
		text += "@"
	}
	text += authority + "/" + url.PathEscape(d.Name)
	if len(query) > 0 {
		text += "?" + query.Encode()
	}
	return text
}

// away reports whether the database is on another machine and its connection not said to be verified or not.
func (f *siteFacts) away() bool {
	host := f.Database.Host
	return host != "" && host != "localhost" && !strings.HasPrefix(host, "/") && !strings.HasPrefix(host, "127.") &&
		f.Database.Options["sslmode"] == "" && strings.Contains(f.Database.Engine, "postg")
}

// text returns a setting that is a text.
func (f *siteFacts) text(name string) string {
	s, _ := f.Settings[name].(string)
	return s
}

// toml is a configuration that is being written.
type toml struct{ strings.Builder }

// comment writes lines that only people read.
func (t *toml) comment(text string) { fmt.Fprintf(t, "# %s\n", text) }

// table begins a table.
func (t *toml) table(name string) { fmt.Fprintf(t, "\n%s\n", name) }

// set writes a key, and where its value came from. What is nil is left out.
func (t *toml) set(key string, value any, from string) {
	text := tomlValue(value)
	if text == "" {
		return
	}
	if from != "" {
		from = "  # " + from
	}
	fmt.Fprintf(t, "%s = %s%s\n", key, text, from)
}

// tomlValue writes a value that came as JSON; "" for nil.
func tomlValue(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return tomlText(v)
	case bool:
		return fmt.Sprint(v)
	case float64:
		return fmt.Sprintf("%.0f", v)
	case int:
		return fmt.Sprint(v)
	case []string:
		items := make([]any, len(v))
		for i, s := range v {
			items[i] = s
		}
		return tomlValue(items)
	case []any:
		items := make([]string, len(v))
		for i, x := range v {
			items[i] = tomlValue(x)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case map[string]any:
		var items []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			items = append(items, tomlText(k)+" = "+cmp.Or(tomlValue(v[k]), `""`))
		}
		return "{" + strings.Join(items, ", ") + "}"
	}
	return ""
}

// tomlText writes a text. JSON's form is one of TOML's, but for a DEL.
func tomlText(s string) string {
	return strings.ReplaceAll(string(quoted(s)), "\x7f", `\u007F`)
}
