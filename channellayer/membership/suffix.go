package membership

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/belleville/belleville/channellayer"
)

// The name of a representative ends with one of these, and
const (
	plain  = "g." // the group itself
	hashed = "h." // a hash of the group, where the name would be too long
)

// Suffix returns how the name of the representative of a group ends, which begins with so many bytes.
func Suffix(beginning int, group string) string {
	if beginning+len(plain)+len(group) <= channellayer.MaxName {
		return plain + group
	}
	sum := sha256.Sum256([]byte(group))
	return hashed + hex.EncodeToString(sum[:16])
}

func isHash(suffix string) bool { return strings.HasPrefix(suffix, hashed) }

// IsRepresentative reports whether a channel whose name ends with suffix stands for a process in a group.
func IsRepresentative(suffix string) bool { return strings.HasPrefix(suffix, plain) || isHash(suffix) }

// GroupIn returns the group that a suffix names, unless it has a hash of that.
func GroupIn(suffix string) (group string, ok bool) { return strings.CutPrefix(suffix, plain) }

// Represented returns the group that a suffix of a representative of this process stands for.
func (t *Table) Represented(suffix string) (string, bool) {
	if group, ok := GroupIn(suffix); ok {
		return group, group != ""
	}
	if !isHash(suffix) {
		return "", false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	group, ok := t.hashed[suffix]
	return group, ok
}
