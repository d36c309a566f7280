package server

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/belleville/belleville/consumers"
	"github.com/gobwas/ws"
)

// A frameError ends a connection with a close code. RFC 6455 §7.1.7.
type frameError struct {
	code consumers.CloseCode
	why  string // one of a few constants, for the metrics
}

// Error implements error.
func (e *frameError) Error() string { return "server: frame: " + e.why }

var (
	errProtocol  = &frameError{consumers.CloseProtocolError, "protocol"}
	errTooLarge  = &frameError{consumers.CloseTooBig, "too_large"}
	errFragments = &frameError{consumers.ClosePolicyViolation, "fragments"}
	errNotUTF8   = &frameError{consumers.CloseInvalidPayload, "utf8"}
	errDeflate   = &frameError{consumers.CloseInvalidPayload, "deflate"}
	errFlood     = &frameError{consumers.ClosePolicyViolation, "message_rate"}
	errControls  = &frameError{consumers.ClosePolicyViolation, "control_frames"}
)

// maxControl is the largest payload of a control frame. RFC 6455 §5.5.
const maxControl = 125

// parseHeader reads the header of a client's frame from memory. It returns how long it is, 0 while it has
// not come whole; what is wrong with the bytes that have come is told at once. Nothing that the header declares has
// been believed yet. The reserved bits in allowed may begin a message. RFC 6455 §5.2.
func parseHeader(data []byte, allowed byte) (h ws.Header, size int, err *frameError) {
	if len(data) == 0 {
		return h, 0, nil
	}
	h.Fin = data[0]&0x80 != 0
	h.Rsv = data[0] >> 4 & 7
	h.OpCode = ws.OpCode(data[0] & 0x0f)
	if err := checkFirst(h, allowed); err != nil || len(data) < 2 {
		return h, 0, err
	}
	h.Masked = data[1]&0x80 != 0
	short := data[1] & 0x7f
	if !h.Masked || h.OpCode.IsControl() && short > maxControl {
		return h, 0, errProtocol
	}
	size = 2
	switch short {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if len(data) < size {
		return h, 0, nil
	}
	if h.Length, err = length(short, data[2:size]); err != nil || len(data) < size+len(h.Mask) {
		return h, 0, err
	}
	copy(h.Mask[:], data[size:])
	return h, size + len(h.Mask), nil
}

// checkFirst refuses a first byte that no client may send.
func checkFirst(h ws.Header, allowed byte) *frameError {
	if h.OpCode.IsControl() || h.OpCode == ws.OpContinuation {
		allowed = 0
	}
	switch {
	case h.Rsv&^allowed != 0, h.OpCode.IsReserved(), h.OpCode.IsControl() && !h.Fin:
		return errProtocol
	}
	return nil
}

// length returns a payload's length, which must be written in the shortest form.
func length(short byte, extended []byte) (int64, *frameError) {
	switch short {
	case 126:
		n := binary.BigEndian.Uint16(extended)
		if n < 126 {
			return 0, errProtocol
		}
		return int64(n), nil
	case 127:
		n := binary.BigEndian.Uint64(extended)
		if n < 1<<16 || n >= 1<<63 {
			return 0, errProtocol
		}
		return int64(n), nil
	}
	return int64(short), nil
}

// closeCode reads the payload of a close frame, which is unmasked. RFC 6455 §5.5.1, §7.4.
func closeCode(payload []byte) (consumers.CloseCode, *frameError) {
	switch {
	case len(payload) == 0:
		return consumers.CloseNoStatus, nil
	case len(payload) == 1:
		return 0, errProtocol
	}
	code := consumers.CloseCode(binary.BigEndian.Uint16(payload))
	switch {
	case !code.Sendable():
		return 0, errProtocol
	case !utf8.Valid(payload[2:]):
		return 0, errNotUTF8
	}
	return code, nil
}

// messageFrame returns the frame of a message.
func messageFrame(m consumers.Message) []byte {
	return appendFrame(make([]byte, 0, ws.MaxHeaderSize+len(m.Data)), opOf(m.Kind), m.Data)
}

// opOf returns the opcode that begins a message.
func opOf(k consumers.Kind) ws.OpCode {
	if k == consumers.Binary {
		return ws.OpBinary
	}
	return ws.OpText
}

// closeFrame returns a close frame; CloseNoStatus has none of its own.
func closeFrame(code consumers.CloseCode, reason string) []byte {
	if code == consumers.CloseNoStatus {
		return appendFrame(nil, ws.OpClose, nil)
	}
	payload := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(reason)), uint16(code))
	return appendFrame(nil, ws.OpClose, append(payload, reason...))
}

// appendFrame appends an unmasked frame. RFC 6455 §5.2.
func appendFrame(dst []byte, op ws.OpCode, payload []byte) []byte {
	dst = append(dst, 0x80|byte(op))
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 127), uint64(n))
	}
	return append(dst, payload...)
}
