package djangocompat

// CSRFReason says why a request was taken for a forgery.
type CSRFReason uint8

// The reasons.
const (
	CSRFBadOrigin CSRFReason = iota + 1
	CSRFNoReferer
	CSRFMalformedReferer
	CSRFInsecureReferer
	CSRFBadReferer
	CSRFNoCookie
	CSRFCookieLength
	CSRFCookieCharacters
	CSRFTokenMissing
	CSRFTokenLength
	CSRFTokenCharacters
	CSRFTokenIncorrect
	CSRFBadToken // what Django before 4.0 says of any token
)

// String returns the reason in a few words.
func (r CSRFReason) String() string {
	switch r {
	case CSRFBadOrigin:
		return "origin is not trusted"
	case CSRFNoReferer:
		return "no referer"
	case CSRFMalformedReferer:
		return "malformed referer"
	case CSRFInsecureReferer:
		return "insecure referer"
	case CSRFBadReferer:
		return "referer is not trusted"
	case CSRFNoCookie:
		return "no cookie"
	case CSRFCookieLength, CSRFCookieCharacters:
		return "malformed cookie"
	case CSRFTokenMissing:
		return "no token"
	case CSRFTokenLength, CSRFTokenCharacters:
		return "malformed token"
	case CSRFTokenIncorrect, CSRFBadToken:
		return "wrong token"
	}
	return "unknown"
}

// CSRFError is a request that was refused.
type CSRFError struct {
	// Reason says why.
	Reason CSRFReason

	detail string // from the request, or where the token was
}

// Error implements error. It tells nothing of the request: see Text.
func (e *CSRFError) Error() string { return "djangocompat: CSRF check: " + e.Reason.String() }

// Text returns what Django says on its page 403 and in its log, with the Origin or Referer of the request in it.
func (e *CSRFError) Text() string {
	const unmatched = " does not match any trusted origins."
	switch e.Reason {
	case CSRFBadOrigin:
		return "Origin checking failed - " + e.detail + unmatched
	case CSRFNoReferer:
		return "Referer checking failed - no Referer."
	case CSRFMalformedReferer:
		return "Referer checking failed - Referer is malformed."
	case CSRFInsecureReferer:
		return "Referer checking failed - Referer is insecure while host is secure."
	case CSRFBadReferer:
		return "Referer checking failed - " + e.detail + unmatched
	case CSRFNoCookie:
		return "CSRF cookie not set."
	case CSRFCookieLength:
		return "CSRF cookie has incorrect length."
	case CSRFCookieCharacters:
		return "CSRF cookie has invalid characters."
	case CSRFTokenMissing:
		return "CSRF token missing."
	case CSRFTokenLength:
		return "CSRF token from " + e.detail + " has incorrect length."
	case CSRFTokenCharacters:
		return "CSRF token from " + e.detail + " has invalid characters."
	case CSRFTokenIncorrect:
		return "CSRF token from " + e.detail + " incorrect."
	case CSRFBadToken:
		return "CSRF token missing or incorrect."
	}
	return ""
}
