package bench

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
)

// Opcodes, RFC 6455 §5.2.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// maxControl is the longest payload of a control frame, RFC 6455 §5.5.
const maxControl = 125

// appendFrame appends one masked frame, RFC 6455 §5.2.
func appendFrame(dst []byte, opcode byte, payload []byte) []byte {
	const final, masked = 0x80, 0x80
	dst = append(dst, final|opcode)
	switch n := len(payload); {
	case n <= maxControl:
		dst = append(dst, masked|byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, masked|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, masked|127), uint64(n))
	}
	var mask [4]byte
	binary.LittleEndian.PutUint32(mask[:], rand.Uint32())
	dst = append(dst, mask[:]...)
	for i, b := range payload {
		dst = append(dst, b^mask[i&3])
	}
	return dst
}

// frameHead is what stands in front of a payload.
type frameHead struct {
	final  bool
	opcode byte
	length uint64
}

// readHead reads a frame's head. One that a server must not send is a failure.
func readHead(r *bufio.Reader) (h frameHead, err error) {
	var b [8]byte
	if _, err := io.ReadFull(r, b[:2]); err != nil {
		return h, err
	}
	h = frameHead{final: b[0]&0x80 != 0, opcode: b[0] & 0x0f, length: uint64(b[1] & 0x7f)}
	switch {
	case b[0]&0x70 != 0:
		return h, &failure{"protocol: a reserved bit"} // we offer no extension
	case b[1]&0x80 != 0:
		return h, &failure{"protocol: a masked frame"}
	case h.opcode > opBinary && h.opcode < opClose || h.opcode > opPong:
		return h, &failure{"protocol: an unknown opcode"}
	case h.opcode >= opClose && (!h.final || h.length > maxControl):
		return h, &failure{"protocol: a control frame that is none"}
	}
	switch h.length {
	case 126:
		_, err = io.ReadFull(r, b[:2])
		h.length = uint64(binary.BigEndian.Uint16(b[:]))
	case 127:
		_, err = io.ReadFull(r, b[:])
		if h.length = binary.BigEndian.Uint64(b[:]); h.length > 1<<62 {
			return h, &failure{"protocol: a length that is none"}
		}
	}
	return h, err
}

// closeFailure says how a server ended the connection.
func closeFailure(payload []byte) *failure {
	code := 1005 // RFC 6455 §7.1.5: none was given
	if len(payload) >= 2 {
		code = int(binary.BigEndian.Uint16(payload))
	}
	if code < 1000 || code > 4999 {
		return &failure{"protocol: a close code that is none"}
	}
	return &failure{fmt.Sprintf("closed with %d", code)}
}
