package djangocompat

import "errors"

var (
	// ErrBadSignature means that none of the keys signed the value.
	// Python: django.core.signing.BadSignature.
	ErrBadSignature = errors.New("djangocompat: bad signature")

	// ErrSignatureExpired means that the signature is right and too old. It is an ErrBadSignature too, as
	// in Django. Python: django.core.signing.SignatureExpired.
	ErrSignatureExpired error = expiredError{}

	// ErrTooLarge means that a rightly signed value is larger, once inflated, than its reader allows.
	ErrTooLarge = errors.New("djangocompat: signed value too large")

	// ErrMalformed means that a rightly signed value is not what it should be: no JSON, no object, a
	// broken timestamp.
	ErrMalformed = errors.New("djangocompat: malformed signed value")

	// ErrPickled means that a rightly signed session is a pickle, where the site's serializer is JSON.
	ErrPickled = errors.New("djangocompat: session is a pickle")

	// ErrSessionGone means that a session that was to be updated has been deleted meanwhile.
	// Python: django.contrib.sessions.backends.base.UpdateError.
	ErrSessionGone = errors.New("djangocompat: session was deleted")

	// ErrSessionExists means that a session that was to be created has a key that is taken.
	// Python: django.contrib.sessions.backends.base.CreateError.
	ErrSessionExists = errors.New("djangocompat: session key is taken")

	// ErrNoBackend means that a session that belongs to no store was to be saved.
	ErrNoBackend = errors.New("djangocompat: session has no backend")
)

type expiredError struct{}

func (expiredError) Error() string { return "djangocompat: signature expired" }

func (expiredError) Unwrap() error { return ErrBadSignature }
