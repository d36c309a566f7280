package config_test

import (
	"os"
	"strings"
	"testing"

	"github.com/belleville/belleville/config"
)

func TestEveryKeyOfDjangoIsInTheTableOfSettings(t *testing.T) {
	text, err := os.ReadFile("../docs/django.md")
	if err != nil {
		t.Fatal(err)
	}
	table := make(map[string]bool) // what stands in the second column
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(line, " | "); len(cells) == 3 {
			for part := range strings.SplitSeq(cells[1], "`") {
				table[part] = true
			}
		}
	}
	known := make(map[string]bool)
	for _, k := range config.Keys() {
		known[k.Path] = true
		if strings.HasPrefix(k.Path, "django.") && !table[k.Path] {
			t.Errorf("%s is not in docs/django.md", k.Path)
		}
	}
	for part := range table {
		if strings.HasPrefix(part, "django.") && !known[part] {
			t.Errorf("docs/django.md has %s, which is no key", part)
		}
	}
}
