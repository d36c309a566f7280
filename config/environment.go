package config

import (
	"fmt"
	"math"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/belleville/belleville/djangocompat"
)

const (
	envPrefix = "BELLEVILLE_"

	// EnvPath is the environment variable that names the file.
	EnvPath = envPrefix + "CONFIG"
)

// foreign matches the variables that Kubernetes sets for a Service whose name begins with "belleville".
var foreign = regexp.MustCompile(`_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$`)

// listVariable matches a variable that sets a key of a route or of a kind of token.
var listVariable = regexp.MustCompile(`^BELLEVILLE_(ROUTES|TOKENS)_([0-9]{1,4})_([A-Z_]+)$`)

// hasSettings reports whether an environment holds any setting.
func hasSettings(environ []string) bool {
	return slices.ContainsFunc(environ, func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		return isSetting(name)
	})
}

// isSetting reports whether a variable is meant for this program.
func isSetting(name string) bool {
	return strings.HasPrefix(name, envPrefix) && name != EnvPath && (name == portVariable || !foreign.MatchString(name))
}

// environment sets what variables say.
func (l *loader) environment(environ []string) {
	byName := make(map[string]Key)
	for _, k := range Keys() {
		byName[k.Env] = k
	}
	l.variable = make(map[string]string)
	for _, e := range inOrder(environ) {
		name, text, _ := strings.Cut(e, "=")
		if !isSetting(name) {
			continue
		}
		if m := listVariable.FindStringSubmatch(name); m != nil {
			l.listVariable(m, text)
			continue
		}
		k, ok := byName[name]
		switch {
		case !ok:
			l.unknownVariable(name)
			continue
		case k.list:
			l.mistakes.add(name, "N stands for the number of a "+elementOf(k.Path), "write it from 0, as in "+strings.Replace(name, "_N_", "_0_", 1))
			continue
		}
		l.fromVariable(name, k.Path, reflect.ValueOf(l.config).Elem().FieldByIndex(k.index), text)
	}
}

// elementOf names an element of the list that a key is in.
func elementOf(path string) string {
	list, _, _ := strings.Cut(path, ".")
	return strings.TrimSuffix(list, "s")
}

// inOrder returns an environment sorted by name, with the places in lists as numbers.
func inOrder(environ []string) []string {
	sorted := slices.Clone(environ)
	slices.SortStableFunc(sorted, func(a, b string) int {
		if d := placeInList(a) - placeInList(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return sorted
}

// placeInList returns the place in its list of what a variable is about; others come last.
func placeInList(entry string) int {
	name, _, _ := strings.Cut(entry, "=")
	if m := listVariable.FindStringSubmatch(name); m != nil {
		n, _ := strconv.Atoi(m[2]) // it consists of digits
		return n
	}
	return math.MaxInt32
}

// listVariable sets a key of an element of a list, or of a new one behind the last.
func (l *loader) listVariable(match []string, text string) {
	name := strings.ToLower(match[1])
	place, _ := strconv.Atoi(match[2]) // it consists of digits
	list, _ := fieldOf(reflect.ValueOf(l.config).Elem(), name)
	switch {
	case place > list.Len():
		l.mistakes.add(match[0], fmt.Sprintf("there is no %s %d before it", elementOf(name), place-1), "number "+name+" from 0, without a gap")
		return
	case place == list.Len():
		l.element(list)
	}
	field, ok := fieldOf(list.Index(place), match[3])
	if !ok {
		l.unknownVariable(match[0])
		return
	}
	l.fromVariable(match[0], fmt.Sprintf("%s[%d].%s", name, place, strings.ToLower(match[3])), field, text)
}

// fromVariable sets a field to what a variable holds.
func (l *loader) fromVariable(name, path string, dst reflect.Value, text string) {
	l.variable[path] = name
	l.given = append(l.given, path)
	l.mistakes = slices.DeleteFunc(l.mistakes, func(m Mistake) bool { return m.Key == path }) // it is overruled
	v, problem, remedy := parseText(text, dst.Type())
	if problem != "" {
		l.mistakes.add(path, problem, remedy)
		return
	}
	l.set(path, dst, v)
}

// unknownVariable notes a variable that sets nothing.
func (l *loader) unknownVariable(name string) {
	best, bestDistance := "", 4
	for _, k := range Keys() {
		if d := distance(name, k.Env); d < bestDistance {
			best, bestDistance = k.Env, d
		}
	}
	remedy := "unset it; docs/configuration.md has all names"
	if best != "" {
		remedy = "did you mean " + best + "?"
	}
	l.mistakes.add(plain(name), "there is no such setting", remedy)
}

// secretKeyFile reads the file that holds the secret key.
func (l *loader) secretKeyFile() {
	d := &l.config.Django
	_, keyWins := l.variable["django.secret_key"]
	_, fileWins := l.variable["django.secret_key_file"]
	switch {
	case d.SecretKeyFile == "" || keyWins && !fileWins:
		return
	case !d.SecretKey.IsZero() && keyWins == fileWins:
		l.mistakes.add("django.secret_key_file", "django.secret_key is set too", "keep one of them")
		return
	}
	text, err := readFile(d.SecretKeyFile)
	if err != nil {
		l.mistakes.add("django.secret_key_file", "the file cannot be read: "+reason(err), "make it readable for this program")
		return
	}
	key := strings.TrimRight(string(text), "\r\n")
	if key == "" {
		l.mistakes.add("django.secret_key_file", "the file is empty", "write the site's SECRET_KEY into it")
		return
	}
	d.SecretKey = djangocompat.NewSecret(key)
}

// reason returns what kept a file from being read, without its path.
func reason(err error) string {
	if p, ok := err.(*os.PathError); ok {
		return p.Err.Error()
	}
	return err.Error()
}
