package consumers

// A CloseCode says why a WebSocket was closed. RFC 6455 §7.4 and the IANA registry.
type CloseCode uint16

// The registered codes, and those of Belleville.
const (
	CloseNormal          CloseCode = 1000
	CloseGoingAway       CloseCode = 1001
	CloseProtocolError   CloseCode = 1002
	CloseUnsupportedData CloseCode = 1003
	CloseNoStatus        CloseCode = 1005 // a close frame without a code; never sent
	CloseAbnormal        CloseCode = 1006 // no close frame, or a refused handshake; never sent
	CloseInvalidPayload  CloseCode = 1007
	ClosePolicyViolation CloseCode = 1008
	CloseTooBig          CloseCode = 1009
	CloseInternalError   CloseCode = 1011
	CloseServiceRestart  CloseCode = 1012
	CloseTryAgainLater   CloseCode = 1013
	CloseBadGateway      CloseCode = 1014
	CloseSessionEnded    CloseCode = 4401
)

// Sendable reports whether the code may be in a close frame: a registered one that is not reserved, or one
// of 3000 to 4999.
func (c CloseCode) Sendable() bool {
	switch {
	case c >= 1000 && c <= 1003, c >= 1007 && c <= 1014, c >= 3000 && c <= 4999:
		return true
	}
	return false
}
