package broker_test

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/belleville/belleville/channellayer/broker"
	"github.com/belleville/belleville/internal/parts"
)

// scriptsProgram prints the scripts of the channels_redis that is installed.
const scriptsProgram = `
import ast, json
import channels_redis.core as core
tree = ast.parse(open(core.__file__).read())
texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str) and "redis.call" in n.value]
print(json.dumps(texts))
`

// scriptsOf returns the scripts of this machine's channels_redis, by their first two words.
func scriptsOf(t testing.TB) map[string]string {
	t.Helper()
	out, err := exec.Command(python, "-c", scriptsProgram).Output()
	if err != nil {
		parts.Need(t, "channels_redis", fmt.Errorf("%w: channels_redis for %s (Debian's package python3-channels-redis)", parts.ErrMissing, python))
	}
	var texts []string
	if err := json.Unmarshal(out, &texts); err != nil {
		t.Fatal(err)
	}
	byName := make(map[string]string)
	for _, text := range texts {
		byName[strings.Join(strings.Fields(text)[:2], " ")] = text
	}
	return byName
}

func hash(text string) string {
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// recorded are the hashes of the scripts of each channels_redis, as they are and with single spaces between words.
func recorded(t *testing.T) map[string][]struct{ SHA1, Words string } {
	t.Helper()
	data, err := os.ReadFile("testdata/scripts.json")
	if err != nil {
		t.Fatal(err)
	}
	var versions map[string][]struct{ SHA1, Words string }
	if err := json.Unmarshal(data, &versions); err != nil {
		t.Fatal(err)
	}
	return versions
}

func TestScriptsOfEveryChannelsRedisAreKnown(t *testing.T) {
	known := broker.KnownScripts()
	for version, scripts := range recorded(t) {
		if len(scripts) != 3 {
			t.Errorf("%s has %d scripts recorded, want 3", version, len(scripts))
		}
		for _, s := range scripts {
			if !known[s.Words] {
				t.Errorf("a script of %s is not known: %s", version, s.Words)
			}
		}
	}
}

func TestTheInstalledScriptsAreAmongTheRecorded(t *testing.T) {
	all := make(map[string]bool)
	for _, scripts := range recorded(t) {
		for _, s := range scripts {
			all[s.SHA1] = true
		}
	}
	for name, text := range scriptsOf(t) {
		if !all[hash(text)] {
			t.Errorf("the script that begins with %q is in no version that was recorded", name)
		}
	}
}

func TestScriptsThatAreNotKnownAreRefusedByName(t *testing.T) {
	_, address := open(t, broker.Config{})
	w := dial(t, address)
	const text = "return redis.call('GET', KEYS[1])"
	for _, args := range [][]string{{"EVAL", text, "1", "k"}, {"SCRIPT", "LOAD", text}} {
		w.write(t, encode(args...))
		line, err := w.in.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "-ERR ") || !strings.Contains(line, hash(text)) {
			t.Errorf("%s answered %q, %v, want an error that names the script", args[0], line, err)
		}
	}
	if got := w.do(t, "EVALSHA", hash(text), "0"); got != "-NOSCRIPT" {
		t.Errorf("EVALSHA answered %s", got)
	}
}

func TestCommandsThatAreNotKnownAreRefusedByName(t *testing.T) {
	_, address := open(t, broker.Config{})
	w := dial(t, address)
	for _, name := range []string{"GET", "SET", "CONFIG", "MONITOR", "SAVE", "REPLICAOF", "MIGRATE", "DEBUG"} {
		w.write(t, encode(name, "a", "b"))
		line, err := w.in.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "-ERR unknown command '"+name+"'") || !strings.Contains(line, "channel layers") {
			t.Errorf("%s answered %q, %v, want an error that names it", name, line, err)
		}
	}
}
