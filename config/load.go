package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// maxFile is the size in bytes of the largest file that is read.
const maxFile = 1 << 20

// Load reads the file at path and then the environment, whose variables win. DefaultPath may be missing
// where the environment holds settings. The error is a [Mistakes], or says why the file cannot be read.
func Load(path string, environ []string) (*Config, error) {
	text, err := readFile(path)
	if err != nil {
		missing := errors.Is(err, fs.ErrNotExist)
		if !missing || path != DefaultPath || !hasSettings(environ) {
			return nil, unreadable(path, err)
		}
	}
	return parse(path+" ", text, environ)
}

// Parse is Load for a text that has been read.
func Parse(text []byte, environ []string) (*Config, error) { return parse("", text, environ) }

// parse is Parse for a text from somewhere.
func parse(from string, text []byte, environ []string) (*Config, error) {
	c := Default()
	l := loader{config: &c}
	if !l.file(from, text) {
		return nil, l.mistakes // whatever else is wrong may follow from that
	}
	l.environment(environ)
	l.secretKeyFile()
	l.check()
	if len(l.mistakes) > 0 {
		return nil, l.explained()
	}
	return &c, nil
}

// readFile reads a file that is not larger than maxFile.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("it is larger than %d bytes", maxFile)
	}
	return text, nil
}

// unreadable says why a configuration cannot be read.
func unreadable(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return Mistakes{{path, "there is no such file", "write one, or name it with --config"}}
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return Mistakes{{path, "it cannot be read: " + err.Error(), "make it readable for this program"}}
}

// loader fills a Config in.
type loader struct {
	config   *Config
	mistakes Mistakes
	order    []string          // the keys of the file, in its order
	given    []string          // the paths that were set
	variable map[string]string // path → the environment variable that set it
}

// file reads the text of belleville.toml. It reports false where that is not TOML.
func (l *loader) file(from string, text []byte) bool {
	var m map[string]any
	meta, err := toml.Decode(string(text), &m)
	if err != nil {
		l.syntax(from, string(text), err)
		return false
	}
	for _, k := range meta.Keys() {
		l.order = append(l.order, strings.Join(k, "."))
	}
	l.table("", reflect.ValueOf(l.config).Elem(), m)
	return true
}

// syntax notes that the text is not TOML. The parser's own message is left out, since it quotes the text.
func (l *loader) syntax(from, text string, err error) {
	at, remedy := "the file", "texts stand in double quotes, lists in brackets"
	if p, ok := errors.AsType[toml.ParseError](err); ok {
		at = fmt.Sprintf("%sline %d", from, p.Position.Line)
		if p.LastKey != "" {
			at += " near " + plainPath(p.LastKey)
		}
		if word := pythonWord(text, p.Position.Line); word != "" {
			l.mistakes.add(at, "this is not TOML: "+word+" is Python's", pythonWords[word])
			return
		}
		if strings.Contains(p.Message, "already been defined") {
			l.mistakes.add(at, "a key or table stands there for the second time", "keep one of them")
			return
		}
	}
	l.mistakes.add(at, "this is not TOML", remedy)
}

// pythonWords are Python's words for which TOML has others, and what to do.
var pythonWords = map[string]string{
	"True": "write true, without a capital letter", "False": "write false, without a capital letter", "None": "take the key out",
}

var (
	quotedText = regexp.MustCompile(`"[^"]*"|'[^']*'|#.*`)
	wordOfText = regexp.MustCompile(`\b(True|False|None)\b`)
)

// pythonWord returns the word of Python's that stands in a line, which is counted from 1; "" if none does.
func pythonWord(text string, line int) string {
	lines := strings.Split(text, "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	_, value, _ := strings.Cut(quotedText.ReplaceAllString(lines[line-1], ""), "=")
	return wordOfText.FindString(value)
}

// table sets the keys of a table.
func (l *loader) table(path string, dst reflect.Value, m map[string]any) {
	seen := make(map[string]bool, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		field, ok := fieldOf(dst, name)
		if caches, others := dst.Addr().Interface().(*Caches); !ok && others {
			l.otherCache(join(path, plain(name)), name, caches, m[name])
			continue
		}
		if !ok {
			l.unknown(path, name)
			continue
		}
		full := join(path, strings.ToLower(name))
		if seen[full] {
			l.mistakes.add(full, "it is there twice, in different case", "keep one of them")
			continue
		}
		seen[full] = true
		l.entry(full, field, m[name])
	}
}

// entry sets one key of a table.
func (l *loader) entry(path string, dst reflect.Value, v any) {
	switch {
	case isTable(dst.Type()):
		if t, ok := v.(map[string]any); ok {
			l.table(path, dst, t)
			return
		}
		l.wrongKind(path, v, "["+path+"] and its keys below")
	case isTableList(dst.Type()):
		l.tables(path, dst, v)
	default:
		l.given = append(l.given, path)
		l.set(path, dst, v)
	}
}

// tables sets a list of tables.
func (l *loader) tables(path string, dst reflect.Value, v any) {
	var list []map[string]any
	switch v := v.(type) {
	case []map[string]any:
		list = v
	case []any:
		for _, x := range v {
			t, ok := x.(map[string]any)
			if !ok {
				l.wrongKind(path, x, "[["+path+"]] and its keys below")
				return
			}
			list = append(list, t)
		}
	default:
		l.wrongKind(path, v, "[["+path+"]] and its keys below")
		return
	}
	for i, t := range list {
		l.table(fmt.Sprintf("%s[%d]", path, i), l.element(dst), t)
	}
}

// element appends an element to the list dst and returns it.
func (l *loader) element(dst reflect.Value) reflect.Value {
	e := reflect.New(dst.Type().Elem()).Elem()
	switch e := e.Addr().Interface().(type) {
	case *Route:
		*e = DefaultRoute()
	case *Token:
		*e = DefaultToken()
	}
	dst.Set(reflect.Append(dst, e))
	return dst.Index(dst.Len() - 1)
}

// unknown notes a key that there is not.
func (l *loader) unknown(table, name string) {
	path := join(table, plain(name))
	if isLayer(table) {
		l.mistakes.add(path, "this version has one channel layer", "name it [channel_layers.default]")
		return
	}
	remedy := "take it out; docs/configuration.md has all keys"
	if n := nearest(withoutIndexes(join(table, name))); n != "" {
		remedy = "did you mean " + n + "?"
	}
	l.mistakes.add(path, "there is no such key", remedy)
}

// isLayer reports whether the keys of a table are names of channel layers.
func isLayer(table string) bool { return table == "channel_layers" }

// explained returns the mistakes, with the variable's name where the environment made one.
func (l *loader) explained() Mistakes {
	for i, m := range l.mistakes {
		for path, name := range l.variable {
			if m.Key == path || strings.HasPrefix(m.Key, path+"[") {
				l.mistakes[i].Key = m.Key + " (" + name + ")"
			}
		}
	}
	return l.mistakes
}

// join returns the path of a key in a table.
func join(table, name string) string {
	if table == "" {
		return name
	}
	return table + "." + name
}

// plainPath shows the path of a key.
func plainPath(path string) string {
	parts := strings.Split(path, ".")
	for i, p := range parts {
		parts[i] = plain(p)
	}
	return strings.Join(parts, ".")
}

// withoutIndexes turns "routes[2].path" into "routes.path".
func withoutIndexes(path string) string {
	before, rest, found := strings.Cut(path, "[")
	if !found {
		return path
	}
	_, after, _ := strings.Cut(rest, "]")
	return before + withoutIndexes(after)
}
