package broker_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/belleville/belleville/channellayer/broker"
	"github.com/belleville/belleville/internal/redistest"
)

// nodeScripts returns the scripts of redislayer, by their names there.
func nodeScripts(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../redislayer/scripts.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	texts := make(map[string]string)
	var value func(e ast.Expr) string
	value = func(e ast.Expr) string {
		switch e := e.(type) {
		case *ast.BinaryExpr:
			return value(e.X) + value(e.Y)
		case *ast.Ident:
			return texts[e.Name]
		case *ast.BasicLit:
			s, err := strconv.Unquote(e.Value)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		return ""
	}
	for _, d := range file.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
			spec := g.Specs[0].(*ast.ValueSpec)
			texts[spec.Names[0].Name] = value(spec.Values[0])
		}
	}
	delete(texts, "clock")
	return texts
}

func TestScriptsOfOtherNodesAreKnown(t *testing.T) {
	known := broker.KnownScripts()
	for name, text := range nodeScripts(t) {
		words := hash(strings.Join(strings.Fields(text), " "))
		if !known[words] {
			t.Errorf("redislayer's script %s is not known: if it was changed, change the one here and its hash, %s", name, words)
		}
	}
}

func TestScriptsOfOtherNodesDoWhatTheyDoInRedis(t *testing.T) {
	server := redistest.Open(t)
	texts := nodeScripts(t)
	times := regexp.MustCompile(`\d{10}\.?\d*`)
	tests := []struct {
		name   string
		before []string
		script string
		args   string // with the number of keys
		after  []string
	}{
		{
			"stale messages make room",
			[]string{"ZADD k1 1 a 2 b 9999999999 c", "ZADD k2 9999999999 d"},
			"push", "3 k1 k2 k3 60 m1 m2 m3 2 1 1",
			[]string{"ZRANGE k1 0 -1", "ZRANGE k2 0 -1", "ZRANGE k3 0 -1", "TTL k3"},
		},
		{"no capacity", nil, "push", "1 k 1.5 m 0", []string{"EXISTS k"}},
		{"an expiry is rounded up", nil, "push", "1 k 1.5 m 1", []string{"TTL k"}},
		{"a drain takes the oldest", []string{"ZADD k1 3 c 1 a 2 b", "ZADD k2 1 x"}, "drain", "3 k1 no k2 50 1000", []string{"DBSIZE"}},
		{"a drain of nothing", nil, "drain", "1 k 0 1000", nil},
		{"members that were added long ago are none", []string{"ZADD g 1 old 9999999999 new"}, "members", "1 g 60", []string{"ZCARD g"}},
		{"a member is added", nil, "add", "1 g 60.5 ch", []string{"ZRANGE g 0 -1", "TTL g"}},
		{"representatives are added and noted", []string{"ZADD nodes 5 me"}, "register", "4 nodes notes g1 g2 60 me r1 r2 n1 n2", []string{"ZRANGE g1 0 -1", "ZRANGE g2 0 -1", "EXISTS notes", "TTL notes", "TTL g2"}},
		{"a node that is not known", nil, "register", "3 nodes notes g1 60 me r1 n1", nil},
		{"nothing to register", nil, "register", "2 nodes notes 60 me", []string{"EXISTS notes"}},
		{"representatives are removed", []string{"ZADD g1 1 r1 2 other"}, "unregister", "2 notes g1 r1 n1", []string{"ZRANGE g1 0 -1", "EXISTS notes"}},
		{"a beat tells of the dead", []string{"ZADD nodes 1 dead 9999999999 alive"}, "beat", "2 nodes notes me 30 60", []string{"ZRANGE nodes 0 -1"}},
		{"who was heard is not swept", []string{"ZADD nodes 9999999999 me"}, "sweep", "2 nodes notes me 30 asgi:group: specific.bv.me.", []string{"ZCARD nodes"}},
		{"a node without notes is forgotten", []string{"ZADD nodes 1 me"}, "sweep", "2 nodes notes me 30 asgi:group: specific.bv.me.", []string{"ZCARD nodes"}},
		{"channels of unknown nodes go", []string{"ZADD nodes 1 a", "ZADD g 1 ca 2 cb 3 cc"}, "reap", "2 nodes g a ca b cb x no", []string{"ZRANGE g 0 -1"}},
		{"a message goes back", []string{"ZADD in 7 m"}, "rescue", "2 k in m", []string{"ZRANGE k 0 -1 WITHSCORES", "EXISTS in"}},
		{"a message that is not there does not", nil, "rescue", "2 k in m", []string{"EXISTS k"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, address := open(t, broker.Config{})
			ours, real := dial(t, address), dial(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(server.Port())))
			server.Do(t, "FLUSHALL")
			both := func(args ...string) {
				t.Helper()
				got, want := times.ReplaceAllString(ours.do(t, args...), "TIME"), times.ReplaceAllString(real.do(t, args...), "TIME")
				if got != want {
					t.Errorf("%.60q: answered %s, Redis %s", args, got, want)
				}
			}
			for _, c := range tt.before {
				both(strings.Fields(c)...)
			}
			both(append([]string{"EVAL", texts[tt.script]}, strings.Fields(tt.args)...)...)
			for _, c := range tt.after {
				both(strings.Fields(c)...)
			}
		})
	}
}
