package channellayer

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxName is the length in bytes of the longest name of a channel or group.
const MaxName = 99

// CheckChannelName returns an error that wraps [ErrInvalidName] unless every layer takes name as a channel:
// at most [MaxName] ASCII letters, digits, "-", "_" and ".", and at most one "!", which does not come first.
//
// Python: channels.layers.BaseChannelLayer.require_valid_channel_name, which also lets pass a newline at the
// end, and letters and digits of other scripts.
func CheckChannelName(name string) error {
	public, local, _ := strings.Cut(name, "!")
	if len(name) > MaxName || public == "" || !isPlain(public) || !isPlain(local) {
		return invalidName("channel", name)
	}
	return nil
}

// CheckGroupName returns an error that wraps [ErrInvalidName] unless every layer takes name as a group: one to
// [MaxName] ASCII letters, digits, "-", "_" and ".".
//
// Python: channels.layers.BaseChannelLayer.require_valid_group_name, which also lets pass a newline at the
// end, and digits of other scripts.
func CheckGroupName(name string) error {
	if len(name) > MaxName || name == "" || !isPlain(name) {
		return invalidName("group", name)
	}
	return nil
}

// NonLocalName returns the part of a channel's name that several channels of one process share: up to and
// including the "!", or all of a name without one. Python: BaseChannelLayer.non_local_name.
func NonLocalName(name string) string {
	if i := strings.IndexByte(name, '!'); i >= 0 {
		return name[:i+1]
	}
	return name
}

// IsLocal reports whether a channel belongs to one process, whose layer made its name: whether it has a "!".
func IsLocal(name string) bool {
	return strings.IndexByte(name, '!') >= 0
}

// isPlain reports whether s consists of what may stand anywhere in a name.
func isPlain(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

// invalidName shows the beginning of name in quotes: a name may come from a client.
func invalidName(kind, name string) error {
	const shown = 32
	if len(name) <= shown {
		return fmt.Errorf("%w: %s %s", ErrInvalidName, kind, strconv.QuoteToASCII(name))
	}
	return fmt.Errorf("%w: %s %s… (%d bytes)", ErrInvalidName, kind, strconv.QuoteToASCII(name[:shown]), len(name))
}
