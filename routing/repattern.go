package routing

import (
	"strings"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/routing/internal/pyregexp"
)

// rePattern is a pattern for re_path().
type rePattern struct {
	re    *pyregexp.Regexp
	named bool // there are named groups, and others do not count
}

// newRePattern compiles a pattern. One that ends in $ matches whole paths only, so that $ is not before a
// newline, except for the beginning of a path.
//
// Python: django.urls.resolvers.RegexPattern.
func newRePattern(pattern string, p part) (*rePattern, error) {
	compile := pyregexp.Search
	if p == whole && strings.HasSuffix(pattern, "$") {
		compile = pyregexp.Fullmatch
	}
	re, err := compile(pattern)
	if err != nil {
		return nil, err
	}
	return &rePattern{re: re, named: strings.Join(re.Names(), "") != ""}, nil
}

// kwargNames returns the names of the groups.
func (p *rePattern) kwargNames() []string {
	var names []string
	for _, name := range p.re.Names() {
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

func (p *rePattern) match(path string) (found, bool) {
	loc := p.re.Match(path)
	if loc == nil {
		return found{}, false
	}
	f := found{rest: path[loc[1]:]}
	names := p.re.Names()
	if p.named {
		f.kwargs = make(consumers.Kwargs, len(names)-1)
	}
	for group := 1; group < len(names); group++ {
		start, end := loc[2*group], loc[2*group+1]
		switch {
		case !p.named && start < 0:
			f.args = append(f.args, "")
		case !p.named:
			f.args = append(f.args, path[start:end])
		case names[group] != "" && start >= 0:
			f.kwargs[names[group]] = path[start:end]
		}
	}
	return f, true
}
