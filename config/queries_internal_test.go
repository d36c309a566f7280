package config

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/sessionstore"
)

// broken is a database that answers every query with the same error.
type broken struct{ err error }

func (b broken) HasRow(context.Context, string, ...any) (bool, error) { return false, b.err }

func TestAWrongQueryIsLoggedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, nil))
		p := patient{broken{&sessionstore.DatabaseError{Fault: sessionstore.FaultSchema, Code: "42P01"}}, "routes[2]", logger, new(atomic.Pointer[time.Time])}
		for range 3 { // from second 0 to 119
			for range 40 {
				_, err := p.HasRow(t.Context(), "SELECT 1")
				if d, ok := errors.AsType[*consumers.Denial](err); !ok || d.Status != 500 {
					t.Fatalf("HasRow = %v, want a denial with 500", err)
				}
				time.Sleep(time.Second)
			}
		}
		if got := strings.Count(log.String(), "routes[2]"); got != 2 {
			t.Errorf("logged %d times in two minutes, want 2:\n%s", got, &log)
		}
	})
}
