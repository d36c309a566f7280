package pickle

import (
	"errors"
	"fmt"
)

// Why a pickle was refused; an [OpcodeError] wraps one of them.
var (
	// ErrMalformed means that the bytes are no pickle, or one that Python would not load.
	ErrMalformed = errors.New("pickle: malformed")

	// ErrUnsupported means that the pickle asks for what this package never does.
	ErrUnsupported = errors.New("pickle: unsupported")

	// ErrLimit means that a bound of the Config was reached.
	ErrLimit = errors.New("pickle: limit reached")
)

// An OpcodeError is the refusal of a pickle, with the place where it was refused. Its text holds
// nothing of the pickle but the opcode.
type OpcodeError struct {
	// Op is the opcode that was refused; it is 0 where the pickle ended without one.
	Op byte
	// Offset is where Op stands in the pickle.
	Offset int
	// Err says why: it wraps ErrMalformed, ErrUnsupported or ErrLimit.
	Err error
}

// Error implements error.
func (e *OpcodeError) Error() string {
	return fmt.Sprintf("%v (opcode 0x%02x at offset %d)", e.Err, e.Op, e.Offset)
}

// Unwrap gives the reason to errors.Is.
func (e *OpcodeError) Unwrap() error { return e.Err }

// malformed, unsupported and limited make a reason; why is constant text.
func malformed(why string) error   { return fmt.Errorf("%w: %s", ErrMalformed, why) }
func unsupported(why string) error { return fmt.Errorf("%w: %s", ErrUnsupported, why) }
func limited(what string) error    { return fmt.Errorf("%w: %s", ErrLimit, what) }
