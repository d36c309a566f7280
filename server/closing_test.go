package server

import (
	"errors"
	"testing"
	"time"

	"github.com/belleville/belleville/consumers"
)

// A client that takes nothing has no more time because it is being closed.
func TestT34AClosingClientThatTakesNothingIsDroppedInTime(t *testing.T) {
	const timeout = 2 * time.Second // less than a closing handshake may take
	b := newLab(Config{WriteTimeout: timeout, PingInterval: time.Hour}).open(t)
	if err := b.Send(consumers.TextMessage("hello"), nil); err != nil {
		t.Fatal(err)
	}
	full := errors.New("it takes no more")
	var scratch [256]byte
	if _, err := b.flush(scratch[:], func([]byte) (int, error) { return 0, full }); !errors.Is(err, full) {
		t.Fatalf("flush: %v", err)
	}
	stuck := b.writer.moved
	if err := b.Close(consumers.CloseNormal, ""); err != nil {
		t.Fatal(err)
	}
	if next, drop := b.expire(stuck + ticks(timeout) - 1); drop || next != stuck+ticks(timeout) {
		t.Errorf("before its time: dropped %v, looked at again after %d ticks, want after %d", drop, next-stuck, ticks(timeout))
	}
	if _, drop := b.expire(stuck + ticks(timeout)); !drop {
		t.Error("it is not dropped when its time is over")
	}
	b.release()
	<-b.ended
}
