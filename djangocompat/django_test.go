package djangocompat_test

import (
	"bytes"
	"encoding/json"
	"fmt"
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
