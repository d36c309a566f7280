package pickle

import (
	"encoding/hex"
	"math/big"
)

// A SafeString is Django's django.utils.safestring.SafeString: a str that is not escaped in templates.
type SafeString string

// A UUID is Python's uuid.UUID. (What uuid1 knows about its safety is not kept.)
type UUID [16]byte

// String is the UUID in its usual form.
func (u UUID) String() string {
	var text [36]byte
	at := 0
	for i, b := range u {
		switch i {
		case 4, 6, 8, 10:
			text[at] = '-'
			at++
		}
		hex.Encode(text[at:], []byte{b})
		at += 2
	}
	return string(text[:])
}

// uuidFromInt makes a UUID of the number that Python keeps in it.
func uuidFromInt(v any) (u UUID, ok bool) {
	switch v := v.(type) {
	case int64:
		if v < 0 {
			return u, false
		}
		big.NewInt(v).FillBytes(u[:])
	case *big.Int:
		if v.Sign() < 0 || v.BitLen() > 128 {
			return u, false
		}
		v.FillBytes(u[:])
	default:
		return u, false
	}
	return u, true
}

// A Message is a message of django.contrib.messages.
type Message struct {
	Level int
	// Message is a string, a SafeString or whatever else the site put there.
	Message any
	// ExtraTags is a string, or nil.
	ExtraTags any
}

// A LazyString is a translation that is not made yet, as Django's gettext_lazy returns it.
type LazyString struct {
	// Func is what will be called, as django.utils.translation.gettext.
	Func Class
	Args Tuple
	// Kwargs are the arguments by name.
	Kwargs *Dict
	// Results are the classes that Func may return.
	Results Tuple
}

// Text is the text before translation, and whether there is one.
func (l *LazyString) Text() (string, bool) {
	if l.Func.Module != "django.utils.translation" {
		return "", false
	}
	text := any(nil)
	switch l.Func.Name {
	case "gettext", "ugettext":
		text = l.argument(0, "message")
	case "pgettext":
		text = l.argument(1, "message")
	case "ngettext", "ungettext":
		text = l.plural(0)
	case "npgettext":
		text = l.plural(1)
	}
	switch text := text.(type) {
	case string:
		return text, true
	case SafeString:
		return string(text), true
	}
	return "", false
}

// plural picks one of two arguments by the number that is the third.
func (l *LazyString) plural(first int) any {
	if number := l.argument(first+2, "number"); number == int64(1) {
		return l.argument(first, "singular")
	}
	return l.argument(first+1, "plural")
}

func (l *LazyString) argument(place int, name string) any {
	if place < len(l.Args) {
		return l.Args[place]
	}
	if l.Kwargs == nil {
		return nil
	}
	value, _ := l.Kwargs.Get(name)
	return value
}
