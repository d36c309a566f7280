package djangocompat_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/belleville/belleville/internal/parts"
)

// askDjango runs a script in a Python that has Django and the other modules: q is question, and what it leaves
// in a is returned in answer.
func askDjango(t *testing.T, script string, question, answer any, modules ...string) {
	t.Helper()
	python, err := pythonWith(append(modules, "django")...)
	parts.Need(t, "Django", err)
	text, err := json.Marshal(question)
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), python, "-W", "ignore", "-c", "import json, sys\nq = json.load(sys.stdin)\n"+script+"\njson.dump(a, sys.stdout)")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(text), &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("Django: %v: %s", err, stderr.String())
	}
	if err := json.Unmarshal(out, answer); err != nil {
		t.Fatalf("Django's answer: %v", err)
	}
}

// django is a Python with Django that stays: it answers questions, one after another.
type django struct {
	*testing.T
	questions *json.Encoder
	answers   *json.Decoder
}

// startDjango runs a script that defines functions of one argument, which ask calls.
func startDjango(t *testing.T, script string) *django {
	t.Helper()
	python, err := pythonWith("django")
	parts.Need(t, "Django", err)
	cmd := exec.Command(python, "-W", "ignore", "-c", "import json, sys\n"+script+`
for line in sys.stdin:
    name, question = json.loads(line)
    print(json.dumps(globals()[name](question)), flush=True)`)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // at which it ends
		_ = cmd.Wait()
	})
	return &django{t, json.NewEncoder(in), json.NewDecoder(out)}
}

// try calls one of the script's functions.
func (d *django) try(function string, question, answer any) error {
	if err := d.questions.Encode([]any{function, question}); err != nil {
		return fmt.Errorf("ask Django: %w", err)
	}
	if err := d.answers.Decode(answer); err != nil {
		return fmt.Errorf("answer of Django: %w", err)
	}
	return nil
}

// ask is try, in the goroutine of the test.
func (d *django) ask(function string, question, answer any) {
	d.Helper()
	if err := d.try(function, question, answer); err != nil {
		d.Fatal(err)
	}
}

// pythonWith finds a Python that has these modules.
func pythonWith(modules ...string) (string, error) {
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		script := "import sys, importlib\nfor m in sys.argv[1:]: importlib.import_module(m)"
		if exec.Command(python, append([]string{"-c", script}, modules...)...).Run() == nil {
			return python, nil
		}
	}
	return "", fmt.Errorf("%w: a python3 with %v, Debian's packages of these names", parts.ErrMissing, modules)
}
