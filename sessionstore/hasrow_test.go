package sessionstore_test

import (
	"errors"
	"testing"

	"github.com/belleville/belleville/sessionstore"
)

func TestHasRow(t *testing.T) {
	tests := []struct {
		name  string
		query string
		args  []any
		want  bool
		fails bool
	}{
		{"a row", "SELECT 1 WHERE $1 = 'a'", []any{"a"}, true, false},
		{"no row", "SELECT 1 WHERE $1 = 'a'", []any{"b"}, false, false},
		{"many rows are one", "SELECT 1 UNION ALL SELECT 2 WHERE $1 = 'a'", []any{"a"}, true, false},
		{"a row of NULL is a row", "SELECT NULL WHERE $1 = 'a'", []any{"a"}, true, false},
		{"NULL equals nothing", "SELECT 1 WHERE $1 = 'a'", []any{nil}, false, false},
		{"a semicolon and a comment at the end", "SELECT 1 WHERE $1 = 'a' -- why\n; ", []any{"a"}, true, false},
		{"a comment that is last", "SELECT 1 WHERE $1 = 'a' -- why", []any{"a"}, true, false},
		{"a parameter is never SQL", "SELECT 1 WHERE $1 = 'a'", []any{"x' OR 'a' = 'a"}, false, false},
		{"a second statement", "SELECT 1 WHERE $1 = 'a'; DELETE FROM auth_user", []any{"a"}, false, true},
		{"a change in disguise", "WITH x AS (DELETE FROM auth_user WHERE username = $1 RETURNING 1) SELECT 1 FROM x", []any{"a"}, false, true},
		{"nonsense", "SELECT FROM WHERE", nil, false, true},
	}
	onBoth(t, func(t *testing.T, b *bed) {
		store := open(t, b.config())
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				got, err := store.HasRow(t.Context(), tt.query, tt.args...)
				if got != tt.want || (err != nil) != tt.fails {
					t.Errorf("HasRow = %v, %v, want %v, an error: %v", got, err, tt.want, tt.fails)
				}
				if _, ok := errors.AsType[*sessionstore.DatabaseError](err); err != nil && !ok {
					t.Errorf("the error is a %T", err)
				}
			})
		}
	})
}
