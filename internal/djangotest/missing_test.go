package djangotest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/belleville/belleville/internal/djangotest"
	"github.com/belleville/belleville/internal/parts"
)

func TestNewProjectWithoutDjango(t *testing.T) {
	t.Setenv("PYTHON", "/nonexistent/python")
	_, err := djangotest.NewProject(t.Context(), "postgres://127.0.0.1/site", djangotest.Config{})
	if !errors.Is(err, parts.ErrMissing) {
		t.Fatalf("NewProject() = %v, want ErrMissing", err)
	}
	for _, want := range []string{"python3-django and python3-psycopg2", "/nonexistent/python"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("NewProject() = %v, want it to name %s", err, want)
		}
	}
}
