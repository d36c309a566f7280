package pglayer

import (
	"encoding/base64"
	"errors"
	"math"
	"strconv"
	"strings"
)

// errPayload means that a notification is none of channels_postgres's. It shows nothing of it.
var errPayload = errors.New("pglayer: a notification that is none of the layer's")

// payload is what a notification says: which row holds a message for which channel, and the message itself where
// that is short.
type payload struct {
	id      int64  // of the row; negative where there is none
	channel string // not checked
	message string // in base64, not checked; "" where it is in the row alone
	expires float64
}

// parsePayload takes a notification apart: "id:channel:base64:epoch", or "id:channel".
func parsePayload(text string) (payload, error) {
	id, rest, ok := strings.Cut(text, ":")
	if !ok || len(id) > 20 {
		return payload{}, errPayload
	}
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return payload{}, errPayload
	}
	channel, rest, inline := strings.Cut(rest, ":")
	p := payload{id: number, channel: channel}
	if !inline {
		if number < 0 {
			return payload{}, errPayload // a message that is nowhere
		}
		return p, nil
	}
	message, epoch, ok := strings.Cut(rest, ":")
	if !ok || message == "" {
		return payload{}, errPayload
	}
	if p.expires, err = strconv.ParseFloat(epoch, 64); err != nil || math.IsNaN(p.expires) || math.Abs(p.expires) > maxEpoch {
		return payload{}, errPayload
	}
	p.message = message
	return p, nil
}

// maxEpoch is far beyond any date, and safe to calculate with.
const maxEpoch = 1 << 40

// decode returns the message. Postgres breaks base64 into lines, which the decoder skips.
func (p payload) decode() ([]byte, error) {
	message, err := base64.StdEncoding.DecodeString(p.message)
	if err != nil {
		return nil, errPayload
	}
	return message, nil
}
